"""No trial is lost and none is run twice, whoever dies."""

from pathlib import Path

import pytest

from research.optimise.outcome import DONE, GIVEN_UP, Outcome
from research.optimise.rows import Rows
from tests.research.optimise.study.studies import (
    FAST,
    LONG,
    RISK,
    Place,
    Refusal,
    finish,
    rows_of,
    score,
    worth,
)

pytestmark = pytest.mark.slow


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
