"""No set of values is tried twice; what is refused, fails or is given up counts as that."""

import pytest

from messages.errors import ConfigError
from research.optimise import study as study_module
from research.optimise.outcome import DONE, FAILED, GIVEN_UP, Outcome
from research.optimise.space import Axis
from tests.research.optimise.study.studies import FAST, LONG, Place, finish, rows_of, score

pytestmark = pytest.mark.slow


def test_as_many_are_made_as_were_asked_for_and_no_set_twice(place: Place) -> None:
    study = place.process(axes=(FAST,), asked=15)

    made = finish(study)

    assert len(made) == len({params for _, params in made}) == 15
    assert study.take() is None
    assert (study.tried(), study.exhausted) == (15, False)
    best = study.best()
    assert best is not None
    assert best.score.value == max(o.score.value for o in study.outcomes() if o.score)


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


def test_the_same_values_are_not_tried_again_because_they_failed(place: Place) -> None:
    axes = (Axis(strategy="s", name="fast", low=1, high=12, is_int=True),)
    study = place.process(axes=axes, asked=40)
    tried = []
    while (hand := study.take()) is not None:
        tried.append(hand.params["s.fast"])
        study.end(hand, Outcome(how=FAILED, reason="no good"))

    assert sorted(map(int, tried)) == list(range(1, 13))
    assert study.best() is None


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
