"""What of a recording could not be used, as a person reads it."""

import msgspec
import pytest

from decisions.dropped_rows import dropped_of, dropped_text
from messages.ids import ActorPath
from messages.market import FeedReport

CUT = "a.csv.gz is cut off or damaged after line 9: get it again"


def report(
    *,
    malformed: int = 0,
    duplicate: int = 0,
    cut_off: tuple[str, ...] = (),
    problems: tuple[str, ...] = (),
    ended: bool = False,
) -> FeedReport:
    return FeedReport(
        feed=ActorPath("feeds/feed:replay"),
        delivered=9,
        malformed=malformed,
        duplicate=duplicate,
        out_of_order=0,
        gaps=3,
        missing=7,
        first_problems=problems,
        cut_off=cut_off,
        ended=ended,
    )


def text_of(told: FeedReport) -> str:
    dropped = dropped_of(told)
    assert dropped is not None
    return dropped_text(msgspec.structs.asdict(dropped))


def test_a_recording_of_which_all_was_used_says_nothing_for_a_gap_is_no_row() -> None:
    assert dropped_of(report()) is None


def test_rows_are_counted_by_kind_and_the_first_three_are_named() -> None:
    problems = tuple(f"a.csv:{line}: bad" for line in (3, 5, 8, 9))

    assert text_of(report(malformed=1_500, duplicate=4, problems=problems)) == (
        "1,504 rows were not used (1,500 malformed, 4 duplicate),"
        " the first at a.csv:3: bad, a.csv:5: bad, a.csv:8: bad"
    )


@pytest.mark.parametrize(
    ("malformed", "text"),
    [
        (1, CUT),
        (2, f"{CUT}; 1 row was not used (1 malformed), the first at a.csv.gz:4: bad"),
    ],
)
def test_a_file_that_is_cut_off_is_told_first_and_its_rest_is_no_row(
    malformed: int, text: str
) -> None:
    told = report(malformed=malformed, cut_off=(CUT,), problems=("a.csv.gz:4: bad",))

    assert text_of(told) == text
