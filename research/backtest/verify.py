"""Whether a strategy may be believed: it must not see the future, nor depend on where it began.

Look-ahead: with the future cut off behind an event, all decisions up to it are the same.
Recursion: begun later, with its declared warm-up or with a much longer one, it decides the same.
"""

from collections.abc import Iterator, Sequence

import msgspec

from exchanges.event_blocks import Block
from messages.ids import StrategyId
from messages.market import MarketEvent
from messages.orders import OrderIntent
from research.backtest.loop import Backtest
from research.backtest.plan import MarketPlan, Plan
from research.backtest.track import Driver

CUTS = 5
LONGER = 4
LEAST_LONGER = 256
"""So long is the longer warm-up at least: a strategy may have declared none."""

Decided = tuple[int, int, str, str, str]
"""When, how many before it at that moment, side, quantity and limit."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe of one strategy showed."""

    strategy: StrategyId
    probe: str
    passed: bool
    text: str


def verify(plan: Plan) -> Iterator[Finding]:
    """Probe every strategy on its own market, one after another."""
    for strategy in plan.strategies:
        market = next(one for one in plan.markets if one.symbol == strategy.symbol)
        alone = msgspec.structs.replace(plan, markets=(market,), strategies=(strategy,))
        yield _same_twice(alone)
        yield _no_future(alone)
        yield _any_beginning(alone)


def _same_twice(plan: Plan) -> Finding:
    first, again = _decisions(plan), _decisions(plan)
    by_one_door = _decisions(msgspec.structs.replace(plan, fast_doors=False))
    text = f"{len(first)} decisions, the same in a second run and candle by candle"
    return _compared(plan, "repeat", [(again, first, ""), (by_one_door, first, "")], text)


def _no_future(plan: Plan) -> Finding:
    whole = _decisions(plan)
    pairs = []
    for cut in _cuts(plan.markets[0], whole):
        seen = _decisions(_cut_off(plan, cut))
        until = _time_at(plan.markets[0], cut - 1)
        pairs.append((seen, [one for one in whole if one[0] <= until], f"without event {cut} on"))
    text = f"the same decisions with the future cut off at {len(pairs)} places"
    return _compared(plan, "look-ahead", pairs, text)


def _any_beginning(plan: Plan) -> Finding:
    """Begin in the middle without a position, with as many events before it as are declared."""
    market, strategy = plan.markets[0], plan.strategies[0]
    declared = max(strategy.build().warmup_events, 0)
    size = _size(market)
    begins = [size * part // (CUTS + 1) for part in range(1, CUTS + 1)]
    more = max(LONGER * declared, LEAST_LONGER)
    begins = [one for one in begins if one >= more]
    pairs = []
    for begin in begins:
        short = _from(plan, begin, declared)
        longer = _from(plan, begin, more)
        pairs.append((short, longer, f"begun at event {begin}"))
    if not pairs:
        text = f"not probed: {size} events are too few for a warm-up of {declared}"
        return Finding(strategy=strategy.id, probe="recursion", passed=True, text=text)
    text = f"the same decisions with a warm-up of {declared} events as of {more}"
    return _compared(plan, "recursion", pairs, text)


def _compared(
    plan: Plan, probe: str, pairs: Sequence[tuple[list[Decided], list[Decided], str]], fine: str
) -> Finding:
    strategy = plan.strategies[0].id
    for found, expected, where in pairs:
        if found != expected:
            text = f"other decisions {where}: {_first_difference(found, expected)}"
            return Finding(strategy=strategy, probe=probe, passed=False, text=text)
    return Finding(strategy=strategy, probe=probe, passed=True, text=fine)


def _first_difference(found: list[Decided], expected: list[Decided]) -> str:
    for one, other in zip(found, expected, strict=False):
        if one != other:
            return f"{_said(one)}, and {_said(other)} before"
    if len(found) > len(expected):
        return f"{_said(found[len(expected)])}, and nothing before"
    return f"nothing, and {_said(expected[len(found)])} before"


def _said(decided: Decided) -> str:
    ts_ns, _, side, quantity, limit = decided
    return f"{side} {quantity}{f' at {limit}' if limit else ''} at {ts_ns} ns"


def _decisions(plan: Plan) -> list[Decided]:
    return [*_told(order.intent for order in Backtest(plan).run().orders)]


def _told(intents: Iterator[OrderIntent]) -> Iterator[Decided]:
    last, number = -1, 0
    for intent in intents:
        number = number + 1 if intent.decided_at_ns == last else 0
        last = intent.decided_at_ns
        limit = "" if intent.limit_price is None else str(intent.limit_price)
        yield last, number, str(intent.side), str(intent.quantity), limit


def _from(plan: Plan, begin: int, warmup: int) -> list[Decided]:
    """What is decided from an event on by one that was shown `warmup` events before it."""
    market, strategy = plan.markets[0], plan.strategies[0]
    driver = Driver(strategy, plan.account, fast_doors=False)
    decided: list[OrderIntent] = []
    for number, event in _events(market, begin - warmup):
        if number < begin:
            driver.warm(event)
        else:
            decided += driver.show(event)
    return [*_told(iter(decided))]


def _events(market: MarketPlan, first: int) -> Iterator[tuple[int, MarketEvent]]:
    number = 0
    for block in market.blocks():
        size = len(block.times_ns)
        for place in range(max(first - number, 0), size):
            yield number + place, block.event(place)
        number += size


def _cuts(market: MarketPlan, decided: Sequence[Decided]) -> list[int]:
    """Give how many events to leave, evenly, and right behind some decisions and before them."""
    size = _size(market)
    cuts = {size * part // (CUTS + 1) for part in range(1, CUTS + 1)}
    some = decided[:: max(len(decided) // CUTS, 1)][:CUTS]
    wanted = {one[0] for one in some}
    number = 0
    for block in market.blocks():
        for place, ts_ns in enumerate(block.times_ns):
            if ts_ns in wanted:
                cuts |= {number + place, number + place + 1}
        number += len(block.times_ns)
    return sorted(cut for cut in cuts if 0 < cut < size)


def _size(market: MarketPlan) -> int:
    return sum(len(block.times_ns) for block in market.blocks())


def _time_at(market: MarketPlan, number: int) -> int:
    for block in market.blocks():
        if number < len(block.times_ns):
            return block.times_ns[number]
        number -= len(block.times_ns)
    raise IndexError(number)


def _cut_off(plan: Plan, stop: int) -> Plan:
    market = plan.markets[0]

    def blocks() -> Iterator[Block]:
        left = stop
        for block in market.blocks():
            size = len(block.times_ns)
            yield block if size <= left else block.first(left)
            left -= size
            if left <= 0:
                return

    shorter = msgspec.structs.replace(market, blocks=blocks)
    return msgspec.structs.replace(plan, markets=(shorter,))
