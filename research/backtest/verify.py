"""Whether a strategy may be believed: it must not see the future, nor depend on where it began.

Look-ahead: with the future cut off behind an event, all decisions up to it are the same.
Recursion: begun later, with its declared warm-up or with a much longer one, it decides the same.

Of a strategy of several symbols the events are those of all its markets, in the order in which it
is shown them; so a cut may leave the first symbol's candle of a moment and not the second's.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from operator import attrgetter
from typing import NamedTuple

import msgspec

from decisions.strategy import StrategyLike, warmup_candles
from messages.ids import StrategyId
from messages.market import Candle
from messages.orders import OrderIntent
from research.backtest.cuts import Cut, cut_off, cuts_at, events_from, moments_of, size_of
from research.backtest.desk import Desk
from research.backtest.driver import Driver
from research.backtest.loop import Backtest
from research.backtest.order import Execution, Order
from research.backtest.plan import MarketPlan, Plan
from research.texts import moment

CUTS = 5
LONGER = 4
LEAST_LONGER = 256
"""So long is the longer warm-up at least: a strategy may have declared none."""

Decided = tuple[int, int, str, str, str, str]
"""When, how many before it at that moment, symbol, side, quantity and limit."""


class _Pair(NamedTuple):
    """Decisions that should be the same, and whose they are, for a sentence."""

    found: list[Decided]
    expected: list[Decided]
    this: str
    that: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe of one strategy showed."""

    strategy: StrategyId
    probe: str
    passed: bool | None
    """None: it was not probed, and nothing is known."""
    text: str


def verify(plan: Plan) -> Iterator[Finding]:
    """Probe every strategy on its own markets, one after another."""
    for strategy in plan.strategies:
        markets = tuple(one for one in plan.markets if one.symbol in strategy.traded)
        alone = msgspec.structs.replace(plan, markets=markets, strategies=(strategy,))
        whole = _decisions(alone)
        yield _same_twice(alone, whole)
        yield _no_future(alone, whole)
        yield _any_beginning(alone)


def _same_twice(plan: Plan, whole: list[Decided]) -> Finding:
    again = _decisions(plan)
    by_one_door = _decisions(msgspec.structs.replace(plan, fast_doors=False))
    text = f"{len(whole)} decisions, the same in a second run and candle by candle"
    pairs = [
        _Pair(again, whole, "the second run", "the first"),
        _Pair(by_one_door, whole, "the run candle by candle", "the first"),
    ]
    return _compared(plan, "repeat", pairs, text)


def _no_future(plan: Plan, whole: list[Decided]) -> Finding:
    pairs = []
    for cut in _cuts(plan, whole):
        seen = _decisions(msgspec.structs.replace(plan, markets=cut_off(plan.markets, cut)))
        this = f"the run that ends before event {cut.count}"
        pairs.append(_Pair(seen, _until(cut, seen, whole), this, "the whole one"))
    text = f"the same decisions with the future cut off at {len(pairs)} places"
    return _compared(plan, "look-ahead", pairs, text)


def _until(cut: Cut, seen: list[Decided], whole: list[Decided]) -> list[Decided]:
    """Give what was decided up to a cut; within a moment that it divides, as much as was seen.

    Of that moment other decisions belong to events behind the cut.
    """
    before = [one for one in whole if one[0] < cut.last_ns]
    there = [one for one in whole if one[0] == cut.last_ns]
    if cut.is_whole:
        return before + there
    return before + there[: max(len(seen) - len(before), 0)]


def _any_beginning(plan: Plan) -> Finding:
    """Begin in the middle without a position, with as many events before it as are declared."""
    strategy = plan.strategies[0]
    declared = _declared(plan.markets, strategy.build())
    size = size_of(plan.markets)
    begins = [size * part // (CUTS + 1) for part in range(1, CUTS + 1)]
    more = max(LONGER * declared, LEAST_LONGER)
    begins = [one for one in begins if one >= more]
    pairs = []
    for begin in begins:
        short = _from(plan, begin, declared)
        longer = _from(plan, begin, more)
        this = f"begun at event {begin} after a warm-up of {declared} events, it"
        pairs.append(_Pair(short, longer, this, f"after one of {more}"))
    if not pairs:
        text = f"not probed: {size} events are too few for a warm-up of {declared}"
        return Finding(strategy=strategy.id, probe="recursion", passed=None, text=text)
    text = f"the same decisions with a warm-up of {declared} events as of {more}"
    return _compared(plan, "recursion", pairs, text, _what_to_declare(declared, more))


def _what_to_declare(declared: int, more: int) -> str:
    if not declared:
        return "it declares no warm-up: say in warmup_events how many events a fresh one must see"
    return f"its warm-up of {declared} events is too short, or it keeps what {more} do not tell"


def _declared(markets: Sequence[MarketPlan], strategy: StrategyLike) -> int:
    """Give the events of all its symbols that it is shown before it decides, as in a run."""
    base_ns = 0
    for _, event in events_from(markets[:1], 0):
        if isinstance(event, Candle):
            base_ns = event.ts_event_ns - event.ts_open_ns
        break
    each = warmup_candles(strategy, base_ns) if base_ns else strategy.warmup_events
    return max(each, 0) * len(markets)


def _compared(
    plan: Plan,
    probe: str,
    pairs: Sequence[_Pair],
    fine: str,
    remedy: str = "",
) -> Finding:
    strategy = plan.strategies[0].id
    for pair in pairs:
        if pair.found != pair.expected:
            text = _first_difference(pair)
            text += f"; {remedy}" if remedy else ""
            return Finding(strategy=strategy, probe=probe, passed=False, text=text)
    if not any(pair.expected for pair in pairs):
        text = "not probed: nothing was decided there, so there is nothing to compare"
        return Finding(strategy=strategy, probe=probe, passed=None, text=text)
    return Finding(strategy=strategy, probe=probe, passed=True, text=fine)


def _first_difference(pair: _Pair) -> str:
    both = zip_longest(pair.found, pair.expected)
    one, other = next((one, other) for one, other in both if one != other)
    return f"{pair.this} decides {_said(one)} where {pair.that} decides {_said(other)}"


def _said(decided: Decided | None) -> str:
    if decided is None:
        return "nothing more"
    ts_ns, _, symbol, side, quantity, limit = decided
    return f"{side} {quantity} of {symbol}{f', limit {limit},' if limit else ''} at {moment(ts_ns)}"


def _decisions(plan: Plan) -> list[Decided]:
    intents = [order.intent for order in Backtest(plan).run().orders]
    intents.sort(key=attrgetter("decided_at_ns"))  # a timer's may stand behind its event's
    return [*_told(iter(intents))]


def _told(intents: Iterator[OrderIntent]) -> Iterator[Decided]:
    last, number = -1, 0
    for intent in intents:
        number = number + 1 if intent.decided_at_ns == last else 0
        last = intent.decided_at_ns
        limit = "" if intent.limit_price is None else str(intent.limit_price)
        yield last, number, intent.symbol, str(intent.side), str(intent.quantity), limit


def _from(plan: Plan, begin: int, warmup: int) -> list[Decided]:
    """What is decided from an event on by one that was shown `warmup` events before it.

    Of one with stops, those act as in a run: else it would hold its first position for ever. One
    that manages its orders learns of them, too.
    """
    driver = Driver(plan.strategies[0], plan.account, fast_doors=False)
    desk = None
    if driver.uses_stops or driver.manages_orders:
        on_stop = driver.stop_acted if driver.uses_stops else None
        desk = Desk(
            plan,
            _not_followed,
            lambda _, update: driver.learn(update),
            on_stop,
            manages_orders=driver.manages_orders,
        )
    decided: list[OrderIntent] = []
    for number, event in events_from(plan.markets, begin - warmup):
        if number < begin:
            driver.warm(event)
            continue
        if desk is not None:
            desk.market(event, candles_only=False)
        intents = driver.show(event)
        decided += [intent for intent in intents if isinstance(intent, OrderIntent)]
        if desk is not None:
            desk.decided(intents)
            desk.settle()
    return [*_told(iter(decided))]


def _not_followed(order: Order, fills: Sequence[Execution]) -> None:
    """Take executions that nobody asks about."""


def _cuts(plan: Plan, decided: Sequence[Decided]) -> list[Cut]:
    """Give where to cut: evenly, and right behind some decisions and before them."""
    size = size_of(plan.markets)
    counts = {size * part // (CUTS + 1) for part in range(1, CUTS + 1)}
    some = decided[:: max(len(decided) // CUTS, 1)][:CUTS]
    wanted = {one[0] for one in some}
    for number, (ts_ns, _) in enumerate(moments_of(plan.markets)):
        if ts_ns in wanted:
            counts |= {number, number + 1}
    return cuts_at(plan.markets, sorted(count for count in counts if 0 < count < size))
