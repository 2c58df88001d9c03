"""What mail outlives: a restart by its class, and the end of its actor not at all."""

import pytest

from actors.envelope import StopRequest
from messages.errors import ActorUnavailable
from tests.actors.mailbox.box import Bar, Box, Fact, Item, Order, Price


def test_a_restart_keeps_and_drops_by_class(box: Box) -> None:
    box.put(Item(n=1), Price(n=2), Fact(n=3), Bar(n=4), Order(n=5))
    box.restart()
    box.put(Item(n=6))

    assert box.rest() == [5, 1, 3, 4, 6]
    assert box.dead() == {"restart": 1}


def test_a_stop_request_dies_with_the_incarnation_it_was_for(box: Box) -> None:
    for drain in (True, False):
        box.mail.put_stop(StopRequest("stop", None, 0, reader=box.reader), drain=drain)
    box.put(Item(n=1))
    box.restart()

    assert box.rest() == [1]


def test_a_stop_request_that_a_drain_put_back_dies_too(box: Box) -> None:
    box.put(Item(n=1))
    box.mail.put_stop(StopRequest("stop", None, 0, reader=box.reader), drain=True)
    assert len(box.mail.drain((Item,), 9, box.reader)) == 1
    box.restart()

    assert box.rest() == []


def test_a_draining_stop_waits_for_what_is_queued_and_another_does_not(box: Box) -> None:
    box.put(Item(n=1))
    box.mail.put_stop(StopRequest("later", None, 0, reader=box.reader), drain=True)
    box.mail.put_stop(StopRequest("now", None, 0, reader=box.reader), drain=False)

    seen = [box.mail.poll(box.reader) for _ in range(3)]

    assert [e.message for e in seen if e] == ["now", Item(n=1), "later"]


def test_a_restart_under_a_stream_of_puts_ends(box: Box) -> None:
    """Each taken message is answered by a new one, as a busy sender would."""
    queue = box.mail._user
    get = queue.get

    def get_and_put(block: bool = True, timeout: float | None = None) -> object:
        found = get(block, timeout)
        box.put(Fact(n=99))
        return found

    box.put(Fact(n=1), Fact(n=2))
    queue_with_sender = type("Busy", (), {"get": staticmethod(get_and_put)})()
    for name in ("put", "qsize", "empty"):
        setattr(queue_with_sender, name, getattr(queue, name))
    box.mail._user = queue_with_sender
    box.restart()
    box.mail._user = queue

    assert box.rest() == [1, 2, 99, 99]


def test_a_closed_mailbox_buries_what_is_queued_and_what_comes(box: Box) -> None:
    box.put(Item(n=1), Order(n=2), Price(n=3), Bar(n=4))
    asked = box.ask(Item(n=5))

    box.mail.close("halted")

    assert box.put(Item(n=6)) == [False]
    assert box.dead() == {"halted": 6}
    with pytest.raises(ActorUnavailable, match="halted"):
        asked.get(timeout=0)
    with pytest.raises(ActorUnavailable, match="halted"):
        box.ask(Item(n=7)).get(timeout=0)


def test_a_reopened_mailbox_is_empty_and_takes_again(box: Box) -> None:
    box.put(Item(n=1), Price(n=2), Bar(n=3))
    box.mail.close("halted")
    box.mail.reopen()
    box.restart()

    assert box.put(Price(n=4), Bar(n=5)) == [True, True]
    assert box.rest() == [4, 5]


@pytest.mark.parametrize("late", [Item(n=1), Order(n=1), Price(n=1), Bar(n=1)])
def test_what_slips_into_a_closing_mailbox_is_buried_by_its_sender(box: Box, late: Item) -> None:
    """The mailbox closes after the sender has looked and before it has put."""

    def close_meanwhile() -> int:
        box.mail._now = box.clock.monotonic_ns
        box.mail.close("halted")
        return 0

    box.mail._now = close_meanwhile
    box.put(late)

    assert box.dead() == {"halted": 1}
    assert box.mail.depth() == 0
