"""`optimize CONFIG`: read the market once, search, judge on what was not seen, tell."""

import contextlib
import errno
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from messages.errors import ConfigError, WatchkeeperError
from research.backtest.command import BacktestOptions, plan_of
from research.backtest.plan import Plan
from research.optimise.columns import ColumnFile, MappedMarket
from research.optimise.figures import Figures
from research.optimise.judge import run_all, seen_task, unseen_task
from research.optimise.manifest import manifest_of
from research.optimise.processes import Processes
from research.optimise.progress import Progress
from research.optimise.protocol import Pool
from research.optimise.space import Axis, Declared, axes_of, by_strategy
from research.optimise.storage import Storage, storage_of
from research.optimise.trial import Work, capital_of, refusal, uses_of
from research.optimise.windows import Window, windows_of
from research.printing import printable
from strategies import strategy_class
from strategies.params import bounds_of, choices_of

EXIT_OK, EXIT_INTERRUPTED = 0, 130
FOLDER = Path("studies")
Params = dict[str, dict[str, Any]]


class OptimizeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration and the command line ask for."""

    backtest: BacktestOptions
    study: str | None
    storage: str | None
    storage_env: str | None
    params: tuple[str, ...]
    trials: int
    """For each window."""
    jobs: int | None
    """None is a worker for each core."""
    windows: int
    train: float
    """How long a window is, in unseen parts."""
    objective: str
    least_orders: int
    sampler: str
    pruner: str
    seed: int
    trial_limit_s: float | None
    ray: str | None
    """The address of a cluster, or ``local``."""
    as_json: bool
    write: Callable[[Params], object] | None
    """Is given the best values, by strategy."""


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
    quote, capital = capital_of(plan)
    with ExitStack() as stack, _terminated_as_interrupted():
        run = _Run(options, plan, axes, storage, name, (quote, float(capital)))
        stack.callback(run.close)
        return run.run()


class _Run:
    """One search from its beginning to what is told of it."""

    def __init__(
        self,
        options: OptimizeOptions,
        plan: Plan,
        axes: list[Axis],
        storage: Storage,
        name: str,
        money: tuple[str, float],
    ) -> None:
        self._options, self._plan, self._axes = options, plan, axes
        self._storage, self._name = storage, name
        self._quote, self._capital = money
        self._columns = ColumnFile()
        self._stack = ExitStack()
        self._stack.callback(self._columns.close)
        self._progress = self._stack.enter_context(Progress(sys.stderr))

    def close(self) -> None:
        """Let go of everything."""
        self._stack.close()

    def run(self) -> int:
        """Do all of it, and give the exit code."""
        from research.optimise.rows import database_problems

        windows = self._read()
        with database_problems(self._storage.shown):
            search, studies = self._open(windows)
            self._say_what_is_there(studies)
            began_s, before = time.monotonic(), sum(study.tried() for study in studies)
            try:
                search.run(self._progress.search)
                facts, again = self._judged(windows, studies)
            except KeyboardInterrupt:
                self._pool.close()
                self._tell(windows, studies, None, None)
                self._say_how_to_go_on(studies)
                return EXIT_INTERRUPTED
            took_s = time.monotonic() - began_s
            made = sum(study.tried() for study in studies) - before
            self._tell(windows, studies, facts, again)
        pace = f"{made / took_s:.1f} a second" if took_s else "at once"
        self._say(f"{made:,} trials in {took_s:.1f} s, {pace}; kept in {self._storage.shown}")
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
        from research.optimise.rows import open_storage
        from research.optimise.search import Aim, Hunt, Search
        from research.optimise.study import Study, Terms

        options = self._options
        self._pool = self._workers()
        self._stack.callback(self._pool.close)
        guard, database = self._guarded(open_storage)
        self._stack.callback(guard.close)
        terms = Terms(
            axes=tuple(self._axes),
            sampler=options.sampler,
            pruner=options.pruner,
            seed=options.seed,
            asked=options.trials,
            refusal=lambda found: refusal(self._plan, by_strategy(self._axes, found)),
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
            capital=self._capital,
            asked=options.trials,
            by_strategy=lambda found: by_strategy(self._axes, found),
        )
        return Search(hunts, self._pool, looked_for), studies

    def _workers(self) -> Pool:
        options = self._options
        work = Work(
            plan=msgspec.structs.replace(self._plan, markets=()),
            indices=tuple(self._columns.indices),
        )
        jobs = options.jobs or _cores()
        if options.ray is not None:
            from research.optimise.ray_pool import RayPool

            return RayPool(
                work, self._columns.mapped(), options.jobs, options.ray, options.trial_limit_s
            )
        return Processes(work, self._columns.fd, jobs, options.trial_limit_s)

    def _guarded(self, open_storage: Callable[[str, str], tuple[Any, Any]]) -> tuple[Any, Any]:
        from research.optimise.guard import FileGuard, PostgresGuard

        file = self._storage.file
        if file is None:
            engine, database = self._opened(open_storage)
            return PostgresGuard(engine, self._name), database
        file.parent.mkdir(parents=True, exist_ok=True)
        guard = FileGuard(file)  # before the file is made: one process makes its tables
        return guard, self._opened(open_storage)[1]

    def _opened(self, open_storage: Callable[[str, str], tuple[Any, Any]]) -> tuple[Any, Any]:
        """Open the study's database; its connections go when this does."""
        engine, database = open_storage(self._storage.url, self._storage.shown)
        self._stack.callback(engine.dispose)
        self._stack.callback(database.remove_session)
        return engine, database

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

    def _tell(
        self,
        windows: Sequence[Window],
        studies: Sequence[Any],
        judged: Sequence[tuple[Figures | None, Figures | None]] | None,
        again: Figures | None,
    ) -> None:
        from research.optimise.report import About, Facts, as_json, as_table, chosen, report_on

        facts = []
        for place, (window, study) in enumerate(zip(windows, studies, strict=True)):
            best = study.best()
            params = None if best is None else by_strategy(self._axes, best.params)
            unseen, plain = (None, None) if judged is None else judged[place]
            facts.append(
                Facts(
                    window=window,
                    outcomes=study.outcomes(),
                    passed=study.passed_over(),
                    best=None if best is None else chosen(best.number, params or {}, best.score),
                    unseen=unseen,
                    as_configured=plain,
                    is_exhausted=study.exhausted,
                )
            )
        report = report_on(self._about(About), facts, again)
        if judged is not None and all(window.best is None for window in report.windows):
            raise ConfigError([f"nothing was found: {report.windows[-1].problem}"])
        self._progress.wipe()
        if self._options.as_json:
            sys.stdout.write(as_json(report).decode() + "\n")
        else:
            sys.stdout.writelines(printable(line) + "\n" for line in as_table(report))
        sys.stdout.flush()
        if self._options.write is not None and judged is not None and report.best is not None:
            self._options.write(report.best.params)

    def _about(self, about: Any) -> Any:
        options = self._options
        _, capital = capital_of(self._plan)
        return about(
            name=options.backtest.name,
            study=self._name,
            storage=self._storage.shown,
            objective=options.objective,
            quote=self._quote,
            capital=capital,
            space=[str(axis) for axis in self._axes],
            seed=options.seed,
            asked=options.trials,
        )

    def _say_what_is_there(self, studies: Sequence[Any]) -> None:
        there, wanted = self._counts(studies)
        if there:
            self._say(f"{there:,} of {wanted:,} trials are in {self._storage.shown}: it goes on")

    def _say_how_to_go_on(self, studies: Sequence[Any]) -> None:
        there, wanted = self._counts(studies)
        self._say(
            f"stopped: {there:,} of {wanted:,} trials are kept in {self._storage.shown};"
            " the same command goes on with them"
        )

    def _counts(self, studies: Sequence[Any]) -> tuple[int, int]:
        return sum(study.tried() for study in studies), self._options.trials * len(studies)

    def _say(self, text: str) -> None:
        self._progress.wipe()
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


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


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end a search as Ctrl-C does; only the main thread may say so."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: Any = None
    with contextlib.suppress(ValueError):
        before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
