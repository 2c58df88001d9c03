"""`backtest CONFIG`: run, report, verify. Results on stdout, the same bytes for the same input."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from decisions.performance import DAYS_A_YEAR
from decisions.risk_limits import RiskLimits
from decisions.split_sample import split_ns
from decisions.strategy import StrategyLike
from decisions.tear_sheet import Trials
from decisions.why_no_order import too_small
from exchanges.demo import DemoSource
from exchanges.event_blocks import Block, event_blocks
from exchanges.fitting import open_fitting
from exchanges.merge import LimitedSource
from exchanges.paper_settings import PaperSettings
from exchanges.source import MarketSource
from messages.errors import ConfigError
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from messages.ids import StrategyId, Symbol
from messages.patience import LIMIT_S, Patience
from research.backtest.about import about
from research.backtest.files import table_of_days, table_of_trades
from research.backtest.loop import Backtest, Outcome
from research.backtest.own_code import OwnCode, in_time
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from research.backtest.progress import Progress
from research.backtest.report import Report, as_json, report_on, with_parts
from research.backtest.sheet import Sheets, executed, page_model, sheets_of
from research.backtest.tables import as_table
from research.backtest.verify import verify
from research.backtest.watched import Watched
from research.printing import printable

_WORDS = {True: "ok    ", False: "FAILED", None: "skip  "}
"""Of a probe; the last one: nothing was probed, and its text says why."""


class SheetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for beside the figures."""

    html: Path | None = None
    """Where the tear sheet goes; ``-`` is stdout."""
    trades: Path | None = None
    equity: Path | None = None
    split: str = ""
    trials: int | None = None
    trials_variance: float | None = None
    """Of the trials' annualised Sharpe ratios."""
    page: Callable[[Mapping[str, Any]], str] | None = None
    """Makes the HTML of a model; research draws no pages."""
    write: Callable[[Path, str], None] | None = None
    """Replaces a file as a whole."""


class BacktestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration and the command line ask for."""

    name: str
    symbols: tuple[Symbol, ...]
    """In their turn at one moment."""
    paths: Mapping[Symbol, Path | list[Path]]
    """Empty for the generated market."""
    timeframe: str
    seed: int
    limit: int | None
    strategies: tuple[tuple[StrategyId, tuple[Symbol, ...], Callable[[], StrategyLike]], ...]
    """Each with its symbols, at least one."""
    venue: PaperSettings
    limits: RiskLimits
    as_json: bool
    verify: bool
    warm_until_ns: int = -1
    """Up to then nothing is decided: UTC."""
    sheet: SheetOptions = SheetOptions()
    config_text: str = ""
    """The configuration as anybody may see it, for the sheet."""
    event_limit_s: float = LIMIT_S
    """How long a strategy may take over one event."""


def backtest(options: BacktestOptions) -> int:
    """Run it; 1 when `--verify` found a strategy that may not be believed.

    Raises:
        DataError: a file cannot be read, or has no usable row.
        ConfigError: a strategy could not be made, raised, or did not come back; or the split is no
            moment of it.
        OSError: a file that was asked for cannot be written.
    """
    sheet = options.sheet
    trials = _trials(sheet)
    own, patience = OwnCode(plan_of(options)), Patience(options.event_limit_s, work="backtest")
    plan = own.plan
    if options.verify:
        if sheet.html or sheet.trades or sheet.equity or sheet.split:
            text = "--verify writes no files and splits nothing: run backtest without it for that"
            raise ConfigError([text])
        with patience.watching():
            return in_time(own, patience, partial(_verify, plan, as_json=options.as_json))
    expected = [market.rows_expected for market in plan.markets]
    total = sum(one for one in expected if one) if all(expected) else None
    began = time.perf_counter()
    with ExitStack() as last:
        watched = last.enter_context(Watched(plan)) if sheet.html or sheet.split else None
        run = plan if watched is None else watched.plan
        with Progress(total, sys.stderr) as progress, patience.watching():
            outcome = in_time(own, patience, lambda: Backtest(run).run(progress.at))
        took_s = time.perf_counter() - began
        report = report_on(options.name, plan, outcome, trials)
        if watched is not None:
            report = _with_sheets(options, watched, outcome, report, trials)
    if sheet.trades is not None:
        _write(sheet, sheet.trades, table_of_trades(executed(outcome), outcome.markets))
    if sheet.equity is not None:
        days = {quote: one.days for quote, one in outcome.meters.items()}
        _write(sheet, sheet.equity, table_of_days(days))
    is_on_stdout = sheet.html is not None and str(sheet.html) == "-"
    if options.as_json:
        sys.stdout.write(as_json(report).decode() + "\n")
    elif not is_on_stdout:
        sys.stdout.writelines(printable(line) + "\n" for line in as_table(report))
    sys.stderr.write(f"{report.events:,} events in {took_s:.2f} s\n")
    return EXIT_OK


def _with_sheets(
    options: BacktestOptions, watched: Watched, outcome: Outcome, report: Report, trials: Trials
) -> Report:
    """Make curves and parts, and write the page if one is asked for."""
    at_ns = _split_ns(options.sheet.split, report) if options.sheet.split else None
    sheets = sheets_of(watched, outcome, at_ns, trials)
    report = with_parts(report, sheets.by_quote, at_ns)
    if options.sheet.html is not None:
        _write_page(options, watched.plan, report, sheets, trials)
    return report


def _write_page(
    options: BacktestOptions, plan: Plan, report: Report, sheets: Sheets, trials: Trials
) -> None:
    sheet = options.sheet
    assert sheet.html is not None, "asked for"
    assert sheet.page is not None, "who asks for a page gives what makes it"
    files = {str(symbol): _named(paths) for symbol, paths in options.paths.items()}
    told = about(report, plan, files, options.seed, options.timeframe, options.config_text)
    text = sheet.page(page_model(sheets, trials, told))
    if str(sheet.html) == "-":
        sys.stdout.write(text)
        return
    _write(sheet, sheet.html, text)
    size = len(text.encode()) / 1024
    sys.stderr.write(f"{sheet.html} ({size:,.0f} kB): open it in any browser\n")


def _write(sheet: SheetOptions, path: Path, text: str) -> None:
    assert sheet.write is not None, "who asks for a file gives what writes it"
    sheet.write(path, text)


def _named(paths: Path | list[Path]) -> str:
    return ", ".join(one.name for one in (paths if isinstance(paths, list) else [paths]))


def _split_ns(asked: str, report: Report) -> int:
    try:
        return split_ns(asked, report.from_ns, report.until_ns)
    except ValueError as error:
        raise ConfigError([f"--split: {error}"]) from None


def _trials(sheet: SheetOptions) -> Trials:
    variance = sheet.trials_variance
    if variance is not None and sheet.trials is None:
        raise ConfigError(["--trials-variance is of several trials: say with --trials how many"])
    return Trials(
        count=sheet.trials or 1,
        variance=None if variance is None else variance / DAYS_A_YEAR,
        is_told=sheet.trials is not None,
    )


def plan_of(options: BacktestOptions) -> Plan:
    """Open the markets that are traded."""
    traded = {symbol for _, symbols, _ in options.strategies for symbol in symbols}
    return Plan(
        markets=tuple(_market(options, one) for one in options.symbols if one in traded),
        strategies=tuple(
            StrategyPlan(
                id=name,
                symbol=symbols[0],
                build=build,
                symbols=symbols,
                decided_until_ns=options.warm_until_ns,
                too_small=_too_small(build),
            )
            for name, symbols, build in options.strategies
        ),
        venue=options.venue,
        limits=options.limits,
    )


def _too_small(build: Callable[[], StrategyLike]) -> str:
    assert isinstance(build, partial), "a configuration's strategies are built by a partial"
    order_notional, instrument = build.args[3:5]
    return too_small(order_notional, instrument)


def _market(options: BacktestOptions, symbol: Symbol) -> MarketPlan:
    path = options.paths.get(symbol)
    if path is None:
        generated = DemoSource(symbol, seed=options.seed, limit=options.limit)
        return _of_events(generated, symbol, options.limit)
    source = open_fitting(path, symbol, options.timeframe)
    if options.limit is not None:
        return _of_events(LimitedSource(source, options.limit), symbol, options.limit)
    return MarketPlan(
        symbol=symbol,
        blocks=source.blocks,
        stats=lambda: source.stats,
        rows_expected=source.rows_expected(),
    )


def _of_events(source: MarketSource, symbol: Symbol, limit: int | None) -> MarketPlan:
    def blocks() -> Iterator[Block]:
        return event_blocks(source.events())

    return MarketPlan(symbol=symbol, blocks=blocks, stats=lambda: source.stats, rows_expected=limit)


def _verify(plan: Plan, *, as_json: bool) -> int:
    passed = True
    for finding in verify(plan):
        passed = passed and finding.passed is not False
        if as_json:
            sys.stdout.write(msgspec.json.encode(finding, order="sorted").decode() + "\n")
        else:
            word = _WORDS[finding.passed]
            sys.stdout.write(f"{word} {finding.strategy} {finding.probe}: {finding.text}\n")
        sys.stdout.flush()
    return EXIT_OK if passed else EXIT_FAILED
