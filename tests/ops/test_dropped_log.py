"""Rows that were not used are in the log: the first at once, and all of them once, as gaps."""

from collections.abc import Iterator

import pytest
from loguru import logger

from messages.ids import ActorPath
from messages.market import FeedEnded
from ops.dropped_log import DroppedLog
from tests.decisions.test_dropped_rows import CUT, report
from tests.decisions.test_recording_gaps import gap

FIRST = "a.csv:3: bad"
AT_ONCE = f"a row is not used, and such rows are counted: {FIRST}"
GAPS = (
    "3 gaps between rows, 7 missing, the first: BTC/USDT before a.csv:3 (2m00s, 2 missing),"
    " BTC/USDT before a.csv:5 (2m00s, 2 missing)"
)
IN_ALL = f"5 rows were not used (5 malformed), the first at {FIRST}"


def heard(level: str) -> Iterator[list[str]]:
    found: list[str] = []
    sink = logger.add(
        lambda message: found.append(message.record["message"]),
        level=level,
        filter=lambda record: record["extra"].get("actor") == "feeds/feed:replay",
    )
    yield found
    logger.remove(sink)


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What warns."""
    yield from heard("WARNING")


@pytest.fixture
def all_lines() -> Iterator[list[str]]:
    yield from heard("INFO")


def test_the_first_row_is_told_at_once_and_the_sum_at_the_end(lines: list[str]) -> None:
    log = DroppedLog()
    log.observe(report())
    assert lines == []

    log.observe(report(malformed=1, problems=(FIRST,)))
    log.observe(report(malformed=4, problems=(FIRST,)))
    assert lines == [AT_ONCE]

    log.observe(report(malformed=5, problems=(FIRST,), ended=True))
    log.observe(report(malformed=5, problems=(FIRST,), ended=True))
    log.close()
    assert lines == [AT_ONCE, IN_ALL]


def test_a_run_that_is_stopped_before_the_end_of_its_file_sums_up_too(lines: list[str]) -> None:
    log = DroppedLog()
    log.observe(report(malformed=5, problems=(FIRST,)))

    log.close()

    assert lines == [AT_ONCE, IN_ALL]


def test_a_file_that_is_cut_off_is_told_once_while_another_goes_on(lines: list[str]) -> None:
    log = DroppedLog()
    for _ in range(2):
        log.observe(report(malformed=1, cut_off=(CUT,), problems=("a.csv.gz:10: cut",)))

    assert lines == [CUT]


def test_gaps_are_one_line_at_the_end_and_no_warning(
    lines: list[str], all_lines: list[str]
) -> None:
    log = DroppedLog()
    log.observe(report())
    log.observe(gap(3))
    log.observe(report(ended=True))
    log.observe(gap(5))
    assert all_lines == []

    log.observe(FeedEnded(feed=ActorPath("feeds/feed:replay"), delivered=9))
    log.close()

    assert (lines, all_lines) == ([], [GAPS])


def test_gaps_of_a_run_that_is_stopped_before_the_end_of_its_file_are_told_too(
    all_lines: list[str],
) -> None:
    log = DroppedLog()
    log.observe(report())
    log.observe(gap(3))
    log.observe(gap(5))

    log.close()

    assert all_lines == [GAPS]
