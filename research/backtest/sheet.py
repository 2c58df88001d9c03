"""From a backtest to its tear sheet: markets are read once more, beside what was executed.

The loop keeps no curve, for most runs need none. Its executions and the same market give it, by
the same code as those of a run that was real (`decisions.tear_sheet`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from decisions.bars import Bars
from decisions.round_trips import Executed
from decisions.strategy import reference_price
from decisions.tear_sheet import Sheet, Trials, sheet_of
from decisions.tear_sheet_model import marks_of, sheet_model
from decisions.valued import Lane
from exchanges.event_blocks import drawn_rows
from exchanges.paper_settings import DEFAULT_QUOTE_BALANCE
from messages.ids import quote_of
from research.backtest.loop import Outcome
from research.backtest.plan import MarketPlan, Plan

MOST_BARS = 10_000
"""Of all symbols together; more than on the dashboard, which is drawn again and again."""
_FEWEST_BARS = 400
_BPS = 10_000


class Sheets(msgspec.Struct, frozen=True, kw_only=True):
    """One for each quote currency, and the bars of every symbol."""

    by_quote: dict[str, Sheet]
    bars: dict[str, Bars]


def executed(outcome: Outcome) -> list[Executed]:
    """Give every execution of a run in the order of time."""
    found: list[Executed] = [
        (fill.ts_event_ns, order.intent.strategy_id, order.intent.symbol, order.intent.side, fill)
        for order in outcome.orders
        for fill in order.fills
    ]
    found.sort(key=lambda one: one[0])
    return found


def sheets_of(plan: Plan, outcome: Outcome, split_ns: int | None, trials: Trials) -> Sheets:
    """Read the markets again.

    Raises:
        DataError: one cannot be read any more.
    """
    executions = executed(outcome)
    most = max(MOST_BARS // max(len(plan.markets), 1), _FEWEST_BARS)
    bars: dict[str, Bars] = {market.symbol: Bars(most) for market in plan.markets}
    found = {}
    for quote in outcome.meters:
        markets = [one for one in plan.markets if quote_of(one.symbol) == quote]
        capital = float(plan.venue.balances.get(quote, DEFAULT_QUOTE_BALANCE))
        lanes = [
            _lane(market, bars[market.symbol], executions, plan, capital / len(markets), split_ns)
            for market in markets
        ]
        ours = [one for one in executions if quote_of(one[2]) == quote]
        found[quote] = sheet_of(
            quote, lanes, ours, capital=capital, split_ns=split_ns, trials=trials
        )
    return Sheets(by_quote=found, bars=bars)


def page_model(sheets: Sheets, trials: Trials, about: Mapping[str, Any]) -> dict[str, Any]:
    """Give all of a page; `about` is what it says of the run as such."""
    symbols: dict[str, Any] = {}
    for sheet in sheets.by_quote.values():
        marks = marks_of(sheet)
        for lane in sheet.lanes:
            symbols[lane.symbol] = _drawn(sheets.bars[lane.symbol], marks.get(lane.symbol))
    return {
        **about,
        "schema": 1,
        "sheets": [sheet_model(sheet, trials, sheets.bars) for sheet in sheets.by_quote.values()],
        "market": {"sentence": about["market_sentence"], "symbols": symbols},
    }


def _drawn(bars: Bars, marks: tuple[list[list[Any]], int] | None) -> dict[str, Any]:
    fills, total = marks or ([], 0)
    return {
        "bars": [[row[0], *[float(f"{x:.9g}") for x in row[1:]]] for row in bars.rows],
        "width_s": bars.shown_width_ns / 10**9,
        "gaps": bars.gaps,
        "is_line": False,
        "fills": fills,
        "fills_total": total,
    }


def _lane(
    market: MarketPlan,
    bars: Bars,
    executions: Sequence[Executed],
    plan: Plan,
    hold: float,
    split_ns: int | None,
) -> Lane:
    return Lane(
        market.symbol,
        _prices(market, bars),
        [one for one in executions if one[2] == market.symbol],
        hold=hold,
        fee_share=float(plan.venue.taker_fee_bps) / _BPS,
        split_ns=split_ns,
    )


def _prices(market: MarketPlan, bars: Bars) -> Iterator[tuple[Sequence[int], Sequence[float]]]:
    for block in market.blocks():
        for opened_ns, opened, high, low, close, volume in drawn_rows(block):
            bars.candle(opened_ns, (opened, high, low, close), volume)
        closes = block.closes
        if closes is None:
            places = range(len(block.times_ns))
            closes = [float(reference_price(block.event(place))) for place in places]
        yield block.times_ns, closes
