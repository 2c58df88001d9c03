"""A new incarnation is seen by others only once the mail of the one before is dropped."""

from unittest.mock import patch

from actors.mailbox import Mailbox, Reader
from actors.step_runtime import StepRuntime
from tests.actors.support import Probe, Script


def test_what_is_sent_to_a_new_epoch_is_not_dropped_with_the_mail_of_the_old_one() -> None:
    """A feed sends again as soon as it sees the epoch; once is all that it sends."""
    cell = StepRuntime().populate("one", Probe, {"script": Script()})
    shown: list[int] = []
    begin = Mailbox.begin_incarnation

    def watched(self: Mailbox, reader: Reader) -> None:
        begin(self, reader)
        shown.append(cell.epoch)

    with patch.object(Mailbox, "begin_incarnation", watched):
        lives = [cell.next_life(), cell.next_life()]

    assert shown == [0, 1]
    assert [life.epoch for life in lives] == [1, 2]
    assert cell.epoch == 2
