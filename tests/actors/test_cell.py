"""What a cell shows: its epoch once the old mail is dropped, the age of its mail, its uptime."""

from typing import Any
from unittest.mock import patch

import pytest

from actors.mailbox import Mailbox
from actors.mailbox_protocols import Reader
from actors.step_runtime import StepRuntime
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import ActorState
from tests.actors.support import Note, Probe, Script, World


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


class Gatherer(Probe):
    """Lets mail come for a while, as metrics does, and has a timer as it has."""

    gather_ms = 5_000

    def started(self) -> None:
        super().started()
        self.ctx.after(3_600 * NS_PER_S, Note(text="timer"))


def test_who_gathers_shows_the_age_of_its_mail_and_not_its_own(threads: World) -> None:
    runtime = threads.runtime
    now_ns = runtime.clock.monotonic_ns
    cell = runtime.populate("gatherer", Gatherer, {"script": Script()})
    cell.handling_enqueued_ns = cell.mailbox.empty_ns = 0  # as if it had been up for days
    runtime.start(cell)
    before_ns, sent = now_ns(), 0

    def gathers() -> bool:
        nonlocal sent
        if cell.processed == sent and not cell.mailbox.empty_ns:  # it did not wait for the last
            sent += 1
            cell.mailbox.put(Note(text="first"))
        return cell.mailbox.empty_ns >= before_ns

    threads.settle(gathers, "it gathers")
    cell.mailbox.put(Note(text="second"))

    assert cell.handling is None
    assert cell.mailbox.depth() == 1
    moment_ns = now_ns()
    assert 0 < cell.oldest_wait_ns(moment_ns) <= moment_ns - before_ns
    runtime.stop(cell, NS_PER_S)


class Turns(Gatherer):
    """Goes on by a timer, again and again, as metrics does with what it gathers."""

    gather_ms = 3_600_000

    def started(self) -> None:
        self.left = 5
        self.ctx.after(NS_PER_MS, Note(text="turn"))

    def receive(self, message: Any) -> None:
        self.left -= 1
        if self.left:
            self.ctx.after(NS_PER_MS, message)


def test_who_gathers_is_woken_by_its_timer_and_does_not_let_more_come_then(threads: World) -> None:
    """It would take its time for each turn of a thousand: metrics were seconds late by that."""
    cell = threads.runtime.populate("turns", Turns, {"script": Script()})
    threads.runtime.start(cell)

    threads.settle(lambda: cell.processed == 5, "each of its timers was handled")
    threads.runtime.stop(cell, NS_PER_S)


def test_who_lets_more_mail_come_does_so_until_its_next_timer_at_most(threads: World) -> None:
    """With an order each 2 ms each of its turns was 20 ms late, and the lines piled up."""
    cell = threads.runtime.populate("turns", Turns, {"script": Script()})
    threads.runtime.start(cell)
    cell.mailbox.put(Note(text="mail"))

    threads.settle(lambda: cell.processed >= 5, "the mail and its timers were handled")
    threads.runtime.stop(cell, NS_PER_S)


def test_mail_is_as_old_at_most_as_what_was_taken_last_or_as_an_empty_box() -> None:
    runtime = StepRuntime(start_ns=1_000)
    cell = runtime.populate("one", Probe, {"script": Script()})
    runtime.start(cell)
    ages = []
    for gap_ns in (100, 200):
        cell.mailbox.put(Note(text="x"))
        runtime.clock.now_ns += gap_ns
        cell.mailbox.put(Note(text="y"))
        ages.append(cell.oldest_wait_ns(runtime.clock.now_ns))
        runtime.step()  # the first is handled; the second waits, and came later than that
        ages.append(cell.oldest_wait_ns(runtime.clock.now_ns))
        runtime.run_until_idle()
        runtime.clock.now_ns += NS_PER_S
        ages.append(cell.oldest_wait_ns(runtime.clock.now_ns))

    assert ages == [100, 100, 0, 200, 200, 0]


@pytest.mark.parametrize("state", [ActorState.RECONCILING, ActorState.RUNNING])
def test_the_uptime_is_the_incarnations_whatever_state_it_is_in(state: ActorState) -> None:
    runtime = StepRuntime()
    cell = runtime.populate("one", Probe, {"script": Script()})
    assert cell.uptime_ns(5) == 0
    runtime.start(cell)
    runtime.clock.now_ns += 7 * NS_PER_MS
    cell.set_state(state)
    runtime.clock.now_ns += 3 * NS_PER_MS

    assert cell.uptime_ns(runtime.clock.now_ns) == 10 * NS_PER_MS
    runtime.stop(cell, NS_PER_S)
    assert cell.uptime_ns(runtime.clock.now_ns) == 0
    runtime.start(cell)
    assert cell.uptime_ns(runtime.clock.now_ns) == 0
