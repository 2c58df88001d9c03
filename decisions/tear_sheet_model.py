"""A sheet as JSON has it, for a page: text for people, numbers for drawing. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from heapq import nlargest, nsmallest
from operator import attrgetter
from typing import Any

from decisions.bars import Bars
from decisions.chart_numbers import drawn, seconds
from decisions.exit_reasons import short_reason
from decisions.months import month_of, monthly_profit, monthly_returns
from decisions.portfolio import Portfolio
from decisions.round_trips import RoundTrip
from decisions.tear_sheet import CURVE, Part, Sheet, Trials
from decisions.tear_sheet_rows import amount, percent, ratio, rows_of, span
from messages.ids import DAY_NS, StrategyId, quote_of

Model = dict[str, Any]

MOST_TRIPS = 1_000
MOST_MARKS = 2_000
_MOST_REASON = 80
"""Letters of a reason in the page."""
_NOTABLE = 50
"""So many of the best trades and of the worst are always told."""


def sheet_model(sheet: Sheet, trials: Trials, bars: Mapping[str, Bars]) -> Model:
    """Give one currency's part of a page."""
    whole = sheet.parts[0]
    trips = [*sheet.trips.ended, *sheet.still_open]
    return {
        "quote": sheet.quote,
        "capital": amount(sheet.capital, sheet.quote),
        "headline": list(_headline(sheet, whole, trials)),
        "columns": [part.name for part in sheet.parts],
        "rows": [
            [row.group, row.label, row.values, row.hold, row.help]
            for row in rows_of(sheet.quote, sheet.parts, sheet.deflated)
        ],
        "too_short": whole.figures.too_short,
        "split": None if sheet.split_ns is None else seconds(sheet.split_ns),
        "curve": _curve(sheet, bars),
        "years": [
            [one.year, [_short(m) for m in one.months], _short(one.total)]
            for one in monthly_returns(sheet.days, sheet.capital)
        ],
        "months": list(_months(sheet)),
        "trips": [_trip(one) for one in told_trips(trips)],
        "trips_total": len(trips),
        "symbols": [_lane(sheet, at) for at in range(len(sheet.lanes))],
        "strategies": list(_strategies(sheet)),
        "other_fees": {name: amount(fee, name) for name, fee in sheet.other_fees.items()},
    }


def marks_of(sheet: Sheet) -> dict[str, tuple[list[list[Any]], int]]:
    """Give the executions to mark on each symbol's candles, and how many there are of it."""
    by_symbol: dict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(sheet.executions):
        by_symbol[one[2]].append(at)
    notable = {one.number for one in _notable([*sheet.trips.ended, *sheet.still_open])}
    return {
        symbol: ([_mark(sheet, at) for at in _thinned(sheet, places, notable)], len(places))
        for symbol, places in by_symbol.items()
    }


def told_trips(trips: Sequence[RoundTrip]) -> list[RoundTrip]:
    """Choose the newest trades, and the best and the worst of all; by when they were opened."""
    ordered = sorted(trips, key=lambda one: one.number)
    if len(ordered) <= MOST_TRIPS:
        return ordered
    notable = {one.number for one in _notable(ordered)}
    rest = [one for one in ordered if one.number not in notable]
    kept = notable | {one.number for one in rest[-(MOST_TRIPS - len(notable)) :]}
    return [one for one in ordered if one.number in kept]


def _notable(trips: Sequence[RoundTrip]) -> list[RoundTrip]:
    by_profit = attrgetter("profit")
    return [*nlargest(_NOTABLE, trips, by_profit), *nsmallest(_NOTABLE, trips, by_profit)]


def _thinned(sheet: Sheet, places: Sequence[int], notable: set[int]) -> list[int]:
    """Choose those of the notable trades, as far as there is room, and of every so many others."""
    if len(places) <= MOST_MARKS:
        return list(places)
    chosen = [at for at in places if sheet.trip_of[at] in notable][: MOST_MARKS // 2]
    kept = set(chosen)
    rest, room = [at for at in places if at not in kept], MOST_MARKS - len(chosen)
    step = -(-len(rest) // room)
    whole = [at for at in rest if sheet.trip_of[at] % step == 0]
    # Few trades of many executions each: an odd step, for buys and sells take turns.
    return sorted([*chosen, *(whole if 0 < len(whole) <= room else rest[:: step | 1])])


def _mark(sheet: Sheet, at: int) -> list[Any]:
    ts_ns, _, _, side, fill, _ = sheet.executions[at]
    price, quantity = f"{fill.price.normalize():f}", f"{fill.quantity.normalize():f}"
    return [seconds(ts_ns), side.value, price, quantity, sheet.trip_of[at], drawn(fill.price)]


def _headline(sheet: Sheet, whole: Part, trials: Trials) -> Iterator[list[str]]:
    """Label, figure, unit, and what stands below it."""
    found, held, quote = whole.figures, whole.hold, sheet.quote
    share = percent(found.net_share, signed=True)
    basis = f"{share} of {amount(sheet.capital, quote)}" if found.net_share is not None else ""
    yield ["Net profit, fees paid", amount(found.net, quote, signed=True), quote, basis]
    if held is not None:
        under = f"{amount(held.net, quote, signed=True)} {quote}; its fall {_fall(held, quote)}"
        yield ["Buy and hold", percent(held.net_share, signed=True), "", under]
    longest = f"{amount(found.max_drawdown, quote)} {quote}; longest {span(found.longest_under_ns)}"
    yield ["Max drawdown", percent(found.max_drawdown_share), "", longest]
    if found.annual is None or found.annual.sharpe is None:
        yield ["Sharpe ratio", "-", "", found.too_short or "days that are all alike"]
    else:
        one = found.annual.sharpe
        under = f"95 % between {ratio(one.low)} and {ratio(one.high)}, {one.days} days"
        yield ["Sharpe ratio", ratio(one.ratio), "", under]
    if len(sheet.parts) > 2:
        inside, outside = sheet.parts[1].figures, sheet.parts[2].figures
        under = f"in sample {percent(inside.net_share, signed=True)}"
        yield ["Out of sample", percent(outside.net_share, signed=True), "", under]
    trades = whole.trades
    hit = "" if trades.hit_rate is None else f"{percent(trades.hit_rate)} won"
    factor = "" if trades.profit_factor is None else f"profit factor {ratio(trades.profit_factor)}"
    yield ["Trades", f"{trades.ended:,}", "", ", ".join(one for one in (hit, factor) if one)]
    times = f"; {float(whole.turnover) / found.equity:,.1f} x equity" if found.equity > 0 else ""
    turnover = f"turnover {amount(whole.turnover, quote)} {quote}{times}"
    yield ["Exposure", percent(whole.exposure), "", turnover]
    told = "as you told" if trials.is_told else "what you tell us: --trials"
    left = sheet.deflated if trials.count > 1 and found.annual is not None else None
    under = f"deflated Sharpe {percent(left.probability)}" if left is not None else told
    yield ["Trials", f"{trials.count:,}", "", under]


def _fall(figures: Any, quote: str) -> str:
    share = figures.max_drawdown_share
    return percent(share) if share is not None else amount(figures.max_drawdown, quote)


def _curve(sheet: Sheet, bars: Mapping[str, Bars]) -> Model:
    columns = dict(zip(CURVE, sheet.curve.columns, strict=True))
    return {
        "t": [seconds(ts_ns) for ts_ns in sheet.curve.times_ns],
        "profit": list(map(_read, columns["profit"])),
        "drawdown": [-_read(one) for one in columns["drawdown"]],
        "hold": list(map(_read, columns["hold"])),
        "hold_drawdown": [-_read(one) for one in columns["hold_drawdown"]],
        "held": [drawn(one) for one in columns["held"]],
        "points": sheet.curve.points,
        "gaps": _common([bars[lane.symbol].gaps for lane in sheet.lanes if lane.symbol in bars]),
    }


def _read(amount: float) -> float:
    """Give ten digits: a value is read off the curve too, and rounded again to be shown."""
    return float(f"{amount:.10g}")


def _common(gaps: Sequence[list[list[float]]]) -> list[list[float]]:
    """Give the times that are blank for all symbols."""
    if not gaps:
        return []
    found = gaps[0]
    for others in gaps[1:]:
        found = [
            [max(one[0], other[0]), min(one[1], other[1])]
            for one in found
            for other in others
            if max(one[0], other[0]) < min(one[1], other[1])
        ]
    return found


def _short(share: float | None) -> float | None:
    return None if share is None else round(share, 6)


def _months(sheet: Sheet) -> Iterator[list[Any]]:
    """Month, net, executions, ended trades, turnover, fees; those that have a price."""
    executions, ended = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    turnover: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for ts_ns, _, _, _, fill, _ in sheet.executions:
        month = _month(ts_ns)
        executions[month] += 1
        turnover[month] += fill.price * fill.quantity
    for trip in sheet.trips.ended:
        ended[_month(trip.closed_ns or 0)] += 1
    before = 0.0
    for month, profit in monthly_profit(sheet.days).items():
        name = f"{month[0]}-{month[1]:02}"
        net, before = profit - before, profit
        shown = amount(net, sheet.quote, signed=True)
        value = amount(turnover[month], sheet.quote)
        yield [name, shown, executions[month], ended[month], value]


def _month(ts_ns: int) -> tuple[int, int]:
    return month_of((ts_ns - 1) // DAY_NS)


def _trip(one: RoundTrip) -> list[Any]:
    """What the table of trades shows of one; see `TRIP` in the page's script."""
    return [
        one.number,
        one.strategy,
        one.symbol,
        "long" if one.side.sign > 0 else "short",
        _plain(one.quantity),
        _plain(one.entry),
        _plain(one.exit),
        seconds(one.opened_ns),
        None if one.closed_ns is None else seconds(one.closed_ns),
        "" if one.closed_ns is None else span(one.closed_ns - one.opened_ns),
        amount(one.profit, quote_of(one.symbol), signed=True),
        drawn(one.profit),
        percent(one.share, signed=True),
        one.executions,
        _reason(one.entry_reason),
        _reason(one.exit_reason),
    ]


def _reason(text: str) -> str:
    shown = short_reason(text)
    return shown if len(shown) <= _MOST_REASON else f"{shown[: _MOST_REASON - 1]}…"


def _plain(amount: Decimal) -> str:
    return f"{Decimal(f'{amount:.10g}').normalize():f}"


def _lane(sheet: Sheet, at: int) -> list[Any]:
    """Symbol, net, holding it alone, trades, hit rate, exposure, turnover, fees, executions."""
    lane = sheet.lanes[at]
    ended = [one for one in sheet.trips.ended if one.symbol == lane.symbol]
    first, second = lane.stretches
    events = first.events + second.events
    held = (first.held_events + second.held_events) / events if events else 0.0
    growth = lane.last_price / lane.first_price - 1 if lane.first_price else None
    return [
        lane.symbol,
        amount(first.net + second.net, sheet.quote, signed=True),
        percent(growth, signed=True),
        len(ended),
        percent(_hit_rate(ended)),
        percent(held),
        amount(first.turnover + second.turnover, sheet.quote),
        amount(first.fees + second.fees, sheet.quote),
        first.executions + second.executions,
    ]


def _strategies(sheet: Sheet) -> Iterator[list[Any]]:
    """Strategy, net, trades, hit rate, fees, executions."""
    last = {lane.symbol: Decimal(repr(lane.last_price)) for lane in sheet.lanes}
    books: dict[StrategyId, Portfolio] = {}
    executions = Counter[StrategyId]()
    for _, strategy, symbol, side, fill, _ in sheet.executions:
        books.setdefault(strategy, Portfolio()).record(symbol, side, fill)
        executions[strategy] += 1
    for strategy, book in sorted(books.items()):
        for symbol in book.holdings:
            book.mark(symbol, last[symbol])
        ended = [one for one in sheet.trips.ended if one.strategy == strategy]
        fees = sum((one.fees for one in book.holdings.values()), start=Decimal(0))
        yield [
            strategy,
            amount(book.equity(sheet.quote), sheet.quote, signed=True),
            len(ended),
            percent(_hit_rate(ended)),
            amount(fees, sheet.quote),
            executions[strategy],
        ]


def _hit_rate(ended: Sequence[RoundTrip]) -> float | None:
    return sum(one.profit > 0 for one in ended) / len(ended) if ended else None
