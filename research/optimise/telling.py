"""What is told of a search: the report on stdout, on stderr how far it came."""

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal

from messages.errors import ConfigError
from research.optimise.figures import Figures
from research.optimise.options import OptimizeOptions
from research.optimise.progress import Progress
from research.optimise.report import (
    MOST_FAILED,
    About,
    Facts,
    Failed,
    as_json,
    as_table,
    chosen,
    report_on,
)
from research.optimise.space import Axis, Value, by_strategy, params_text
from research.optimise.study import Study
from research.optimise.windows import Window
from research.printing import printable


class Telling:
    """Of one search. `shown` is what a person may see of where the study is kept."""

    def __init__(
        self,
        options: OptimizeOptions,
        axes: Sequence[Axis],
        money: tuple[str, Decimal],
        name: str,
        shown: str,
        progress: Progress,
    ) -> None:
        self._options, self._axes, self._money = options, axes, money
        self._name, self._shown, self._progress = name, shown, progress
        self._failures = 0

    def report(
        self,
        windows: Sequence[Window],
        studies: Sequence[Study],
        judged: Sequence[tuple[Figures | None, Figures | None]] | None,
        again: Figures | None,
    ) -> None:
        """Print the report; None for what was judged is of a search that was stopped.

        Raises:
            ConfigError: nothing was found.
        """
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
                    failures=[
                        Failed(
                            trial=one.number,
                            params=by_strategy(self._axes, one.params),
                            reason=one.reason,
                        )
                        for one in study.failures()[:MOST_FAILED]
                    ],
                )
            )
        report = report_on(self._about(), facts, again)
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

    def _about(self) -> About:
        options = self._options
        quote, capital = self._money
        return About(
            name=options.backtest.name,
            study=self._name,
            storage=self._shown,
            objective=options.objective,
            quote=quote,
            capital=capital,
            space=[str(axis) for axis in self._axes],
            seed=options.seed,
            asked=options.trials,
        )

    def failed(self, window: int, trial: int, found: Mapping[str, Value], reason: str) -> None:
        """Say at once which values do what no search should be made of; of many the first."""
        self._failures += 1
        if self._failures <= MOST_FAILED:
            values = params_text(by_strategy(self._axes, found))
            self._say(f"trial {trial} of window {window} failed with {values}: {reason}")
        elif self._failures == MOST_FAILED + 1:
            self._say("more trials failed: the report counts them")

    def what_is_there(self, studies: Sequence[Study]) -> None:
        """Say what earlier processes have left of it."""
        there, wanted = self._counts(studies)
        if there:
            self._say(f"{there:,} of {wanted:,} trials are in {self._shown}: it goes on")

    def how_to_go_on(self, studies: Sequence[Study]) -> None:
        """Say what is kept of one that was stopped."""
        there, wanted = self._counts(studies)
        self._say(
            f"stopped: {there:,} of {wanted:,} trials are kept in {self._shown};"
            " the same command goes on with them"
        )

    def pace(self, made: int, took_s: float) -> None:
        """Say how fast it went, and where it is kept."""
        pace = f"{made / took_s:.1f} a second" if took_s else "at once"
        self._say(f"{made:,} trials in {took_s:.1f} s, {pace}; kept in {self._shown}")

    def _counts(self, studies: Sequence[Study]) -> tuple[int, int]:
        return sum(study.tried() for study in studies), self._options.trials * len(studies)

    def _say(self, text: str) -> None:
        self._progress.wipe()
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
