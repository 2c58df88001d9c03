"""A study's database, one process after another on it, and trials without a market."""

import os
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from research.optimise.figures import Score
from research.optimise.guard import FileGuard, Guard
from research.optimise.opening import open_storage
from research.optimise.outcome import DONE, Outcome
from research.optimise.rows import Row, Rows
from research.optimise.space import Axis
from research.optimise.study import Hand, Study, Terms

LONG = (
    pytest.mark.stress,
    pytest.mark.skipif(
        not os.environ.get("WATCHKEEPER_STRESS"), reason="the long form: tox -e stress"
    ),
)

FAST = Axis(strategy="s", name="fast", low=1, high=40, is_int=True)
RISK = Axis(strategy="s", name="risk", low=0.0, high=1.0)
Refusal = Callable[[Any], str]


def score(value: float) -> Score:
    return Score(
        value=value,
        net=Decimal("1.5"),
        fees=Decimal(0),
        orders=9,
        drawdown=1.0,
        daily_sharpe=value / 19,
    )


def worth(hand: Hand) -> float:
    """A hill, so that the sampler has something to learn."""
    params: Any = hand.params
    return float(-((params["s.fast"] - 17) ** 2) - params.get("s.risk", 0.0))


class Place:
    """A database file, and one process after another on it."""

    def __init__(self, folder: Path, empty: Path) -> None:
        self.file = Path(shutil.copy(empty, folder / "study.db"))
        self._engine, self._storage = open_storage(f"sqlite:///{self.file}", "study.db")
        self._guards: list[Guard] = []

    def process(
        self,
        *,
        axes: tuple[Axis, ...] = (FAST, RISK),
        sampler: str = "tpe",
        pruner: str = "none",
        asked: int = 12,
        refusal: Refusal = lambda _: "",
        guard: Guard | None = None,
    ) -> Study:
        """Begin one; `die` ends it."""
        guard = guard or FileGuard(self.file)
        self._guards.append(guard)
        terms = Terms(
            axes=axes, sampler=sampler, pruner=pruner, seed=5, asked=asked, refusal=refusal
        )
        return Study(self._storage, "bot/1", guard, terms)

    def die(self) -> None:
        """Leave everything as it is, as a kill does."""
        while self._guards:
            self._guards.pop().close()
        self._engine.dispose()


def rows_of(study: Study) -> list[Row]:
    rows: Rows = study._rows
    return rows.all()


def finish(study: Study, most: int = 1_000) -> list[tuple[Any, ...]]:
    """Make trials until there are none, or so many; give what was made."""
    made: list[tuple[Any, ...]] = []
    while len(made) < most and (hand := study.take()) is not None:
        assert study.end(hand, Outcome(how=DONE, score=score(worth(hand))))
        made.append((hand.row.number, tuple(hand.params.items())))
    return made
