"""From a backtest to its tear sheet: what was executed, beside what the markets were worth.

The loop keeps no curve, for most runs need none. Its executions and the market that it was shown
(`research.backtest.watched`) give it, by the same code as those of a run that was real
(`decisions.tear_sheet`).
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import msgspec

from decisions.bars import Bars
from decisions.round_trips import Executed
from decisions.tear_sheet import Sheet, Trials, sheet_of
from decisions.tear_sheet_model import marks_of, sheet_model
from decisions.valued import Lane
from exchanges.paper_settings import DEFAULT_QUOTE_BALANCE
from messages.ids import quote_of
from research.backtest.loop import Outcome
from research.backtest.plan import Plan
from research.backtest.watched import Watched, WatchedMarket

_BPS = 10_000


class Sheets(msgspec.Struct, frozen=True, kw_only=True):
    """One for each quote currency, and the bars of every symbol."""

    by_quote: dict[str, Sheet]
    bars: dict[str, Bars]


def executed(outcome: Outcome) -> list[Executed]:
    """Give every execution of a run in the order of time."""
    found: list[Executed] = [
        Executed(fill.ts_event_ns, what.strategy_id, what.symbol, what.side, fill, what.reason)
        for order in outcome.orders
        for fill, what in zip(order.fills, repeat(order.intent), strict=False)
    ]
    found.sort(key=lambda one: one[0])
    return found


def sheets_of(watched: Watched, outcome: Outcome, split_ns: int | None, trials: Trials) -> Sheets:
    """Make them of a run of `watched.plan`, once; the markets are not read again."""
    executions = executed(outcome)
    found = {}
    for quote in outcome.meters:
        plan = watched.plan
        markets = [one for one in watched.markets if quote_of(one.symbol) == quote]
        capital = float(plan.venue.balances.get(quote, DEFAULT_QUOTE_BALANCE))
        lanes = [
            _lane(market, executions, plan, capital / len(markets), split_ns) for market in markets
        ]
        ours = [one for one in executions if quote_of(one[2]) == quote]
        found[quote] = sheet_of(
            quote, lanes, ours, capital=capital, split_ns=split_ns, trials=trials
        )
    return Sheets(by_quote=found, bars=watched.bars)


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
    market: WatchedMarket,
    executions: Sequence[Executed],
    plan: Plan,
    hold: float,
    split_ns: int | None,
) -> Lane:
    return Lane(
        market.symbol,
        market.prices(),
        [one for one in executions if one[2] == market.symbol],
        hold=hold,
        fee_share=float(plan.venue.taker_fee_bps) / _BPS,
        split_ns=split_ns,
    )
