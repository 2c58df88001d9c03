"""Why a strategy does not trade now, in words a person can act on: the first thing they ask."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from messages.order_states import FINAL_STATES
from messages.values import OrderState

_BEHIND_S = 60.0
"""A candle is told after the trades that are younger than its close: that is nothing to tell."""
_REFUSED = (OrderState.REFUSED, OrderState.REJECTED)


class LastOrder(msgspec.Struct, frozen=True):
    """What became of a strategy's newest decision."""

    state: OrderState
    reason: str
    age_s: float


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """All that can keep one strategy from trading, as it is now. Empty text is nothing."""

    symbol: str
    halt: str = ""
    """Why trading is halted, since when, and by whom."""
    barred: str = ""
    """Why the lease of the account lets nothing be sent."""
    rate: str = ""
    """Why the exchange may be asked nothing now."""
    executor: str = ""
    """What the executor does instead of running."""
    actor: str = ""
    """What the strategy's own actor does instead of running."""
    feed: str = ""
    """Why the market is not live."""
    market_age_s: float | None = None
    """Since the last event of its symbol; None before the first."""
    market_limit_s: float | None = None
    """From where on risk refuses for it."""
    behind_s: float = 0.0
    """So far the market is behind what an earlier process has decided on."""
    events: int = 0
    """What it has seen of its symbol, as far as that is kept."""
    warmup: int = 0
    """How many events it needs before it decides as an old one would."""
    too_small: str = ""
    """Why what it may spend on one order buys nothing."""
    small_targets: str = ""
    """How many of its targets were smaller than the venue takes."""
    unknown: int = 0
    """Orders of its symbol with an unknown outcome."""
    position: Decimal = Decimal(0)
    decisions: int = 0
    """In this process."""
    known: int = 0
    """Decisions that it made again, in this process: their keys were known, so nothing was sent."""
    last: LastOrder | None = None


def reasons(sight: Sight) -> list[str]:
    """Give every reason, what a person must act on first; never none."""
    found = list(_blocked(sight))
    if sight.events < sight.warmup:
        found.append(f"warm-up: {sight.events} of {sight.warmup} events")
    last = sight.last
    small = sight.small_targets or sight.too_small
    if last is None and small:
        found.append(small)
    if last is not None and last.state in _REFUSED:
        found.append(f"its last decision was {last.state} {_ago(last.age_s)}: {last.reason}")
    elif last is not None and last.state not in FINAL_STATES:
        found.append(f"its last order is {last.state}, {_ago(last.age_s)}")
    return found or [_quiet(sight)]


def _blocked(sight: Sight) -> Iterator[str]:
    for text in (sight.halt, sight.barred, sight.rate, sight.executor, sight.actor, sight.feed):
        if text:
            yield text
    age, limit = sight.market_age_s, sight.market_limit_s
    if limit is not None and age is None:
        yield f"the market has shown nothing of {sight.symbol} yet"
    elif limit is not None and age is not None and age > limit:
        yield f"market of {sight.symbol} stale {age:.0f} s (limit {limit:.0f} s)"
    if sight.behind_s > _BEHIND_S:
        yield (
            f"the market of {sight.symbol} is {_span(sight.behind_s)} behind what an earlier"
            " process has decided on: nothing is decided before it is there"
        )
    if sight.unknown:
        yield (
            f"{sight.unknown} order(s) of {sight.symbol} with an unknown outcome:"
            " no new risk until settled"
        )


def _quiet(sight: Sight) -> str:
    if sight.last is None and sight.known:
        times = "once" if sight.known == 1 else f"{sight.known} times"
        return (
            f"it decided {times}, each known already in this run directory, so nothing was sent"
            " again (another --run-dir begins anew)"
        )
    if sight.last is None:
        return "nothing keeps it from trading; it has not decided yet"
    last = f"{_ago(sight.last.age_s)} ({sight.last.state})"
    if not sight.decisions:  # of a process before this one, which left it open
        return f"nothing keeps it from trading; it has not decided yet, its last order ended {last}"
    return f"nothing keeps it from trading; last decision {last}, {sight.decisions} in all"


def _ago(seconds: float) -> str:
    return f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"
