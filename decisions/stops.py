"""What one market event makes of one stop: pure, and blind to how much is held.

A price that reaches the stop makes it act, and so does one that reaches the target. Inside a
candle nobody knows the way between its four prices, so the worse is taken:

* a candle that reaches both acts as the stop;
* one that opens beyond the stop acts at its open, not at the stop's price;
* `trailing` hangs from the best price up to the candle before, not from this candle's own;
* the candle in which a limit entry fills may have been at the target before, and at its best
  price: it counts for the stop alone, and `trailing` hangs from its close.

Of a candle that began before the entry was decided, or before a younger price that was looked
at, only the close counts.
"""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from decisions.spoken import spoken_price
from messages.exact import EXACT, is_sane
from messages.ids import NS_PER_S
from messages.market import Candle, MarketEvent, Trade
from messages.orders import OrderIntent
from messages.stops import Cause, Stop, StopState
from messages.values import OrderType, Side

TOLD_GAP_NS = 60 * NS_PER_S
"""A longer time without a look, before a process began, is told when a stop acts after it."""


class _Prices(NamedTuple):
    first: Decimal
    worst: Decimal
    best: Decimal
    is_whole: bool
    """Whether it is all of a candle, in which the order of the others is not known."""


def stop_of(intent: OrderIntent) -> Stop | None:
    """Give the stop that an entry is claimed with; None where it asks for none or adds nothing."""
    wanted = intent.protection
    if wanted is None or intent.leaves >= intent.quantity:
        return None
    price = intent.limit_price or intent.reference_price
    return Stop(
        entry_key=intent.order_key,
        account=intent.account,
        strategy_id=intent.strategy_id,
        symbol=intent.symbol,
        side=intent.side,
        stop_loss=wanted.stop_loss,
        take_profit=wanted.take_profit,
        trails_by=wanted.trailing,
        reference_price=price,
        is_limit=intent.order_type is OrderType.LIMIT,
        placed_at_ns=intent.decided_at_ns,
        state=StopState.ARMED,
        best_price=price,
        looked_at_ns=intent.decided_at_ns,
    )


def begun_anew(stop: Stop) -> Stop:
    """Give a stop as it was when its entry was decided, for a market that is shown again.

    One that has acted has: what it leaves yet, it leaves once the market is there again.
    """
    if stop.state is StopState.ACTED:
        return stop
    return msgspec.structs.replace(
        stop, best_price=stop.reference_price, looked_at_ns=stop.placed_at_ns
    )


def level(stop: Stop) -> tuple[Decimal, Cause] | None:
    """Give the price that it acts at, and by which part: of fixed and trailing the nearer."""
    fixed, signed = stop.stop_loss, stop.side.signed
    if stop.trails_by is None:
        return None if fixed is None else (fixed, Cause.STOP_LOSS)
    follows = EXACT.subtract(stop.best_price, signed(stop.trails_by))
    if fixed is not None and signed(fixed) >= signed(follows):
        return fixed, Cause.STOP_LOSS
    return follows, Cause.TRAILING


def seen(stop: Stop, event: MarketEvent, first_fill_ns: int = 0, told: str = "") -> Stop:
    """Give an armed stop after an event: acted, or with its best price; itself when nothing is new.

    `first_fill_ns` is when the first of its entry was filled; what was before is passed over.
    `told` goes into what is said of it if it acts.
    """
    at_ns = event.ts_event_ns
    if at_ns <= stop.placed_at_ns or at_ns < max(stop.looked_at_ns, first_fill_ns):
        return stop
    if at_ns == stop.looked_at_ns and isinstance(event, Candle):
        return stop  # seen, or younger trades were: its own high must not judge its low
    prices = _prices(stop, event)
    if not (is_sane(prices.worst) and is_sane(prices.best)):
        return stop
    is_first = isinstance(event, Candle) and event.ts_open_ns < first_fill_ns
    found = _reached(stop, prices, is_first=is_first)
    if found is None:
        best = max if stop.side is Side.BUY else min
        may_be_before = is_first and stop.is_limit and prices.is_whole
        seen_best = event.close if isinstance(event, Candle) and may_be_before else prices.best
        return msgspec.structs.replace(
            stop, best_price=best(stop.best_price, seen_best), looked_at_ns=at_ns
        )
    cause, at, reached = found
    return msgspec.structs.replace(
        stop,
        state=StopState.ACTED,
        looked_at_ns=at_ns,
        cause=cause.value,
        acted_at_ns=at_ns,
        acted_price=at,
        is_inside=prices.is_whole,
        why=f"{cause} at {spoken_price(reached)}: the market was at {spoken_price(at)}{told}",
    )


def _reached(
    stop: Stop, prices: _Prices, *, is_first: bool
) -> tuple[Cause, Decimal, Decimal] | None:
    """Give which part acts, the price that could be had, and the one that was reached."""
    signed, hard = stop.side.signed, level(stop)
    if hard is not None and signed(prices.worst) <= signed(hard[0]):
        price, cause = hard
        gone_past = signed(prices.first) <= signed(price)
        return cause, prices.first if gone_past else price, price
    goal = stop.take_profit
    if goal is None or signed(prices.best) < signed(goal):
        return None
    if is_first and stop.is_limit and prices.is_whole:
        return None
    gone_past = signed(prices.first) >= signed(goal)
    return Cause.TAKE_PROFIT, prices.first if gone_past else goal, goal


def _prices(stop: Stop, event: MarketEvent) -> _Prices:
    """Give what an exit could have had: of a book its other side."""
    if isinstance(event, Candle):
        since = max(stop.placed_at_ns, stop.looked_at_ns)
        if event.ts_open_ns >= since:
            ends = event.low, event.high
            worst, best = ends if stop.side is Side.BUY else ends[::-1]
            return _Prices(event.open, worst, best, is_whole=True)
        one = event.close
    elif isinstance(event, Trade):
        one = event.price
    else:
        one = event.bid_price if stop.side is Side.BUY else event.ask_price
    return _Prices(one, one, one, is_whole=False)
