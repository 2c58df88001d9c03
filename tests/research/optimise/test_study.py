"""No trial is lost and none is run twice, whoever dies; no set of values is tried twice."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from messages.errors import ConfigError
from research.optimise.figures import Score
from research.optimise.guard import FileGuard, Guard, StudyInUse
from research.optimise.outcome import DONE, FAILED, GIVEN_UP, Outcome
from research.optimise.space import Axis

pytest.importorskip("optuna", reason="the extra `optimize` is not installed")

from research.optimise import study as study_module
from research.optimise.opening import open_storage
from research.optimise.rows import Row, Rows
from research.optimise.study import Hand, Study, Terms

pytestmark = pytest.mark.slow
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


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, which take a fifth of a second to make."""
    file = tmp_path_factory.mktemp("empty") / "study.db"
    engine, storage = open_storage(f"sqlite:///{file}", "study.db")
    storage.remove_session()
    engine.dispose()
    return file


@pytest.fixture
def place(tmp_path: Path, empty: Path) -> Iterator[Place]:
    made = Place(tmp_path, empty)
    yield made
    made.die()


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


def test_as_many_are_made_as_were_asked_for_and_no_set_twice(place: Place) -> None:
    study = place.process(axes=(FAST,), asked=15)

    made = finish(study)

    assert len(made) == len({params for _, params in made}) == 15
    assert study.take() is None
    assert (study.tried(), study.exhausted) == (15, False)
    best = study.best()
    assert best is not None
    assert best.score.value == max(o.score.value for o in study.outcomes() if o.score)


def test_what_was_in_hand_at_a_kill_is_taken_up_in_its_row_with_its_values(place: Place) -> None:
    study = place.process(asked=8)
    finish(study, 3)
    held = [study.take(), study.take()]
    before = {row.number: row.params for row in rows_of(study)}
    place.die()

    again = place.process(asked=8)
    taken = [again.take(), again.take()]

    assert all(hand is not None for hand in held + taken)
    assert [h.row.number for h in taken if h] == [h.row.number for h in held if h] == [3, 4]
    assert {row.number: row.params for row in rows_of(again)} == before
    for hand in taken:
        assert hand is not None
        again.end(hand, Outcome(how=DONE, score=score(1.0)))
    finish(again)
    rows = rows_of(again)
    assert [row.number for row in rows] == list(range(8))
    assert all(row.outcome is not None and row.outcome.how == DONE for row in rows)


def test_a_trial_that_was_over_but_not_written_off_at_a_kill_is_not_made_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = place.process(asked=4)
    hand = study.take()
    assert hand is not None
    with monkeypatch.context() as patch:
        patch.setattr(Rows, "close", killed)
        with pytest.raises(KeyboardInterrupt):
            study.end(hand, Outcome(how=DONE, score=score(3.25)))
    place.die()

    again = place.process(asked=4)
    made = finish(again)

    assert [number for number, _ in made] == [1, 2, 3]
    first = rows_of(again)[0].outcome
    assert first is not None
    assert first.score == score(3.25)


def killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "sampler", ["tpe", pytest.param("random", marks=LONG), pytest.param("grid", marks=LONG)]
)
def test_one_worker_makes_the_same_study_of_a_seed_however_often_it_is_killed(
    tmp_path: Path, empty: Path, sampler: str
) -> None:
    axes = (FAST,) if sampler == "grid" else (FAST, RISK)
    refuse: Refusal = lambda found: "odd luck" if found["s.fast"] % 3 == 0 else ""  # noqa: E731 - a line says it
    told = []
    for folder, most in (("whole", 1_000), ("killed", 3)):
        (tmp_path / folder).mkdir()
        place = Place(tmp_path / folder, empty)
        for _ in range(20):
            study = place.process(
                axes=axes, asked=14, sampler=sampler, pruner="median", refusal=refuse
            )
            for _ in range(most):
                hand = study.take()
                if hand is None:
                    break
                goes_on = all(
                    study.go_on(hand, part, worth(hand) * (part + hand.row.number % 3))
                    for part in (1, 2, 3)
                )
                outcome = (
                    Outcome(how=DONE, score=score(worth(hand)))
                    if goes_on
                    else Outcome(how=GIVEN_UP)
                )
                study.end(hand, outcome)
            else:
                study.take()  # in hand at the kill
                place.die()
                continue
            break
        told.append([(row.params, row.outcome, row.passed) for row in rows_of(study)])
        place.die()

    whole, interrupted = told
    hows = {outcome.how for _, outcome, _ in whole if outcome is not None}
    assert DONE in hows
    assert GIVEN_UP in hows or sampler == "grid", "no trial was given up: take another seed"
    assert any(passed.refused for _, _, passed in whole)
    if sampler != "grid":  # whose list is gone through anew by each process
        assert [row[2] for row in interrupted] == [row[2] for row in whole]
    assert [row[:2] for row in interrupted] == [row[:2] for row in whole]


def test_a_small_space_is_gone_through_once_and_then_it_is_over(place: Place) -> None:
    axes = (Axis(strategy="s", name="fast", choices=(3, 5, 17, 21)),)
    study = place.process(axes=axes, asked=50)

    made = finish(study)

    assert len(made) == 4
    assert study.exhausted
    place.die()
    again = place.process(axes=axes, asked=50)
    count = len(rows_of(again))
    assert again.take() is None
    assert again.exhausted
    assert len(rows_of(again)) == count


def test_a_set_that_was_tried_is_passed_over_and_counted_as_that(place: Place) -> None:
    axes = (Axis(strategy="s", name="fast", low=1, high=9, is_int=True),)
    study = place.process(axes=axes, asked=9)

    made = finish(study)

    assert len({params for _, params in made}) == 9
    passed = study.passed_over()
    assert passed.same > 0, "nine values drawn nine times without one twice: take another seed"
    assert passed.refused == 0
    place.die()
    assert place.process(axes=axes, asked=9).passed_over() == passed


@pytest.mark.parametrize(
    "sampler", ["tpe", pytest.param("random", marks=LONG), pytest.param("grid", marks=LONG)]
)
def test_steps_that_no_binary_number_is_are_tried_once_each(place: Place, sampler: str) -> None:
    """A sampler adds them up and finds 0.30000000000000004, which is 0.3."""
    axes = (Axis(strategy="s", name="fast", low=-0.3, high=0.7, step=0.1),)
    study = place.process(axes=axes, sampler=sampler, asked=50)

    made = finish(study)

    tried = sorted(float(value) for _, params in made for _, value in params)
    assert tried == [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert study.exhausted


def test_a_grid_is_gone_through_in_its_order(place: Place) -> None:
    study = place.process(axes=(FAST,), sampler="grid", asked=5)

    made = finish(study)

    assert [dict(params)["s.fast"] for _, params in made] == [1, 2, 3, 4, 5]


def test_values_that_are_refused_do_not_count_and_their_reason_is_kept(place: Place) -> None:
    study = place.process(refusal=lambda found: "too fast" if found["s.fast"] < 25 else "", asked=6)

    made = finish(study)

    assert len(made) == 6
    assert all(dict(params)["s.fast"] >= 25 for _, params in made)
    assert len(rows_of(study)) == 6
    passed = study.passed_over()
    assert passed.refused > 0
    assert passed.reason == "too fast"


@pytest.mark.parametrize("sampler", ["tpe", "grid"])
def test_a_small_space_of_which_most_is_refused_is_gone_through_too(
    place: Place, sampler: str
) -> None:
    axes = (Axis(strategy="s", name="fast", low=1, high=60, is_int=True),)
    study = place.process(
        axes=axes, sampler=sampler, asked=50, refusal=lambda f: "" if f["s.fast"] == 41 else "no"
    )

    made = finish(study)

    assert [dict(params)["s.fast"] for _, params in made] == [41]
    assert study.exhausted


def test_where_nothing_can_be_tried_a_sentence_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_module, "MOST_IN_A_ROW", 15)
    study = place.process(refusal=lambda _: "slow must be greater than fast")

    with pytest.raises(ConfigError, match=r"15 proposals in a row .* slow must be greater"):
        study.take()


@pytest.mark.parametrize("pruner", ["median", pytest.param("halving", marks=LONG)])
def test_a_trial_that_was_given_up_is_never_the_best(place: Place, pruner: str) -> None:
    """Each is worse than those before it until its last part, where it is better than all."""
    study = place.process(pruner=pruner, asked=20)
    given_up = []
    while (hand := study.take()) is not None:
        number = hand.row.number
        if not all(study.go_on(hand, part, -float(number)) for part in (1, 2, 3)):
            given_up.append(number)
            study.end(hand, Outcome(how=GIVEN_UP))
            continue
        study.end(hand, Outcome(how=DONE, score=score(1_000.0 + number)))

    best = study.best()
    assert len(given_up) > 5
    assert best is not None
    assert best.number not in given_up
    ends = [row.number for row in rows_of(study) if row.outcome and row.outcome.how == DONE]
    assert best.number == max(ends)
    place.die()
    assert place.process(pruner=pruner, asked=20).best() == best


def test_the_same_values_are_not_tried_again_because_they_failed(place: Place) -> None:
    axes = (Axis(strategy="s", name="fast", low=1, high=12, is_int=True),)
    study = place.process(axes=axes, asked=40)
    tried = []
    while (hand := study.take()) is not None:
        tried.append(hand.params["s.fast"])
        study.end(hand, Outcome(how=FAILED, reason="no good"))

    assert sorted(map(int, tried)) == list(range(1, 13))
    assert study.best() is None


def test_another_market_or_range_makes_another_study(place: Place) -> None:
    manifest = {"data": "a", "ranges": "b"}
    place.process().agree(manifest)
    place.die()

    again = place.process()
    again.agree(manifest)
    with pytest.raises(
        ConfigError, match=r"bot was begun with other data and ranges.*--study NAME"
    ):
        again.agree({"data": "x", "ranges": "y"})


def test_a_file_is_one_process_at_a_time(place: Place) -> None:
    place.process()

    with pytest.raises(StudyInUse, match=r"another optimize \(process \d+\)"):
        FileGuard(place.file)


def test_a_file_is_the_same_file_by_another_name(place: Place, tmp_path: Path) -> None:
    place.process()
    (tmp_path / "other.db").symlink_to(place.file)

    with pytest.raises(StudyInUse):
        FileGuard(tmp_path / "other.db")


class Machine:
    """A guard of a database that is shared: `Guard`, with what the server would know."""

    is_shared = True

    def __init__(self, token: str, alive: set[str]) -> None:
        self.token, self._alive = token, alive
        alive.add(token)

    @contextmanager
    def alone(self) -> Iterator[None]:
        yield

    def lives(self, token: str) -> bool:
        return token in self._alive

    def close(self) -> None:
        self._alive.discard(self.token)


def test_two_machines_share_a_study_and_leave_each_other_what_is_in_hand(place: Place) -> None:
    alive: set[str] = set()
    one = place.process(guard=Machine("one", alive), asked=10)
    other = place.process(guard=Machine("other", alive), asked=10)

    hands = [one.take(), other.take(), one.take(), other.take()]

    assert len({hand.row.number for hand in hands if hand}) == 4
    assert (one.others(), other.others()) == (2, 2)
    for number, hand in enumerate(hands):
        assert hand is not None
        assert (one, other)[number % 2].end(hand, Outcome(how=DONE, score=score(worth(hand))))
    while (hand := one.take()) is not None:
        one.end(hand, Outcome(how=DONE, score=score(worth(hand))))
        if (hand := other.take()) is not None:
            other.end(hand, Outcome(how=DONE, score=score(worth(hand))))
    assert other.take() is None
    assert one.tried() == other.tried() == 10
    assert one.best() == other.best()


def test_what_a_dead_machine_had_is_taken_over_and_its_late_word_does_not_count(
    place: Place,
) -> None:
    alive: set[str] = set()
    lost = Machine("lost", alive)
    one = place.process(guard=lost, asked=3)
    other = place.process(guard=Machine("other", alive), asked=3)
    held = one.take()
    assert held is not None

    lost.close()
    taken = other.take()

    assert taken is not None
    assert (taken.row.number, taken.params) == (held.row.number, held.params)
    assert other.end(taken, Outcome(how=DONE, score=score(1.0)))
    assert not one.end(held, Outcome(how=DONE, score=score(99.0)))
    (row, *_) = rows_of(other)
    assert row.outcome is not None
    assert row.outcome.score == score(1.0)
