"""The search of one window: Optuna proposes and prunes, in memory; the rows are the truth.

Each trial is one row, from proposal to end, and belongs to the process that proposed it. What a
process has in hand when it dies is taken up by another in the same row, with the same values: it
is neither lost nor doubled. A set of values that was tried, or that the strategy refuses, is passed
over. The sampler is seeded anew for each proposal by the number of rows before it, so one worker
makes the same study from one seed, interrupted or not.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from random import Random
from typing import Any

import msgspec
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from messages.errors import ConfigError
from research.optimise.figures import Score
from research.optimise.guard import Guard
from research.optimise.outcome import DONE, FAILED, TRIED, Outcome, PassedOver
from research.optimise.rows import Row, Rows, frozen, state_of
from research.optimise.space import Axis, Value, key_of, nearest, sets

MOST_IN_A_ROW = 1_000
"""So many proposals without one that can be tried end a search."""
MOST_BY_SAMPLER, MOST_BY_CHANCE = 5, 20
"""So many proposals are the sampler's, then drawn by chance; then one is looked for in the list of
all, where there is one."""


class Hand(msgspec.Struct, kw_only=True):
    """A trial that this process is to make."""

    row: Row
    trial: Any
    """The same in memory."""
    parts: dict[int, float]
    """What it was worth after each part, so far."""
    ratios: dict[int, float] = {}
    """Its Sharpe ratio of one day after each."""

    @property
    def params(self) -> dict[str, Value]:
        """The values to try."""
        return self.row.params


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """The trial of the highest value; of equal ones the first."""

    number: int
    params: dict[str, Value]
    score: Score


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A trial that failed, and why."""

    number: int
    params: dict[str, Value]
    reason: str


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all windows."""

    axes: tuple[Axis, ...]
    sampler: str
    pruner: str
    seed: int
    asked: int
    """Trials for each window."""
    refusal: Callable[[Mapping[str, Value]], str]
    """Why a set of values is not taken; empty when it is."""


class Study:
    """One window's. One thread uses it."""

    def __init__(self, storage: Any, name: str, guard: Guard, terms: Terms) -> None:
        self._guard, self._terms = guard, terms
        self._distributions = {axis.label: _distribution(axis) for axis in terms.axes}
        self._rows = Rows(storage, name, guard, self._distributions)
        self._brain = optuna.create_study(direction="maximize", pruner=_pruner(terms.pruner))
        self._in_brain: set[int] = set()
        everything = sets(terms.axes)
        self._everything = None if everything is None else {key_of(one): one for one in everything}
        self._refused: set[Any] = set()
        self.exhausted = False
        """Whether every set of values there is was tried."""

    def agree(self, manifest: Mapping[str, str]) -> None:
        """Hold what this search is of against what the study was begun with.

        Raises:
            ConfigError: they differ: results of one would be taken for those of the other.
        """
        differ = self._rows.agree(manifest)
        if differ:
            text = (
                f"the study {self._rows.name.rpartition('/')[0]} was begun with other"
                f" {' and '.join(differ)}: give this search a name of its own (--study NAME)"
            )
            raise ConfigError([text])

    def take(self) -> Hand | None:
        """Give the next trial to make; None when there is none for this process now.

        Raises:
            ConfigError: nothing that is proposed can be tried.
        """
        with self._guard.alone():
            rows = self._rows.all()
            hand = self._taken_up(rows)
            if hand is not None:
                return hand
            if self.exhausted or self._is_full(rows):
                return None
            return self._proposed(rows)

    def go_on(self, hand: Hand, part: int, value: float | None) -> bool:
        """Note what a trial is worth so far, and say whether it is worth going on."""
        if value is None:
            return True
        hand.parts[part] = value
        hand.trial.report(value, part)
        return not hand.trial.should_prune()

    def end(self, hand: Hand, outcome: Outcome) -> bool:
        """Write down how a trial ended; False when it is no longer ours to say."""
        outcome = msgspec.structs.replace(outcome, parts=hand.parts, ratios=hand.ratios)
        with self._guard.alone():
            if not self._rows.is_ours(hand.row):
                self._brain.tell(hand.trial, state=optuna.trial.TrialState.FAIL)
                return False
            self._rows.finish(hand.row, outcome)
        self._told(hand.trial, outcome)
        self._in_brain.add(hand.row.number)
        return True

    def others(self) -> int:
        """Give how many trials other processes have in hand."""
        token = self._guard.token
        return sum(row.outcome is None and row.owner != token for row in self._rows.all())

    def best(self) -> Best | None:
        """Give the best of those that came to their end; one that was given up never is."""
        found: Best | None = None
        for row in self._rows.all():
            outcome = row.outcome
            if outcome is None or outcome.how != DONE or outcome.score is None:
                continue
            if found is None or outcome.score.value > found.score.value:
                found = Best(number=row.number, params=row.params, score=outcome.score)
        return found

    def outcomes(self) -> list[Outcome]:
        """Give how all trials ended that did."""
        return [row.outcome for row in self._rows.all() if row.outcome is not None]

    def failures(self) -> list[Failure]:
        """Give the trials that failed, in the order of their numbers."""
        return [
            Failure(number=row.number, params=row.params, reason=row.outcome.reason)
            for row in self._rows.all()
            if row.outcome is not None and row.outcome.how == FAILED
        ]

    def passed_over(self) -> PassedOver:
        """Give what was proposed and not tried, all in all."""
        passed = [row.passed for row in self._rows.all()]
        return PassedOver(
            refused=sum(one.refused for one in passed),
            same=sum(one.same for one in passed),
            reason=next((one.reason for one in reversed(passed) if one.reason), ""),
        )

    def tried(self) -> int:
        """Give how many trials are over that count."""
        return sum(outcome.how in TRIED for outcome in self.outcomes())

    # ------------------------------------------------------------ one trial after another

    def _is_full(self, rows: list[Row]) -> bool:
        """Whether as many as were asked for are over or in hand."""
        return sum(_takes_a_place(row) for row in rows) >= self._terms.asked

    def _taken_up(self, rows: list[Row]) -> Hand | None:
        """Take a trial that a process had in hand which is gone."""
        lives = {self._guard.token: True}
        for row in rows:
            if row.outcome is not None:
                continue
            if row.owner not in lives:
                lives[row.owner] = self._guard.lives(row.owner)
            if lives[row.owner]:
                continue
            if row.said is not None:  # it died right before it could close the row
                self._rows.close(row, row.said)
                continue
            self._learn(rows)
            self._rows.adopt(row)
            self._brain.enqueue_trial(row.params)
            return Hand(row=row, trial=self._brain.ask(self._distributions), parts={})
        return None

    def _proposed(self, rows: list[Row]) -> Hand | None:
        """Propose a set of values; None when every set there is was tried.

        Raises:
            ConfigError: nothing that is proposed can be tried.
        """
        axes = self._terms.axes
        known = {key_of(nearest(axes, row.params)) for row in rows}
        self._learn(rows)
        passed = PassedOver()
        for attempt in range(MOST_IN_A_ROW):
            name = f"{self._rows.name.rpartition('/')[2]} {len(rows)} {attempt}"
            trial = self._asked(known, attempt, Random(_mixed(self._terms.seed, name)))  # noqa: S311 - parameters, not secrets
            if trial is None:
                self.exhausted = True
                return None
            params = nearest(axes, trial.params)
            more = self._objection(params, known, passed)
            if more is None:
                return Hand(row=self._rows.claim(params, passed), trial=trial, parts={})
            passed = more
            self._brain.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise ConfigError([_nothing_to_try(passed)])

    def _asked(self, known: set[Any], attempt: int, chance: Random) -> Any:
        """Ask for a set; None when there is a list of all, and all are tried or refused."""
        kind = self._terms.sampler
        if kind == "grid" or (attempt >= MOST_BY_CHANCE and self._everything is not None):
            left = self._untried(known, chance, in_order=kind == "grid")
            if left is None:
                return None
            self._brain.enqueue_trial(left)
        by_model = kind == "tpe" and attempt < MOST_BY_SAMPLER
        self._brain.sampler = _sampler("tpe" if by_model else "random", chance.getrandbits(32))
        return self._brain.ask(self._distributions)

    def _objection(
        self, params: dict[str, Value], known: set[Any], passed: PassedOver
    ) -> PassedOver | None:
        """Say what a set adds to those that are passed over; None when it is to be tried."""
        key = key_of(params)
        if key in known:
            return msgspec.structs.replace(passed, same=passed.same + 1)
        if reason := self._terms.refusal(params):
            self._refused.add(key)
            return msgspec.structs.replace(passed, refused=passed.refused + 1, reason=reason)
        return None

    def _untried(
        self, known: set[Any], chance: Random, *, in_order: bool
    ) -> dict[str, Value] | None:
        """Look for a set that nobody has tried, in the list of all."""
        if self._everything is None:
            raise ConfigError(["--sampler grid goes through lists: give each --param a step"])
        gone = known | self._refused
        left = (one for key, one in self._everything.items() if key not in gone)
        if in_order:
            return next(left, None)
        fresh = list(left)
        return chance.choice(fresh) if fresh else None

    def _learn(self, rows: list[Row]) -> None:
        """Tell the sampler of what came from elsewhere: earlier runs, other machines."""
        for row in rows:
            if row.outcome is not None and row.number not in self._in_brain:
                self._in_brain.add(row.number)
                self._brain.add_trial(
                    frozen(self._distributions, row.params, state_of(row.outcome), row.outcome)
                )

    def _told(self, trial: Any, outcome: Outcome) -> None:
        if outcome.score is not None:
            self._brain.tell(trial, outcome.score.value)
        else:
            self._brain.tell(trial, state=state_of(outcome))


def _nothing_to_try(passed: PassedOver) -> str:
    many = f"{MOST_IN_A_ROW:,} proposals in a row cannot be tried"
    if passed.reason:
        return f"{many}, the last because {passed.reason}: give other ranges (--param)"
    return f"{many}: all of them were tried before; ask for fewer --trials"


def _takes_a_place(row: Row) -> bool:
    return row.outcome is None or row.outcome.how in TRIED


def _mixed(seed: int, name: str) -> int:
    """Give a number for one proposal: the same for the same window, whatever the study's name."""
    return int.from_bytes(blake2b(f"{seed} {name}".encode(), digest_size=8).digest(), "big")


def _sampler(kind: str, seed: int) -> Any:
    if kind == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(kind: str) -> Any:
    if kind == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5)
    if kind == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    return optuna.pruners.NopPruner()


def _distribution(axis: Axis) -> Any:
    if axis.choices:
        return CategoricalDistribution(axis.choices)
    values = axis.values() if axis.step is not None else None
    high = axis.high if not values else float(values[-1])
    if axis.is_int:
        step = int(axis.step or 1)
        return IntDistribution(int(axis.low), int(high), log=axis.is_log, step=step)
    return FloatDistribution(axis.low, high, step=axis.step)
