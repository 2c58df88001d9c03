"""Whose coins an exit leaves that waited for its entry: known over a restart, too."""

from pathlib import Path

import msgspec
import pytest

from messages.ids import NS_PER_S, TimestampNs
from messages.values import OrderState as S
from tests.actors.exit_path import answer_of, begin_anew, leave, path, sold
from tests.actors.order_path import fill
from tests.actors.stopped_path import AT_95, Stopped


def filled_now(desk: Stopped, number: int) -> None:
    """As at a venue, which says when."""
    now = TimestampNs(desk.runtime.clock.utc_ns())
    one = msgspec.structs.replace(fill(f"t{number}", "1"), ts_event_ns=now)
    desk.tell(desk.report(number, S.FILLED, "1", (one,)))
    desk.after(1)


def with_an_exit_that_waited(folder: Path) -> Stopped:
    """It was decided before its entry filled, and sent after that."""
    desk = path(folder)
    desk.tell(desk.intent(0, protection=AT_95))
    desk.after(1)
    leave(desk)
    desk.after(1)
    filled_now(desk, 0)
    assert sold(desk) == [("1", S.SENT)]
    return desk


def enters_anew_without_a_stop(desk: Stopped) -> None:
    desk.tell(desk.intent(2))
    desk.after(1)
    filled_now(desk, 2)


@pytest.mark.parametrize("restarted", [False, True])
def test_its_stop_does_not_sell_what_was_bought_since(tmp_path: Path, restarted: bool) -> None:
    desk = with_an_exit_that_waited(tmp_path)
    if restarted:
        begin_anew(desk)

    enters_anew_without_a_stop(desk)
    desk.price("94")

    assert len(sold(desk)) == 1, "the one coin of the stop is on sale already"


def test_nor_does_it_in_the_next_process(tmp_path: Path) -> None:
    before = with_an_exit_that_waited(tmp_path)

    desk = path(tmp_path, start_ns=before.runtime.clock.utc_ns() + NS_PER_S)
    for asked in desk.gateway.asked:
        desk.tell(desk.answer(asked, answer_of(desk, asked.key, S.ACCEPTED, "0")))
    enters_anew_without_a_stop(desk)
    desk.price("94")

    assert not desk.exits
