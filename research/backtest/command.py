"""`backtest CONFIG`: run, report, verify. Results on stdout, the same bytes for the same input."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from decisions.risk_limits import RiskLimits
from decisions.strategy import StrategyLike
from exchanges.demo import DemoSource
from exchanges.event_blocks import Block, event_blocks
from exchanges.merge import LimitedSource
from exchanges.paper_settings import PaperSettings
from exchanges.replay import ReplaySource
from exchanges.source import MarketSource
from messages.ids import StrategyId, Symbol
from research.backtest.loop import Backtest
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from research.backtest.progress import Progress
from research.backtest.report import as_json, as_table, report_on
from research.backtest.verify import verify

EXIT_OK, EXIT_FAILED = 0, 1
_WORDS = {True: "ok    ", False: "FAILED", None: "skip  "}
"""Of a probe; the last one: nothing was probed, and its text says why."""


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


def backtest(options: BacktestOptions) -> int:
    """Run it; 1 when `--verify` found a strategy that may not be believed.

    Raises:
        DataError: a file cannot be read, or has no usable row.
        ConfigError: a strategy could not be made, or raised.
    """
    plan = plan_of(options)
    if options.verify:
        return _verify(plan, as_json=options.as_json)
    expected = [market.rows_expected for market in plan.markets]
    total = sum(one for one in expected if one) if all(expected) else None
    began = time.perf_counter()
    with Progress(total, sys.stderr) as progress:
        outcome = Backtest(plan).run(progress.at)
    took_s = time.perf_counter() - began
    report = report_on(options.name, plan, outcome)
    if options.as_json:
        sys.stdout.write(as_json(report).decode() + "\n")
    else:
        sys.stdout.writelines(line + "\n" for line in as_table(report))
    sys.stderr.write(f"{report.events:,} events in {took_s:.2f} s\n")
    return EXIT_OK


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
            )
            for name, symbols, build in options.strategies
        ),
        venue=options.venue,
        limits=options.limits,
    )


def _market(options: BacktestOptions, symbol: Symbol) -> MarketPlan:
    path = options.paths.get(symbol)
    if path is None:
        generated = DemoSource(symbol, seed=options.seed, limit=options.limit)
        return _of_events(generated, symbol, options.limit)
    source = ReplaySource(path, symbol, options.timeframe)
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
