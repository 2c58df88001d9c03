"""A reader that was replaced gets nothing, and what it had taken goes to the next one."""

from collections import deque
from typing import Any

from actors.clock import VirtualClock
from actors.dead_letters import DeadLetters
from actors.envelope import Envelope
from actors.mailbox import FENCED, Mailbox
from actors.step_runtime import StepQueue
from messages.ids import ActorPath
from tests.actors.mailbox.box import Box, Fact, Item, Order, Reader


def test_a_fenced_reader_is_given_nothing(box: Box) -> None:
    box.put(Item(n=1))
    box.reader.fenced = True

    assert box.mail.take(box.reader) is FENCED
    assert box.mail.drain((Item,), 9, box.reader) == []
    box.restart()
    assert box.rest() == [1]


def test_what_a_reader_took_while_it_was_fenced_goes_to_the_next_one_first(box: Box) -> None:
    class FencedMeanwhile(Reader):
        looks = 0

        @property
        def fenced(self) -> bool:
            self.looks += 1
            return self.looks > 1

        @fenced.setter
        def fenced(self, value: bool) -> None:
            pass

    box.put(Item(n=1), Item(n=2))

    assert box.mail.take(FencedMeanwhile()) is FENCED
    assert box.rest() == [1, 2]


def test_a_wake_that_a_fenced_reader_took_is_passed_on(box: Box) -> None:
    box.put(Order(n=1))
    box.reader.fenced = True
    wake = box.mail._user.get(False)

    assert box.mail._accept(wake, box.reader) is None
    assert box.mail._user.qsize() == 1


def test_handing_on_keeps_the_asker(box: Box) -> None:
    future = box.ask(Item(n=1))
    taken = box.mail.poll(box.reader)
    assert isinstance(taken, Envelope)

    box.mail.hand_on(taken)
    box.restart()

    again = box.mail.poll(box.reader)
    assert again is not None
    assert again.reply_to is future


class FencingQueue(StepQueue):
    """Its reader is replaced at the moment in which it takes something."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(ActorPath("p"), deque(), set())
        self.reader = reader

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        item = super().get(block, timeout)
        self.reader.fenced = True
        return item


def test_a_reader_replaced_in_a_drain_wakes_the_next_for_what_it_puts_back() -> None:
    """The next one may wait in the user lane already, which has nothing for it."""
    reader = Reader()
    queue = FencingQueue(reader)
    mail = Mailbox(ActorPath("p"), 9, DeadLetters(), VirtualClock().monotonic_ns, queue)
    mail.put(Fact(n=1))

    assert mail.drain((Item,), 9, reader) == []

    assert not queue.empty()
    assert mail.poll(Reader()).message == Fact(n=1)  # type: ignore[union-attr]  # there is one
