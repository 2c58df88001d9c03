"""What a publisher says as it ends of what it has taken and not stored."""

from typing import cast

import pytest

from actors.publisher import PublisherKept
from exchanges.writer_connection import WriterConnection
from exchanges.writer_state import WriterState
from ops.bus_unstored import unstored


class Connection:
    """One that ends with so many events that nobody has acknowledged."""

    def __init__(self, waiting: int) -> None:
        self.state = WriterState(waiting=waiting)


def said(waiting: int, *, is_recorded: bool = True, has_ended: bool = False) -> str:
    kept = PublisherKept()
    kept.replace(cast("WriterConnection", Connection(waiting)))
    kept.has_ended = has_ended
    return unstored(kept, is_recorded=is_recorded)


AGAIN = "not known to be stored: a next publisher tells them again"


def test_where_all_is_stored_or_nothing_was_taken_nothing_is_said() -> None:
    assert said(0, has_ended=True) == ""
    assert unstored(PublisherKept(), is_recorded=True) == ""


@pytest.mark.parametrize(
    ("waiting", "has_ended", "sentence"),
    [
        (1, False, f"1 event is {AGAIN}"),
        (4, False, f"4 events are {AGAIN}"),
        (1, True, f"the market's end is {AGAIN}"),
        (4, True, f"4 events, the market's end among them, are {AGAIN}"),
    ],
)
def test_of_a_recording_it_is_told_again_its_end_too(
    waiting: int, sentence: str, *, has_ended: bool
) -> None:
    assert said(waiting, has_ended=has_ended) == sentence


def test_of_a_live_market_trades_are_lost_and_it_has_no_end() -> None:
    assert said(2, is_recorded=False, has_ended=True) == (
        "2 events are not known to be stored: a next publisher asks for the candles again, and"
        " trades are lost, which shows as a gap"
    )
