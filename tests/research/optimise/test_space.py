"""What is searched: declared bounds, and what a person asks for instead."""

import pytest

from messages.errors import ConfigError
from research.optimise.space import Axis, axes_of, by_strategy, key_of, sets
from strategies.params import Bound

DECLARED = {
    "a": {
        "fast": (Bound("int", None, None), ()),
        "slow": (Bound("int", 2, 200), ()),
        "risk": (Bound("float", 0.0, 1.0), ()),
        "kind": (Bound("choice", 0, 1), ("ema", "sma")),
        "short": (Bound("bool", None, None), ()),
        "capital": (Bound("other", None, None), ()),
    }
}


def axis(text: str) -> Axis:
    (found,) = axes_of(DECLARED, [text])
    return found


def test_without_a_word_all_with_bounds_at_both_ends_are_searched() -> None:
    found = [str(one) for one in axes_of(DECLARED, [])]

    expected = ["a.slow=2:200", "a.risk=0:1", "a.kind=ema,sma", "a.short=False,True"]
    assert found == expected


def test_what_is_asked_for_is_searched_and_nothing_else() -> None:
    found = axes_of(DECLARED, ["fast=5:50", "risk=0.1:0.5:0.1", "kind"])

    assert [str(one) for one in found] == ["a.fast=5:50", "a.risk=0.1:0.5:0.1", "a.kind=ema,sma"]
    assert found[0].is_int
    assert found[1].values() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert axis("a.slow=3,5,8").choices == (3, 5, 8)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("risk=0.1:0.8:0.35", [0.1, 0.45, 0.8]),
        ("risk=0:3e-14:1e-14", [0.0, 1e-14, 2e-14, 3e-14]),
        (
            "risk=0.1234567890123:0.1234567890125:1e-13",
            [0.1234567890123, 0.1234567890124, 0.1234567890125],
        ),
    ],
)
def test_the_values_of_steps_are_what_a_person_would_write(text: str, values: list[float]) -> None:
    one = axis(text)

    assert one.values() == values
    proposed = [one.low + (one.step or 0) * place for place in range(len(values))]
    assert [one.nearest(value) for value in proposed] == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speed=1:2", "there is no such parameter (there are: fast, slow"),
        ("fast", "it has no declared bounds at both ends: give fast=LOW:HIGH"),
        ("fast=5", "expected LOW:HIGH, or two values or more"),
        ("fast=9:5", "5 is not more than 9"),
        ("fast=5:5", "5 is not more than 5"),
        ("fast=1.5:3", "'1.5' is not a whole number"),
        ("risk=nan:1", "'nan' is not a number"),
        ("risk=0:inf", "'inf' is not a number"),
        ("fast=1:9:0", "the step 0 is not between 0 and the range"),
        ("fast=1:9:-2", "the step -2 is not between 0 and the range"),
        ("fast=1:2:3:4", "expected LOW:HIGH or LOW:HIGH:STEP"),
        ("slow=1:100", "1 is out of the declared bounds (2 to 200)"),
        ("slow=2:201", "201 is out of the declared bounds (2 to 200)"),
        ("kind=1:2", "it is a choice: list its values, kind=A,B"),
        ("kind=ema,wma", "wma is none of ema, sma"),
        ("short=yes,no", "yes is none of false, true"),
        ("capital=1:2", "it cannot be searched"),
        ("fast=", "expected LOW:HIGH, or two values or more"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        axis(text)

    (problem,) = error.value.problems
    assert problem.startswith(f"--param {text}: ")
    assert said in problem


def test_all_mistakes_are_told_at_once_and_one_is_not_given_twice() -> None:
    with pytest.raises(ConfigError) as error:
        axes_of(DECLARED, ["nothing=1:2", "fast=2:1", "fast=1:2", "a.fast=1:3"])

    assert len(error.value.problems) == 3
    assert "a.fast is given twice" in error.value.problems[2]


def test_nothing_to_search_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="--param fast=5:50"):
        axes_of({"a": {"fast": (Bound("int", None, None), ())}}, [])
    with pytest.raises(ConfigError, match="declare Params"):
        axes_of({"a": {}}, [])


def test_with_several_strategies_a_parameter_is_called_by_its_strategy() -> None:
    two = {"a": {"n": (Bound("int", 1, 9), ())}, "b": {"n": (Bound("int", 1, 9), ())}}

    assert [one.label for one in axes_of(two, [])] == ["a.n", "b.n"]
    with pytest.raises(ConfigError, match=r"there are: a\.n, b\.n"):
        axes_of(two, ["n=1:3"])
    nested = by_strategy(axes_of(two, []), {"a.n": 1, "b.n": 2})
    assert nested == {"a": {"n": 1}, "b": {"n": 2}}


def test_a_wide_range_of_whole_numbers_is_searched_by_its_logarithm() -> None:
    assert Axis(strategy="a", name="n", low=2, high=10_000, is_int=True).is_log
    assert not Axis(strategy="a", name="n", low=5, high=50, is_int=True).is_log
    assert not Axis(strategy="a", name="n", low=0, high=500, is_int=True).is_log
    assert not Axis(strategy="a", name="n", low=0.001, high=1).is_log


def test_a_space_that_can_be_counted_is_listed() -> None:
    found = sets([axis("fast=1:3"), axis("kind=ema,sma")])

    assert found is not None
    assert len(found) == 6
    assert len({key_of(one) for one in found}) == 6
    assert sets([axis("risk=0:1")]) is None
    assert sets([axis("fast=1:1000"), axis("slow=2:200")]) is None


def test_where_nothing_is_declared_that_is_said() -> None:
    with pytest.raises(
        ConfigError, match=r"no such parameter \(the strategies declare no Params\)"
    ):
        axes_of({"a": {}}, ["fast=1:2"])
