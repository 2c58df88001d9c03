"""The search itself: keeps the workers busy, and tells the study what they found."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from messages.errors import ConfigError
from research.optimise.figures import (
    Figures,
    daily_sharpe_of,
    score_of,
    too_few,
    unknown_because,
    value_of,
)
from research.optimise.outcome import DONE, FAILED, GIVEN_UP, REFUSED, UNJUDGED, Outcome
from research.optimise.protocol import Done, End, Ended, PartOver, Pool, Told
from research.optimise.space import Value, params_text
from research.optimise.study import Hand, Study
from research.optimise.trial import Task
from research.optimise.windows import Window

LOOK_S = 0.5
"""How often the others' trials are looked after."""
LEAST_FAILED = 20
"""When so many were tried and all failed, more of them would too."""


TellFailed = Callable[[int, int, Mapping[str, Value], str], object]
"""Is given the window's number, the trial's, its values, and why it failed."""


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for."""

    objective: str
    least_orders: int
    capital: float
    asked: int
    by_strategy: Callable[[Mapping[str, Value]], dict[str, dict[str, Value]]]


class Hunt(msgspec.Struct, kw_only=True):
    """One window and its study."""

    window: Window
    study: Study
    over: int = 0
    """Trials that were tried, this process's and those before."""
    failed: int = 0
    """Of this process."""
    is_full: bool = False


class State(msgspec.Struct, kw_only=True):
    """How far a search is, for who shows it."""

    over: int
    wanted: int
    window: int
    windows: int
    best: str
    """The best of the window so far: its value and its values; empty before there is one."""
    waiting_for: int
    """Trials that others have in hand, when nothing else is left."""


class Search:
    """Goes through all hunts, the first first; a worker that is free takes the next trial."""

    def __init__(self, hunts: Sequence[Hunt], pool: Pool, aim: Aim) -> None:
        self._hunts, self._pool, self._aim = hunts, pool, aim
        self._hands: dict[int, tuple[Hunt, Hand]] = {}
        self._ticket = 0
        self._best: dict[int, tuple[float, str]] = {}
        self._failed: TellFailed = lambda *_: None
        for hunt in hunts:
            hunt.over = hunt.study.tried()
            best = hunt.study.best()
            if best is not None:
                self._note(hunt, best.score.value, best.params)

    def run(
        self,
        show: Callable[[State], object],
        failed: TellFailed = lambda *_: None,
        is_told_to_end: Callable[[], bool] = lambda: False,
    ) -> None:
        """Search until all that was asked for is tried; `failed` is told of each that failed.

        Raises:
            ConfigError: all that is tried fails, or nothing can be.
            KeyboardInterrupt: it was told to end; what is under way is nobody's then.
        """
        self._failed = failed
        while True:
            if is_told_to_end():
                raise KeyboardInterrupt
            self._begin()
            others = 0 if self._hands else self._others()
            show(self._state(others))
            if not self._hands and not others:
                return
            for told in self._pool.wait(LOOK_S):
                self._hear(told)

    def _begin(self) -> None:
        while self._pool.idle:
            found = self._next()
            if found is None:
                return
            hunt, hand = found
            self._ticket += 1
            self._hands[self._ticket] = found
            window = hunt.window
            task = Task(
                ticket=self._ticket,
                params=dict(self._aim.by_strategy(hand.params)),
                begin_ns=window.begin_ns,
                end_ns=window.end_ns,
                cuts_ns=window.cuts_ns()[:-1],
            )
            self._pool.begin(task)

    def _next(self) -> tuple[Hunt, Hand] | None:
        for hunt in self._hunts:
            if hunt.is_full:
                continue
            hand = hunt.study.take()
            if hand is not None:
                return hunt, hand
            own = any(held is hunt for held, _ in self._hands.values())
            hunt.is_full = not own and not hunt.study.others()
        return None

    def _others(self) -> int:
        return sum(hunt.study.others() for hunt in self._hunts if not hunt.is_full)

    def _hear(self, told: Told) -> None:
        hunt, hand = self._hands[told.ticket]
        if isinstance(told, PartOver):
            value = value_of(self._aim.objective, told.figures, self._aim.capital)
            ratio = daily_sharpe_of(told.figures, self._aim.capital)
            if ratio is not None:
                hand.ratios[told.part] = ratio
            go_on = hunt.study.go_on(hand, told.part, value)
            self._pool.answer(told.ticket, go_on=go_on)
            return
        del self._hands[told.ticket]
        outcome = self._judged(told)
        if not hunt.study.end(hand, outcome):
            return
        hunt.over += outcome.how != REFUSED
        if outcome.how == FAILED:
            self._failed(hunt.window.number, hand.row.number, hand.params, outcome.reason)
            hunt.failed += 1
            if hunt.failed >= LEAST_FAILED and hunt.failed == hunt.over:
                raise ConfigError([all_failed(hunt.failed, outcome.reason)])
        if outcome.score is not None:
            self._note(hunt, outcome.score.value, hand.params)

    def _note(self, hunt: Hunt, value: float, params: Mapping[str, Value]) -> None:
        number = hunt.window.number
        before = self._best.get(number)
        if before is None or value > before[0]:
            text = f"{value:.3f} ({params_text(self._aim.by_strategy(params))})"
            self._best[number] = value, text

    def _judged(self, told: Done | Ended) -> Outcome:
        if isinstance(told, Ended):
            how = {End.REFUSED: REFUSED, End.GIVEN_UP: GIVEN_UP, End.FAILED: FAILED}[told.how]
            return Outcome(how=how, reason=told.reason)
        return judged(told.figures, self._aim)

    def _state(self, others: int) -> State:
        open_hunts = [hunt for hunt in self._hunts if not hunt.is_full] or [self._hunts[-1]]
        number = open_hunts[0].window.number
        return State(
            over=sum(hunt.over for hunt in self._hunts),
            wanted=self._aim.asked * len(self._hunts),
            window=number,
            windows=len(self._hunts),
            best=self._best.get(number, (0.0, ""))[1],
            waiting_for=others,
        )


def judged(figures: Figures, aim: Aim) -> Outcome:
    """Say what a trial that came to its end is worth."""
    if reason := too_few(figures, aim.least_orders):
        return Outcome(how=UNJUDGED, reason=reason)
    score = score_of(aim.objective, figures, aim.capital)
    if score is None:
        return Outcome(how=UNJUDGED, reason=unknown_because(aim.objective, figures))
    return Outcome(how=DONE, score=score)


def all_failed(count: int, reason: str) -> str:
    """Say that there is nothing to be found."""
    return f"all of {count} trials failed, the last because {reason}"
