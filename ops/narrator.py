"""What a run tells on stdout: JSON lines for machines, a live panel for people."""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import msgspec

from actors.log import logger
from decisions.money_fold import ENDED_KEPT
from messages.ids import OrderKey
from messages.lifecycle import Supervision
from messages.order_states import FINAL_STATES
from messages.orders import OrderUpdate, PriceMark
from messages.values import OrderState
from ops.config import Config
from ops.final_word import final_word
from ops.options import StartOptions
from ops.snapshot import Snapshots
from ops.stdout import PATIENCE_S, await_reader, give_up, is_nowhere, say, takes_more

STATUS_EVERY_S = 1.0
_CANNOT_REDRAW = ("dumb", "unknown")
"""Terminals on which a panel would never be drawn."""


class Narrator(Protocol):
    """Told of everything that Metrics sees, on its thread; the rest on the main thread."""

    snapshots: Snapshots

    def observe(self, message: Any) -> None:
        """Remember one message; must not block."""

    def killed(self, actor: str, reason: str) -> None:
        """The demo kills an actor on purpose, now; must not block."""

    def begin(self) -> None:
        """The run starts."""

    def refresh(self) -> None:
        """Called ten times a second."""

    def end(self, reason: str, code: int) -> None:
        """The run is over."""


class Unharmed:
    """A narrator whose every trouble is its own: the run goes on, and nothing more is told.

    Whoever read the lines is gone, the disk behind them is full: that is no reason to leave
    orders alone. It is logged once. Whoever does not read for a while is told later.
    """

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator
        self.is_mute = False

    @property
    def snapshots(self) -> Snapshots:
        """See `Narrator`."""
        return self._narrator.snapshots

    @snapshots.setter
    def snapshots(self, snapshots: Snapshots) -> None:
        self._narrator.snapshots = snapshots

    def observe(self, message: Any) -> None:
        """See `Narrator.observe`; this is needed by others, and keeps bounded memory."""
        self._narrator.observe(message)

    def killed(self, actor: str, reason: str) -> None:
        """See `Narrator.killed`."""
        self._narrator.killed(actor, reason)

    def begin(self) -> None:
        """See `Narrator.begin`."""
        self._do(self._narrator.begin)

    def refresh(self) -> None:
        """See `Narrator.refresh`; left out while nobody reads."""
        if self.is_mute or takes_more():
            self._do(self._narrator.refresh)

    def end(self, reason: str, code: int) -> None:
        """See `Narrator.end`."""
        self._do(lambda: self._narrator.end(reason, code))

    def _do(self, tell: Callable[[], object]) -> None:
        if self.is_mute:
            return
        try:
            await_reader()
            tell()
        except Exception as error:  # noqa: BLE001 - see the class
            self.is_mute = True
            with suppress(Exception):
                give_up()
            logger.warning(
                "nothing more is told on stdout: {}: {}; the run needs no reader, see `watchkeeper"
                " health`",
                type(error).__name__,
                error,
            )


class Observations:
    """What narrators keep of what they observe: so much at most, and nothing if it is not told."""

    def __init__(self, *, is_told: bool = True) -> None:
        self.lock = threading.Lock()
        self.orders: deque[OrderUpdate] = deque(maxlen=10_000 if is_told else 0)
        self.supervision: deque[Supervision] = deque(maxlen=1_000 if is_told else 0)
        self._open: dict[OrderKey, OrderState] = {}
        self._ended: dict[OrderKey, OrderState] = {}
        """Of late, for what is told of an order once more."""

    def take(self, message: Any, snapshots: Snapshots) -> None:
        """Keep one message, and keep the snapshot's prices and order states in step."""
        match message:
            case PriceMark():
                snapshots.prices[message.symbol] = f"{message.price:f}"
            case OrderUpdate():
                self._order(message, snapshots)
            case Supervision():
                with self.lock:
                    self.supervision.append(message)

    def _order(self, update: OrderUpdate, snapshots: Snapshots) -> None:
        with self.lock:
            self.orders.append(update)
            key = update.order_key
            before = self._open.pop(key, None) or self._ended.pop(key, None)
            states = self._ended if update.state in FINAL_STATES else self._open
            states[key] = update.state
            if len(self._ended) > ENDED_KEPT:
                del self._ended[next(iter(self._ended))]
        if before is not None:
            snapshots.order_states[before] -= 1
        snapshots.order_states[update.state] += 1


class JsonLines:
    """One JSON object a line: start, orders, the demo's kill, supervision, a status, the end.

    Each has its time; an order also that of its decision, on the market's clock.
    """

    snapshots: Snapshots

    def __init__(self, config: Config) -> None:
        self._config = config
        self._seen = Observations()
        self._kills: deque[dict[str, Any]] = deque()
        self._next_status = 0.0

    def observe(self, message: Any) -> None:
        """See `Narrator.observe`."""
        self._seen.take(message, self.snapshots)

    def killed(self, actor: str, reason: str) -> None:
        """See `Narrator.killed`; told with what comes next."""
        self._kills.append({"at_ns": time.time_ns(), "actor": actor, "reason": reason})

    def begin(self) -> None:
        """Say what runs."""
        config = self._config
        self._print(
            {
                "event": "start",
                "name": config.name,
                "mode": config.mode,
                "feed": config.feed.type,
                "venue": config.venue.type,
                "symbols": config.feed.symbols,
                "strategies": [s.id for s in config.strategies],
                "run_dir": str(config.run_dir),
            }
        )

    def refresh(self) -> None:
        """Print what came in, as far as somebody reads, and once a second the counters."""
        self._drain(patience_s=0.0)
        now = time.monotonic()
        if now >= self._next_status and takes_more():
            self._next_status = now + STATUS_EVERY_S
            shown = ("verdict", "why", "counters", "market", "uptime_s")
            snapshot = self.snapshots.take(latencies=False)
            self._print({"event": "status", **{key: snapshot[key] for key in shown}})

    def end(self, reason: str, code: int) -> None:
        """Print the rest and the final word."""
        self._drain(patience_s=PATIENCE_S)
        word = final_word(self.snapshots, self._config, reason, code)
        self._print({"event": "end", **word})

    def _drain(self, patience_s: float) -> None:
        """Print what waits; what nobody reads in time waits on, the newest of it."""
        orders, told = self._seen.orders, self._seen.supervision  # this thread alone takes
        for _ in range(len(orders)):
            if takes_more(patience_s):
                self._print({"event": "order", **_order_line(orders.popleft())})
        for _ in range(len(self._kills)):
            if takes_more(patience_s):
                self._print({"event": "demo_kill", **self._kills.popleft()})
        for _ in range(len(told)):
            if takes_more(patience_s):
                self._print({"event": "supervision", **_supervision_line(told.popleft())})

    def _print(self, fields: dict[str, Any]) -> None:
        """Say it, with when it was so, or else with now: UTC by our own clock."""
        timed = {"event": fields["event"], "at_ns": fields.get("at_ns", time.time_ns()), **fields}
        say(msgspec.json.encode(timed).decode())


class Silent:
    """Tells nothing, for nobody can read it, and keeps what others need of a narrator."""

    snapshots: Snapshots

    def __init__(self) -> None:
        self._seen = Observations(is_told=False)

    def observe(self, message: Any) -> None:
        """See `Narrator.observe`."""
        self._seen.take(message, self.snapshots)

    def killed(self, actor: str, reason: str) -> None:
        """See `Narrator`."""

    def begin(self) -> None:
        """See `Narrator`."""

    def refresh(self) -> None:
        """See `Narrator`."""

    def end(self, reason: str, code: int) -> None:
        """See `Narrator`."""


def _order_line(update: OrderUpdate) -> dict[str, Any]:
    return {
        "at_ns": update.ts_event_ns,
        "decided_at_ns": update.decided_at_ns,
        "order_key": update.order_key,
        "strategy_id": update.strategy_id,
        "symbol": update.symbol,
        "side": update.side,
        "state": update.state,
        "quantity": f"{update.quantity:f}",
        "filled_quantity": f"{update.filled_quantity:f}",
        "average_price": None if update.average_price is None else f"{update.average_price:f}",
        "reason": update.reason,
    }


def _supervision_line(report: Supervision) -> dict[str, Any]:
    return {
        "at_ns": report.ts_ns,
        "child": report.child,
        "what": report.event,
        "reason": report.reason,
        "epoch": report.epoch,
    }


def narrator_for(options: StartOptions, config: Config) -> Narrator:
    """Give the panel on a terminal, JSON lines anywhere else where they can be read."""
    if is_nowhere():
        return Silent()
    if options.json_lines or not sys.stdout.isatty() or os.environ.get("TERM") in _CANNOT_REDRAW:
        return Unharmed(JsonLines(config))
    from ops.panel import Panel

    return Unharmed(Panel(config))
