import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from messages.errors import ConfigError
from ops.config import parse
from strategies import check_params
from strategies.params import Bound, bounds_of, choices_of, nearest

BOUNDED = """
from typing import Annotated
import msgspec
from strategies.protocol import Strategy

class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lookback: Annotated[int, msgspec.Meta(ge=2, le=200)]
    band: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.5
    depth: Annotated[int, msgspec.Meta(le=9)] | None = None

class Bounded(Strategy):
    Params = Params

    def __init__(self, params, symbol, order_notional, instrument):
        self.params = params

    def on_candle(self, candle, position):
        pass
"""


class Mood(StrEnum):
    CALM = "calm"
    WILD = "wild"


class All(msgspec.Struct):
    count: Annotated[int, Meta(ge=2, le=200)]
    open_count: Annotated[int, Meta(gt=2, lt=200)]
    ratio: Annotated[float, Meta(ge=0, le=1.5)]
    open_ratio: Annotated[float, Meta(gt=0)]
    free: int
    maybe: Annotated[int, Meta(ge=1)] | None = None
    flag: bool = False
    mood: Mood = Mood.CALM
    side: Literal["long", "short"] = "long"
    name: str = ""


def test_the_bounds_are_those_of_the_fields_with_both_ends_allowed() -> None:
    bounds = bounds_of(All)

    assert bounds["count"] == ("int", 2, 200)
    assert bounds["open_count"] == ("int", 3, 199)
    assert bounds["ratio"] == ("float", 0.0, 1.5)
    assert bounds["open_ratio"] == ("float", math.nextafter(0, 1), None)
    assert bounds["free"] == ("int", None, None)
    assert bounds["maybe"] == ("int", 1, None)
    assert bounds["flag"] == ("bool", None, None)
    assert bounds["mood"] == bounds["side"] == ("choice", 0, 1)
    assert bounds["name"] == ("other", None, None)


def test_a_closed_bound_is_one_that_values_can_be_drawn_from() -> None:
    closed = [name for name, bound in bounds_of(All).items() if bound.is_closed]

    assert closed == ["count", "open_count", "ratio", "flag", "mood", "side"]


def test_the_choices_are_given_as_the_config_writes_them() -> None:
    assert choices_of(All, "mood") == ("calm", "wild")
    assert choices_of(All, "side") == ("long", "short")
    assert choices_of(All, "count") == ()


@given(
    value=st.integers() | st.floats(allow_nan=True),
    low=st.integers(-100, 100),
    length=st.integers(0, 100),
)
def test_the_nearest_value_is_within_the_bounds_and_only_given_for_one_without(
    value: float, low: int, length: int
) -> None:
    bound = Bound("float", low, low + length)

    near = nearest(value, bound)

    if math.isnan(value) or low <= value <= low + length:
        assert near is None
    else:
        assert near in (low, low + length)


@pytest.fixture
def bounded(tmp_path: Path) -> Path:
    path = tmp_path / "bounded.py"
    path.write_text(BOUNDED)
    return path


@pytest.mark.parametrize(
    ("params", "problems"),
    [
        ({"lookback": 2, "band": 0.999}, []),
        (
            {"lookback": 1},
            ["lookback = 1: expected 2 to 200 (the nearest is 2)"],
        ),
        (
            {"lookback": 201, "depth": 10},
            [
                "lookback = 201: expected 2 to 200 (the nearest is 200)",
                "depth = 10: expected 9 or less (the nearest is 9)",
            ],
        ),
        (
            {"lookback": 2, "band": 1.5},
            ["band = 1.5: expected float < 1.0"],
        ),
        ({"lookback": 2.5}, ["lookback = 2.5: expected int, got float"]),
        ({"lookback": 0.5}, ["lookback = 0.5: expected int, got float"]),
        ({"lookback": "many"}, ["lookback = 'many': expected int, got str"]),
    ],
)
def test_what_is_out_of_bounds_is_told_with_the_bound_and_the_nearest_value(
    bounded: Path, params: dict[str, Any], problems: list[str]
) -> None:
    assert check_params(f"{bounded}:Bounded", params) == problems


def test_check_names_the_key_in_the_file(bounded: Path) -> None:
    strategy = {"id": "a", "uses": f"{bounded}:Bounded", "params": {"lookback": 1}}

    with pytest.raises(ConfigError) as caught:
        parse({"name": "x", "strategy": [strategy]}, Path(), check_params)

    assert caught.value.problems == [
        "strategy[0].params: lookback = 1: expected 2 to 200 (the nearest is 2)"
    ]
