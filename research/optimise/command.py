"""`optimize CONFIG`: read the market once, search, judge on what was not seen, tell."""

import errno
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from messages.errors import WatchkeeperError
from messages.exit_codes import EXIT_INTERRUPTED, EXIT_OK
from messages.patience import Patience
from research.backtest.command import plan_of
from research.backtest.plan import Plan
from research.optimise.columns import ColumnFile, MappedMarket
from research.optimise.figures import Figures
from research.optimise.interrupting import noted, terminated_as_interrupted
from research.optimise.judge import run_all, seen_task, unseen_task
from research.optimise.manifest import manifest_of
from research.optimise.options import OptimizeOptions
from research.optimise.processes import Processes
from research.optimise.progress import Progress
from research.optimise.protocol import Pool
from research.optimise.space import Axis, Declared, axes_of, by_strategy
from research.optimise.storage import Storage, storage_of
from research.optimise.trial import Work, capital_of, refusal, uses_of
from research.optimise.windows import Window, windows_of
from strategies import strategy_class
from strategies.params import bounds_of, choices_of

_TOO_EARLY = "interrupted before the first trial: none was added; the same command begins again"
FOLDER = Path("studies")


def optimize(options: OptimizeOptions) -> int:
    """Search; 130 when it was interrupted, with what was found by then.

    Raises:
        DataError: a file cannot be read, or has no usable row.
        ConfigError: something asked for cannot be, or all trials failed.
    """
    name = options.study or options.backtest.name
    storage = storage_of(options.storage, options.storage_env, _file_of(name), os.environ)
    plan = plan_of(options.backtest)
    axes = axes_of(declared_of(plan), options.params)
    capital_of(plan)  # refuses several currencies before anything is read
    run = _Run(options, plan, axes, storage, name)
    try:
        with ExitStack() as stack, terminated_as_interrupted():
            stack.callback(run.close)
            return run.run()
    except KeyboardInterrupt:
        if run.has_begun:
            raise
    sys.stderr.write(f"{_TOO_EARLY}\n")
    return EXIT_INTERRUPTED


class _Run:
    """One search from its beginning to what is told of it."""

    def __init__(
        self,
        options: OptimizeOptions,
        plan: Plan,
        axes: list[Axis],
        storage: Storage,
        name: str,
    ) -> None:
        self._options, self._plan, self._axes = options, plan, axes
        self._storage, self._name = storage, name
        self.has_begun = False
        """Whether there may be a trial of its own to tell of."""
        self._columns = ColumnFile()
        self._stack = ExitStack()
        self._stack.callback(self._columns.close)
        self._progress = self._stack.enter_context(Progress(sys.stderr))

    def close(self) -> None:
        """Let go of everything."""
        self._stack.close()

    def run(self) -> int:
        """Do all of it, and give the exit code."""
        from research.optimise.opening import database_problems
        from research.optimise.telling import Telling

        windows, shown = self._read(), self._storage.shown
        with database_problems(shown):
            search, studies = self._open(windows)
            money = capital_of(self._plan)
            tell = Telling(self._options, self._axes, money, self._name, shown, self._progress)
            tell.what_is_there(studies)
            began_s, before = time.monotonic(), sum(study.tried() for study in studies)
            self.has_begun = True
            try:
                with noted() as is_told_to_end:
                    search.run(self._progress.search, tell.failed, is_told_to_end)
                facts, again = self._judged(windows, studies)
            except KeyboardInterrupt:
                self._pool.close()
                tell.report(windows, studies, None, None)
                tell.how_to_go_on(studies)
                return EXIT_INTERRUPTED
            took_s = time.monotonic() - began_s
            made = sum(study.tried() for study in studies) - before
            tell.report(windows, studies, facts, again)
        tell.pace(made, took_s)
        return EXIT_OK

    # ------------------------------------------------------------ before the search

    def _read(self) -> list[Window]:
        try:
            for market in self._plan.markets:
                self._columns.add(market.symbol, self._counted(market.blocks()))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            text = (
                f"the market finds no room in {tempfile.gettempdir()}: name another place (TMPDIR)"
            )
            raise WatchkeeperError(text) from error
        data = self._columns.mapped()
        spans = [MappedMarket(index, data).span_ns for index in self._columns.indices]
        begin, end = min(first for first, _ in spans) - 1, max(last for _, last in spans)
        return windows_of(begin, end, self._options.windows, self._options.train)

    def _counted(self, blocks: Iterator[Any]) -> Iterator[Any]:
        events = 0
        for block in blocks:
            events += len(block.times_ns)
            self._progress.reading(events)
            yield block

    def _open(self, windows: Sequence[Window]) -> tuple[Any, list[Any]]:
        from research.optimise.opening import open_study
        from research.optimise.search import Aim, Hunt, Search
        from research.optimise.study import Study, Terms

        options = self._options
        patience = Patience(options.event_limit_s, work="search")
        self._stack.enter_context(patience.watching())
        self._pool = self._workers()
        self._stack.callback(self._pool.close)
        guard, database = open_study(self._storage, self._name, self._stack)
        terms = Terms(
            axes=tuple(self._axes),
            sampler=options.sampler,
            pruner=options.pruner,
            seed=options.seed,
            asked=options.trials,
            refusal=lambda found: refusal(self._plan, by_strategy(self._axes, found), patience),
        )
        studies = [Study(database, f"{self._name}/{one.number}", guard, terms) for one in windows]
        aim = (options.objective, options.least_orders, options.pruner)
        manifest = manifest_of(self._plan, self._columns.digest, self._axes, windows, aim)
        for study in studies:
            study.agree(manifest)
        hunts = [
            Hunt(window=window, study=study) for window, study in zip(windows, studies, strict=True)
        ]
        looked_for = Aim(
            objective=options.objective,
            least_orders=options.least_orders,
            capital=float(capital_of(self._plan)[1]),
            asked=options.trials,
            by_strategy=lambda found: by_strategy(self._axes, found),
        )
        return Search(hunts, self._pool, looked_for), studies

    def _workers(self) -> Pool:
        options = self._options
        work = Work(
            plan=msgspec.structs.replace(self._plan, markets=()),
            indices=tuple(self._columns.indices),
            event_limit_s=options.event_limit_s,
        )
        jobs = options.jobs or _cores()
        if options.ray is not None:
            from research.optimise.ray_pool import RayPool

            return RayPool(
                work, self._columns.mapped(), options.jobs, options.ray, options.trial_limit_s
            )
        return Processes(work, self._columns.fd, jobs, options.trial_limit_s)

    # ------------------------------------------------------------ after it

    def _judged(
        self, windows: Sequence[Window], studies: Sequence[Any]
    ) -> tuple[list[tuple[Figures | None, Figures | None]], Figures | None]:
        """Run what was chosen where it was not seen, and what was configured there too."""
        tasks, places = [], []
        for place, (window, study) in enumerate(zip(windows, studies, strict=True)):
            best = study.best()
            if best is not None and window.has_unseen:
                tasks += [
                    unseen_task(window, by_strategy(self._axes, best.params)),
                    unseen_task(window, {}),
                ]
                places.append(place)
        last = studies[-1].best()
        if last is not None:
            tasks.append(seen_task(windows[-1], by_strategy(self._axes, last.params)))
        found = run_all(self._pool, tasks, self._progress.judging)
        again = found.pop() if last is not None else None
        facts: list[tuple[Figures | None, Figures | None]] = [(None, None)] * len(windows)
        for number, place in enumerate(places):
            facts[place] = found[2 * number], found[2 * number + 1]
        return facts, again


def declared_of(plan: Plan) -> Declared:
    """Give the parameters that the strategies declare, with their bounds.

    Raises:
        ConfigError: a strategy's class cannot be had.
    """
    found: dict[str, dict[str, tuple[Any, tuple[Any, ...]]]] = {}
    for strategy in plan.strategies:
        struct = getattr(strategy_class(uses_of(strategy)[0]), "Params", None)
        if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
            bounds = bounds_of(struct)
            found[strategy.id] = {
                name: (bound, choices_of(struct, name)) for name, bound in bounds.items()
            }
        else:
            found[strategy.id] = {}
    return found


def _file_of(name: str) -> Path:
    return FOLDER / f"{name.replace(os.sep, '_')}.db"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
