"""What a tear sheet says of its backtest: on what market and terms, and what is left out."""

from collections.abc import Iterator, Mapping
from typing import Any

from decisions.tear_sheet_rows import moment
from exchanges.paper_settings import PaperSettings
from research.backtest.plan import Plan
from research.backtest.report import Report
from research.backtest.tables import counted


def about(
    report: Report,
    plan: Plan,
    files: Mapping[str, str],
    seed: int,
    timeframe: str,
    config_text: str,
) -> dict[str, Any]:
    """Give what a page says beside the figures; nothing of it changes from run to run."""
    days = (report.until_ns - report.from_ns) / 86_400e9
    symbols = ", ".join(market.symbol for market in plan.markets)
    return {
        "kind": "backtest",
        "name": report.name,
        "title": f"{symbols}, {days:,.4g} days",
        "claim": report.claim,
        "trials": _trials(report),
        "notes": list(_notes(report)),
        "why": report.why,
        "market_sentence": _market(files, seed, timeframe),
        "facts": list(_facts(report, plan, files, seed, timeframe)),
        "config": config_text,
    }


def _trials(report: Report) -> str:
    if report.trials > 1:
        return (
            f"{report.trials:,} trials were declared. The best of many is good by luck too: the"
            " deflated Sharpe ratio counts that in."
        )
    return (
        "One trial, which is what you tell us: every other parameter, strategy or period that was"
        " looked at before counts as one too (--trials N)."
    )


def _notes(report: Report) -> Iterator[str]:
    if dropped := {name: n for name, n in report.dropped.items() if n}:
        yield f"The data is not whole: {counted(dropped)}."
    yield from (f"{sentence}." for sentence in report.cut_off)
    if report.refused:
        yield f"Risk refused decisions: {counted(report.refused)}."
    for sentence, many in report.rejected.items():
        yield f"The venue rejected {many:,} orders: {sentence}."


def _market(files: Mapping[str, str], seed: int, timeframe: str) -> str:
    if not files:
        return f"A generated market, made from seed {seed}: nobody ever traded there."
    named = ", ".join(dict.fromkeys(files.values()))
    return f"Read from {named} ({timeframe})."


def _facts(
    report: Report, plan: Plan, files: Mapping[str, str], seed: int, timeframe: str
) -> Iterator[list[str]]:
    yield ["Configuration", report.name]
    yield ["Period", f"{moment(report.from_ns)} to {moment(report.until_ns)} UTC"]
    yield ["Events", f"{report.events:,}"]
    for market in plan.markets:
        where = files.get(market.symbol) or f"generated, seed {seed}"
        yield ["Market", f"{market.symbol}: {where}, {timeframe}"]
    if report.split_ns is not None:
        yield ["Out of sample", f"after {moment(report.split_ns)} UTC"]
    for strategy in plan.strategies:
        yield ["Strategy", f"{strategy.id} on {strategy.symbol}"]
    yield ["Orders", counted(report.orders)]
    yield ["Trials", _trials(report)]
    yield from _venue(plan.venue)
    if dropped := {name: n for name, n in report.dropped.items() if n}:
        yield ["Data left out", counted(dropped)]
    yield ["Run hash", report.run_hash]


def _venue(venue: PaperSettings) -> Iterator[list[str]]:
    fees = f"taker fee {venue.taker_fee_bps} bps, maker fee {venue.maker_fee_bps} bps"
    slipped = f"slippage {venue.slippage_bps} bps, latency {venue.latency_ms} ms"
    yield ["Venue", f"paper: {fees}, {slipped}, at most {venue.participation} of a candle's volume"]
    began = ", ".join(f"{amount:,} {name}" for name, amount in venue.balances.items())
    yield ["Began with", began or "the paper venue's own start"]
