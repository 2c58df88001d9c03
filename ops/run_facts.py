"""What `health` and the alerts ask about a run and no cell knows: kept from what Metrics sees."""

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from decisions.dropped_rows import dropped_of
from decisions.metrics import money
from decisions.order_keys import moment_in
from decisions.portfolio import Portfolio
from decisions.recording_gaps import FirstGaps
from decisions.why_no_trade import LastOrder
from messages.ids import NS_PER_S, ActorPath, OrderKey, StrategyId, Symbol
from messages.market import FeedGap, FeedReport, FeedState
from messages.order_states import FINAL_STATES
from messages.orders import DuplicateFiltered, OrderUpdate, PriceMark
from messages.values import OrderState

_MB = 1_000_000


class RunFacts:
    """`observe` on the thread of Metrics; the rest on any. Bounded by the orders that are open."""

    def __init__(self, monotonic_ns: Callable[[], int]) -> None:
        self._monotonic_ns = monotonic_ns
        self._lock = threading.Lock()
        self._unknown: dict[OrderKey, tuple[int, Symbol]] = {}
        self._open: set[OrderKey] = set()
        self.newest_claim: OrderKey | None = None
        """The last order that was told of as claimed: durable before anybody was told."""
        self._last: dict[StrategyId, tuple[OrderKey, OrderState, str, int]] = {}
        self._decisions: Counter[StrategyId] = Counter()
        self._known: Counter[StrategyId] = Counter()
        self._feeds: dict[ActorPath, tuple[FeedState, int]] = {}
        self._gaps: Counter[ActorPath] = Counter()
        self._reports: dict[ActorPath, FeedReport] = {}
        self._first_gaps = FirstGaps()
        self._priced_ns: dict[Symbol, int] = {}
        self._market_ns: dict[Symbol, int] = {}

    def observe(self, message: Any) -> None:
        """Remember what one message says."""
        if isinstance(message, OrderUpdate):
            with self._lock:
                self._order(message)
        elif isinstance(message, DuplicateFiltered):
            with self._lock:
                self._known[message.strategy_id] += 1
        elif isinstance(message, PriceMark):
            self._priced_ns[message.symbol] = self._monotonic_ns()
            self._market_ns[message.symbol] = message.ts_event_ns
        elif isinstance(message, FeedState):
            with self._lock:
                self._feeds[message.feed] = (message, self._monotonic_ns())
        elif isinstance(message, FeedReport):
            self._reports[message.feed] = message
        elif isinstance(message, FeedGap):
            with self._lock:
                self._gaps[message.feed] += 1
            self._first_gaps.observe(message)

    def begin_with(self, open_keys: Iterable[OrderKey]) -> None:
        """Count in the orders that processes before this one left open."""
        with self._lock:
            self._open.update(open_keys)

    def unknown(self) -> dict[str, Any]:
        """Say how many orders have an unknown outcome, and for how long the oldest."""
        with self._lock:
            since = [since_ns for since_ns, _ in self._unknown.values()]
        oldest_ns = self._monotonic_ns() - min(since) if since else 0
        return {"count": len(since), "oldest_s": oldest_ns / NS_PER_S}

    def unknown_of(self, symbol: str) -> int:
        """Give how many orders of a symbol have an unknown outcome."""
        with self._lock:
            return sum(1 for _, of_symbol in self._unknown.values() if of_symbol == symbol)

    def open_orders(self) -> int:
        """Give how many orders have not ended: those found at the start, and since, as told."""
        return len(self._open)

    def market_age_s(self) -> dict[str, float]:
        """Say how old the last price of each symbol is: a feed of many may lack one of them."""
        now_ns = self._monotonic_ns()
        return {symbol: (now_ns - at) / NS_PER_S for symbol, at in self._priced_ns.copy().items()}

    def market_at_ns(self, symbol: str) -> int | None:
        """Give how far the market of a symbol has come, on its own clock; None before any price."""
        return self._market_ns.get(Symbol(symbol))

    def last_of(self, strategy: StrategyId) -> tuple[int, LastOrder | None]:
        """Give how often a strategy has decided, and what became of its newest decision."""
        with self._lock:
            count, last = self._decisions[strategy], self._last.get(strategy)
        if last is None:
            return count, None
        _, state, reason, at_ns = last
        return count, LastOrder(state, reason, (self._monotonic_ns() - at_ns) / NS_PER_S)

    def known_of(self, strategy: StrategyId) -> int:
        """Give how often a strategy has decided again what was known already."""
        with self._lock:
            return self._known[strategy]

    def link(self) -> dict[str, dict[str, Any]]:
        """Say of each live feed how its connection is, why, the clocks' skew, and the holes."""
        now_ns = self._monotonic_ns()
        with self._lock:
            feeds, gaps = dict(self._feeds), self._gaps.copy()
        return {
            path: {
                "phase": str(state.phase),
                "reason": state.reason,
                "attempt": state.attempt,
                "skew_ms": state.skew_ms,
                "gaps": gaps[path],
                "for_s": (now_ns - at_ns) / NS_PER_S,
            }
            for path, (state, at_ns) in feeds.items()
        }

    def dropped(self) -> dict[str, dict[str, Any]]:
        """Say of each feed that could not use every row how many, why, and the first of them."""
        found = {path: dropped_of(report) for path, report in self._reports.copy().items()}
        return {path: msgspec.to_builtins(one) for path, one in found.items() if one is not None}

    def gaps(self) -> dict[str, dict[str, Any]]:
        """Say of each recording with gaps how many, and where the first are."""
        found = {path: self._first_gaps.of(one) for path, one in self._reports.copy().items()}
        return {path: msgspec.to_builtins(one) for path, one in found.items() if one is not None}

    def _order(self, update: OrderUpdate) -> None:
        key, now_ns = update.order_key, self._monotonic_ns()
        if update.state is OrderState.UNKNOWN:
            self._unknown.setdefault(key, (now_ns, update.symbol))
        else:
            self._unknown.pop(key, None)
        if _is_newest(update, self.newest_claim):
            self.newest_claim = key
        if update.state in FINAL_STATES:
            self._open.discard(key)
        else:
            self._open.add(key)
        self._decisions[update.strategy_id] += _is_decision(update)
        last = self._last.get(update.strategy_id)
        if last is None or _is_later(update, last[0]):
            self._last[update.strategy_id] = (key, update.state, update.reason, now_ns)
        elif key == last[0]:
            self._last[update.strategy_id] = (key, update.state, update.reason, last[3])


def _is_decision(update: OrderUpdate) -> bool:
    """Whether it tells of a claim or its refusal, and not of a later step: once of each."""
    return update.claim_latency_ns is not None


def _is_later(update: OrderUpdate, before: OrderKey) -> bool:
    """Whether an order was decided after another; those of one moment are told in their order."""
    moment, known = moment_in(update.order_key), moment_in(before)
    return moment > known or (moment == known and _is_decision(update))


def _is_newest(update: OrderUpdate, before: OrderKey | None) -> bool:
    """Whether an order was claimed after the one before, of which a copy may know less.

    What an older order does later makes it no newer: a ledger that lost all since would know it.
    """
    if update.state is OrderState.REFUSED:  # what nobody took is refused, and in no row
        return False
    return update.state is OrderState.CLAIMED or before is None or update.order_key > before


def pnl_of(portfolio: Portfolio) -> dict[str, dict[str, str]]:
    """Give the profit since the run directory's beginning, by quote currency.

    `drawdown` is how far it is below its highest since this process began.
    """
    return {
        quote: {
            "equity": money(portfolio.equity(quote)),
            "drawdown": money(portfolio.drawdown(quote)),
        }
        for quote in portfolio.quotes()
    }


def traded_of(portfolio: Portfolio) -> dict[str, str]:
    """Give what the run directory has bought less sold since its beginning, by symbol, in base."""
    holdings = portfolio.holdings.copy()
    return {symbol: money(one.quantity) for symbol, one in sorted(holdings.items()) if one.quantity}


def disk_of(run_dir: Path) -> dict[str, Any]:
    """Give the room on the disk of a run; none is known where it cannot be asked."""
    try:
        free = shutil.disk_usage(run_dir).free
    except OSError:
        return {"free_mb": None}
    return {"free_mb": free // _MB}
