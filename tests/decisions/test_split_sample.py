"""Where a run is split: by a part of its time, or by a date."""

import pytest

from decisions.split_sample import split_ns
from messages.ids import DAY_NS

HOUR_NS = DAY_NS // 24
FROM_NS = 19_700 * DAY_NS + 5 * HOUR_NS  # 2023-12-09


def test_a_long_run_is_split_at_a_midnight() -> None:
    found = split_ns("0.7", FROM_NS, FROM_NS + 100 * DAY_NS)

    assert found == 19_770 * DAY_NS


def test_a_short_one_is_split_where_the_part_is() -> None:
    assert split_ns("0.5", FROM_NS, FROM_NS + 2 * DAY_NS) == FROM_NS + DAY_NS


@pytest.mark.parametrize(
    ("asked", "after_ns"),
    [
        ("2023-12-10", 19 * HOUR_NS),
        ("2023-12-10T06:00", 25 * HOUR_NS),
        ("2023-12-10T06:00Z", 25 * HOUR_NS),
    ],
)
def test_a_date_is_its_midnight_in_utc(asked: str, after_ns: int) -> None:
    assert split_ns(asked, FROM_NS, FROM_NS + 9 * DAY_NS) == FROM_NS + after_ns


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("0", "no share of the run"),
        ("1", "no share of the run"),
        ("nan", "no share of the run"),
        ("-0.5", "no share of the run"),
        ("yesterday", "neither a share nor a date"),
        ("2020-01-01", "outside of the data: give a moment from 2023-12-09 05:00 and before"),
        ("2030-01-01", "outside of the data"),
    ],
)
def test_a_mistake_is_one_sentence(asked: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        split_ns(asked, FROM_NS, FROM_NS + 9 * DAY_NS)


def test_nothing_has_no_inside() -> None:
    with pytest.raises(ValueError, match="outside"):
        split_ns("0.5", FROM_NS, FROM_NS)
