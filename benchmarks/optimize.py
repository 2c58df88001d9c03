"""A search with one worker and with two, against bare backtests; what a worker costs in memory.

Same candles (a seeded random walk), sma crossover, random values, none given up: so every trial is
a whole backtest.
"""

import os
import time
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random

import msgspec

import strategies
from benchmarks.backtest import BTC, plan_of, walk
from benchmarks.common import Options, Result, median, say, scratch
from messages.ids import StrategyId
from messages.patience import Patience
from messages.values import Instrument
from research.backtest.loop import Backtest
from research.backtest.plan import Plan, StrategyPlan
from research.optimise.columns import ColumnFile, MappedMarket
from research.optimise.guard import FileGuard
from research.optimise.judge import run_all
from research.optimise.processes import Processes
from research.optimise.space import Axis, Value, by_strategy
from research.optimise.trial import Task, Work, refusal, with_params
from research.optimise.windows import windows_of

AXES = (
    Axis(strategy="sma-1", name="fast", low=5, high=40, is_int=True),
    Axis(strategy="sma-1", name="slow", low=50, high=200, is_int=True),
)
_MB = 1_048_576


def run(options: Options) -> list[Result]:
    """Give trials a second, processor time a trial, and megabytes."""
    count, trials = options.pick(50_000, 100_000), options.pick(16, 24)
    plan = _plan(count)
    columns = ColumnFile()
    for market in plan.markets:
        columns.add(market.symbol, market.blocks())
    bare_ms = _bare_ms(plan, options.pick(4, 8))
    say(f"   bare backtest: {bare_ms:,.0f} ms of processor time")
    found = {}
    with scratch(options) as folder:
        for jobs in (1, 2):
            one = found[jobs] = _Searched(plan, columns, folder, jobs, trials)
            say(f"   {jobs} of them: {one.pace:.2f} trials a second")
    one, two = found[1], found[2]
    columns_mb = len(columns.mapped()) / _MB
    columns.close()
    return [
        Result(name="optimize, one worker", value=one.pace, unit="trials/s"),
        Result(
            name="optimize, two workers",
            value=two.pace,
            unit="trials/s",
            reference=one.pace,
            against="with one",
            goal=">= 1.6",
            met=two.pace >= 1.6 * one.pace,
            note="by the wall clock, on a machine that may have other work",
        ),
        Result(
            name="a trial, in its worker",
            value=one.worker_ms,
            unit="ms of processor time",
            reference=bare_ms,
            against="a bare backtest",
        ),
        Result(
            name="a trial, proposed and written down",
            value=one.own_ms,
            unit="ms of processor time",
            reference=bare_ms,
            against="a bare backtest",
        ),
        Result(name="the market, mapped once", value=columns_mb, unit="MB"),
        Result(name="a worker's own memory", value=two.private_mb, unit="MB"),
        Result(
            name="two workers, all they hold",
            value=two.total_mb,
            unit="MB",
            reference=one.total_mb,
            against="MB with one",
            note="proportional set sizes: what is shared is counted once",
        ),
    ]


class _Searched:
    """One search, and what was measured at its end."""

    def __init__(
        self, plan: Plan, columns: ColumnFile, folder: Path, jobs: int, trials: int
    ) -> None:
        from research.optimise.opening import open_storage
        from research.optimise.search import Aim, Hunt, Search
        from research.optimise.study import Study, Terms

        bare = msgspec.structs.replace(plan, markets=())
        work = Work(plan=bare, indices=tuple(columns.indices))
        first, last = MappedMarket(columns.indices[0], columns.mapped()).span_ns
        (window,) = windows_of(first - 1, last, 0, 1)
        file = folder / f"{jobs}.db"
        guard, pool = FileGuard(file), Processes(work, columns.fd, jobs)

        patience = Patience()

        def refused(found: Mapping[str, Value]) -> str:
            return refusal(plan, by_strategy(AXES, found), patience)

        terms = Terms(
            axes=AXES, sampler="random", pruner="none", seed=1, asked=trials, refusal=refused
        )
        study = Study(open_storage(f"sqlite:///{file}", str(file))[1], "bench/1", guard, terms)
        aim = Aim(
            objective="return",
            least_orders=0,
            capital=1e6,
            asked=trials,
            by_strategy=partial(by_strategy, AXES),
        )
        search = Search([Hunt(window=window, study=study)], pool, aim)
        warm = Task(ticket=0, params={}, begin_ns=first, end_ns=first + 1)
        run_all(pool, [warm] * jobs, lambda over, count: None)  # so that all of them are there
        held: list[tuple[float, float]] = []
        spent = sum(map(_spent_s, pool.process_ids))
        began, own = time.perf_counter(), time.process_time()

        search.run(lambda state: None)
        self.pace = trials / (time.perf_counter() - began)
        self.own_ms = (time.process_time() - own) / trials * 1_000
        self.worker_ms = (sum(map(_spent_s, pool.process_ids)) - spent) / trials * 1_000
        held.extend(map(_held_mb, pool.process_ids))
        self.total_mb = sum(total for total, _ in held)
        self.private_mb = median([private for _, private in held])
        pool.close()
        guard.close()


def _plan(count: int) -> Plan:
    plan = plan_of(walk(count))
    params = {"fast": 10, "slow": 50}
    build = partial(
        strategies.build, "sma_cross", params, BTC, Decimal(500), Instrument(symbol=BTC)
    )
    one = StrategyPlan(id=StrategyId("sma-1"), symbol=BTC, build=build)
    return msgspec.structs.replace(plan, strategies=(one,))


def _bare_ms(plan: Plan, runs: int) -> float:
    """Give the processor time of a backtest with values like those that are tried."""
    chance = Random(2)
    began = time.process_time()
    for _ in range(runs):
        params = {"fast": chance.randint(5, 40), "slow": chance.randint(50, 200)}
        changed = tuple(with_params(one, params) for one in plan.strategies)
        Backtest(msgspec.structs.replace(plan, strategies=changed)).run()
    return (time.process_time() - began) / runs * 1_000


def _spent_s(process_id: int) -> float:
    """Give the processor time of a process so far."""
    text = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8")
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _held_mb(process_id: int) -> tuple[float, float]:
    """Give a process's proportional and its private memory."""
    text = Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="utf-8")
    kb = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    private = kb["Private_Clean"] + kb["Private_Dirty"]
    return kb["Pss"] / 1024, private / 1024
