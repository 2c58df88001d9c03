"""What `health` shows, read from the cells without sending a message to anybody."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from actors.cell import Cell
from actors.operator_board import TRADING, Matter
from decisions.money_fold import MoneyFold
from decisions.portfolio import Portfolio
from messages.ids import NS_PER_MS, NS_PER_S, ActorPath
from messages.lifecycle import ActorState
from ops.config import Config, FeedType, IdempotencyBackend, VenueType
from ops.last_word import halt_fields
from ops.run_facts import RunFacts, disk_of, pnl_of, traded_of
from ops.trading_view import trading_view, why_nothing
from ops.verdict import verdict
from ops.wiring import System

_RUNS = ActorState.RUNNING
_HANGS = {"state": str(ActorState.HUNG)}
"""Of the root supervisor: those below are found so by who looks after them."""
_NOT_READY = (ActorState.STARTING, ActorState.RECONCILING, ActorState.HALTED, ActorState.STOPPED)


class Snapshots:
    """Any thread may `take` one; it costs well under a millisecond and blocks nobody.

    `lease` says how the lease of the account stands, where there is one. `extras` are asked for
    more of what is shown, each under its name.
    """

    def __init__(
        self,
        system: System,
        config: Config,
        lease: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self._lease = lease
        self._system, self._config = system, config
        self._clock = system.runtime.clock
        self.facts = RunFacts(self._clock.monotonic_ns)
        self.extras: dict[str, Callable[[], Any]] = {}
        self._started_ns = self._clock.utc_ns()
        self._begun_ns = self._clock.monotonic_ns()
        self.left: dict[str, Any] | None = None
        """What a live run leaves at its end; None until then, and of a run on paper."""
        self.order_states: Counter[str] = Counter()
        self.prices: dict[str, str] = {}
        self.does_rounds: Callable[[], bool] = lambda: True
        """Whether the root supervisor has done its round in time."""
        self.claimed_before: str | None = None
        """An order that the ledger held when this process began."""

    def take(self, *, latencies: bool = True) -> dict[str, Any]:
        """Give the snapshot, schema 1, with the verdict in it.

        `latencies` of the actors are the dearest of it; Prometheus has them from the histograms.
        """
        now_ns = self._clock.monotonic_ns()
        cells = sorted(self._system.runtime.cells.values(), key=_start_order)
        root, executor = self._system.root, self._system.executor.cell
        is_alive = root.state is _RUNS and self.does_rounds()
        snapshot: dict[str, Any] = {
            "schema": 1,
            "name": self._config.name,
            "mode": str(self._config.mode),
            "pid": os.getpid(),
            "started_at_ns": self._started_ns,
            "captured_at_ns": self._clock.utc_ns(),
            "uptime_s": (now_ns - self._begun_ns) / NS_PER_S,
            "root_alive": is_alive,
            "ready": is_alive and executor.state not in _NOT_READY,
            "actors": [
                actor_view(self._system.runtime, cell, now_ns)
                | (latencies_of(cell) if latencies else {})
                | (_HANGS if cell is root and cell.state is _RUNS and not is_alive else {})
                for cell in cells
            ],
            "market": dict(self.prices),
            "market_age_s": self.facts.market_age_s(),
            "orders": dict(self.order_states),
            "counters": self._counters(),
            "unknown": self.facts.unknown(),
            "stuck_stops": [msgspec.to_builtins(one) for one in self._system.board.stuck_stops],
            "matters": [_matter(one, now_ns) for one in self._system.board.matters],
            "pnl": pnl_of(self.portfolio),
            "traded": traded_of(self.portfolio),
            "earlier": {"pending": self.money.is_pending, "problem": self.money.problem},
            "disk": disk_of(self._config.run_dir),
            "open_orders": self.facts.open_orders(),
            "newest_claim": self._newest_claim(),
            "link": self.facts.link(),
            "dropped": self.dropped(),
            "gaps": self.gaps(),
            "halt": self._halt(),
            "lease": None if self._lease is None else self._lease(),
            "left": self.left,
            "ended": None,
        }
        if self._config.feed.is_live:
            snapshot["silent_s"] = self._silent_s(snapshot)
        if asks_exchange(self._config):
            snapshot["rate"] = rate_of(self._config)
        snapshot["trading"] = trading_view(self._system, self._config, self.facts, snapshot, now_ns)
        snapshot |= {name: extra() for name, extra in self.extras.items()}
        snapshot["verdict"], snapshot["why"] = verdict(snapshot)
        return snapshot

    def _newest_claim(self) -> str | None:
        """Name an order that the next process must find in the ledger; see `ops.lost_ledger`."""
        is_kept = self._config.idempotency.backend is not IdempotencyBackend.MEMORY
        return (self.facts.newest_claim if is_kept else None) or self.claimed_before

    def _silent_s(self, snapshot: Mapping[str, Any]) -> dict[str, float]:
        """Say how long each symbol of a live market shows nothing, also one that never did."""
        ages, uptime_s = snapshot["market_age_s"], snapshot["uptime_s"]
        return {symbol: ages.get(symbol, uptime_s) for symbol in self._config.feed.symbols}

    def _halt(self) -> dict[str, Any]:
        """Say how far a halt is, and how it ends; empty while trading."""
        view = self._system.board.halt
        if view is TRADING:
            return {}
        is_kept = self._config.idempotency.backend is not IdempotencyBackend.MEMORY
        fields = halt_fields(view, self._config.run_dir)
        return {**fields, "on_disk": view.on_disk and is_kept}

    @property
    def portfolio(self) -> Portfolio:
        """Positions and profit of the run directory, as Metrics has counted them; read only."""
        return self._system.fold.portfolio

    @property
    def money(self) -> MoneyFold:
        """What `portfolio` is a part of."""
        return self._system.fold.money

    def refusals(self) -> dict[str, int]:
        """Count what risk, age, a halt or the venue refused in this process, by the reason."""
        return dict(self._system.fold.rejects_by_reason)

    def why_nothing(self) -> dict[str, str]:
        """Say of each strategy, when the run has ended, why nothing of it was filled."""
        return why_nothing(self._system, self._config, self.facts, self._halt())

    def dropped(self) -> dict[str, dict[str, Any]]:
        """Say what of a recording could not be used; what comes over a connection is no file."""
        return {} if self._config.feed.is_connected else self.facts.dropped()

    def gaps(self) -> dict[str, dict[str, Any]]:
        """Say where a recording has gaps; those of a connection stand under `link`."""
        return {} if self._config.feed.is_connected else self.facts.gaps()

    def open_stops(self) -> int:
        """How many stops the executor keeps."""
        return self._system.board.open_stops()

    def market_at_ns(self) -> int | None:
        """How far the market has come, by its own clock; None before any price."""
        found = (self.facts.market_at_ns(symbol) for symbol in self._config.feed.symbols)
        return max((at_ns for at_ns in found if at_ns is not None), default=None)

    def restarts(self) -> int:
        """How often an actor was started again in this process."""
        return sum(cell.restarts for cell in self._system.runtime.cells.copy().values())

    def _counters(self) -> dict[str, int]:
        fold = self._system.fold
        return {
            "processed": fold.processed,
            "allowed": fold.allowed,
            "sent": fold.sent,
            "accepted": fold.accepted,
            "rejected": fold.rejected,
            "filled": fold.filled,
            "errors": fold.errors,
            "retries": fold.retries,
            "dupes_filtered": fold.dupes_filtered,
        }


def actor_view(runtime: Any, cell: Cell, now_ns: int) -> dict[str, Any]:
    """Give what `health` shows of one actor, on any thread."""
    handling, hang_limit_ns = cell.handling, cell.hang_limit_ns
    hung_ns = cell.hung_for_ns(now_ns)
    is_hung = hang_limit_ns is not None and hung_ns > hang_limit_ns
    limit_ns = None if is_over(runtime, cell) else cell.progress_limit_ns
    return {
        "path": cell.path,
        "state": str(ActorState.HUNG if is_hung else cell.state),
        "epoch": cell.epoch,
        "uptime_s": cell.uptime_ns(now_ns) / NS_PER_S,
        "state_s": (now_ns - cell.state_since_ns) / NS_PER_S,
        "restarts": cell.restarts,
        "restarts_in_window": cell.restarts_in_window,
        "restart_limit": cell.restart_limit,
        "mailbox": cell.mailbox.depth(),
        "capacity": cell.mailbox.capacity,
        "high_water": cell.mailbox.high_water,
        "oldest_ms": cell.oldest_wait_ns(now_ns) / NS_PER_MS,
        "processed": cell.processed,
        "handling": type(handling).__name__ if handling is not None else None,
        "handling_ms": hung_ns / NS_PER_MS,
        "waiting_on": runtime.waits.whom(cell.path),
        "retry_in_s": _left_s(cell.retry_at_ns, now_ns),
        "dead_letters": runtime.dead_letters.lost(cell.path),
        "last_error": cell.last_error,
        "last_error_at_ns": cell.last_error_at_ns,
        "progress_age_s": (now_ns - cell.progress_ns) / NS_PER_S if limit_ns else None,
        "progress_limit_s": limit_ns / NS_PER_S if limit_ns else None,
        "progress_on": cell.progress_on.__name__ if limit_ns and cell.progress_on else None,
        "zombies": len(cell.zombies),
        "problem": cell.problem,
    }


def is_over(runtime: Any, cell: Cell) -> bool:
    """Whether it is stopped and is to be, for now at least: nobody waits for its work.

    It has not begun, or has come to its end, or waits for its turn: who is above it is down, or
    is about to start or stop somebody. Else its supervisor should have started it again.
    """
    if cell.state is not ActorState.STOPPED:
        return False
    if not cell.epoch or cell.ends_for_good or cell.mailbox.closed:
        return True
    return any(not _looks_after(one) for one in _above(runtime, cell))


def _above(runtime: Any, cell: Cell) -> Iterator[Cell]:
    path = cell.path
    while path and path != "root":
        path = ActorPath(path.rpartition("/")[0])
        above = runtime.cells.get(path or "root")
        if above is not None:
            yield above


def _looks_after(supervisor: Cell) -> bool:
    is_busy = supervisor.life is None or supervisor.life.may_wait_ns != 0
    return supervisor.state is _RUNS and not is_busy


def latencies_of(cell: Cell) -> dict[str, float]:
    """Give how long the messages of one actor took."""
    view = cell.latency.view()
    p50_ns, p99_ns = view.percentiles((50, 99))
    return {"p50_us": p50_ns / 1000, "p99_us": p99_ns / 1000, "max_us": view.max / 1000}


def _left_s(until_ns: int | None, now_ns: int) -> float | None:
    return None if until_ns is None else max(until_ns - now_ns, 0) / NS_PER_S


def asks_exchange(config: Config) -> bool:
    """Whether this process asks an exchange for anything."""
    return config.feed.type is FeedType.CCXT or config.venue.type is VenueType.CCXT


def rate_of(config: Config) -> str:
    """Say for how long the exchange wants to hear nothing, of orders or of its market."""
    from ops.rate_budgets import blocked_text  # asyncio, which other runs can do without

    venue, exchange = config.venue.ccxt, config.venue.exchange
    places = [venue, config.feed.ccxt or venue]
    return next((text for one in places if (text := blocked_text(exchange, one))), "")


_TREE = ("root", "metrics", "execution", "feeds")


def _matter(matter: Matter, now_ns: int) -> dict[str, Any]:
    for_s = (now_ns - matter.since_ns) / NS_PER_S
    return {"kind": matter.kind, "problem": matter.problem, "for_s": for_s}


def _start_order(cell: Cell) -> tuple[int, str]:
    top = cell.path.partition("/")[0]
    return (_TREE.index(top) if top in _TREE else len(_TREE), cell.path)
