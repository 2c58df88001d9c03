"""docs/seen.md is the table that tests/system/test_seen_everywhere.py holds against runs."""

from pathlib import Path

import pytest

from tests.system.seen import says, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "seen.md"


def test_the_documented_table_is_the_one_that_runs_are_held_against() -> None:
    assert table() in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "saying", "is_said"),
    [
        ('outcome="duplicate"} 45', 'outcome="duplicate"} N', True),
        ('outcome="duplicate"} 0', 'outcome="duplicate"} N', False),
        ('{"duplicate": 0, "x": {"duplicate": 2}}', '"duplicate": N', True),
        ("orders   refused 2, rejected 1", "orders... rejected N", True),
        ("orders   refused 2\ncounters rejected 1", "orders... rejected N", False),
        ("halted by you", "halted by me", False),
    ],
)
def test_a_count_of_zero_says_nothing(text: str, saying: str, is_said: bool) -> None:
    assert says(text, saying) is is_said
