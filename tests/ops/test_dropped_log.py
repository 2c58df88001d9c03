"""Rows that could not be used are in the log: the first at once, and all of them once."""

from collections.abc import Iterator

import pytest
from loguru import logger

from ops.dropped_log import DroppedLog
from tests.decisions.test_dropped_rows import CUT, report

FIRST = "a.csv:3: bad"
AT_ONCE = f"a row is not used, and such rows are counted: {FIRST}"
IN_ALL = f"5 rows were not used (5 malformed), the first at {FIRST}"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []
    sink = logger.add(
        lambda message: found.append(message.record["message"]),
        level="WARNING",
        filter=lambda record: record["extra"].get("actor") == "feeds/feed:replay",
    )
    yield found
    logger.remove(sink)


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
