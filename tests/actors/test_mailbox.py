"""The mailbox by itself: order of service, bounds, policies, timers, closing, fencing."""

from collections import deque
from typing import Any, ClassVar

import pykka
import pytest

from actors.actor import BUILT_IN
from actors.clock import VirtualClock
from actors.dead_letters import DeadLetters
from actors.envelope import Envelope, StopRequest
from actors.mailbox import FENCED, Mailbox, Timer
from actors.step_runtime import StepQueue
from messages.base import Delivery, Message, OnRestart, Overflow
from messages.errors import ActorUnavailable
from messages.ids import NS_PER_MS, ActorPath


class Item(Message, frozen=True, kw_only=True):
    """Refused when the mailbox is full; kept over a restart."""

    n: int


class Fact(Item, frozen=True, kw_only=True):
    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.GROW)


class Order(Item, frozen=True, kw_only=True):
    delivery: ClassVar[Delivery] = Delivery(control=True, overflow=Overflow.GROW)


class Price(Item, frozen=True, kw_only=True):
    delivery: ClassVar[Delivery] = Delivery(
        overflow=Overflow.CONFLATE, on_restart=OnRestart.DROP, ttl_ms=100
    )
    symbol: str = "BTC"

    def conflation_key(self) -> str:
        return self.symbol


class Level(Item, frozen=True, kw_only=True):
    """Conflates and is kept over a restart."""

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.CONFLATE)


class Bar(Item, frozen=True, kw_only=True):
    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.DROP_OLDEST)


class Intent(Item, frozen=True, kw_only=True):
    delivery: ClassVar[Delivery] = Delivery(ttl_ms=50)


class Reader:
    """An incarnation as a mailbox sees it."""

    def __init__(self) -> None:
        self.fenced = False
        self.timers: list[Timer] = []


class Box:
    """A mailbox with a clock, its dead letters and a present reader."""

    def __init__(self, capacity: int = 1000) -> None:
        self.clock = VirtualClock()
        self.letters = DeadLetters()
        self.mail = Mailbox(ActorPath("a"), capacity, self.letters, self.clock.monotonic_ns)
        self.reader = Reader()
        self.mail.begin_incarnation(self.reader)

    def put(self, *messages: Item) -> list[bool]:
        return [self.mail.put(message) for message in messages]

    def ask(self, message: Item) -> "pykka.ThreadingFuture[object]":
        future: pykka.ThreadingFuture[object] = pykka.ThreadingFuture()
        self.mail.ask(message, future)
        return future

    def next(self) -> Item | None:
        envelope = self.mail.poll(self.reader)
        return None if envelope is None else envelope.message

    def rest(self) -> list[int]:
        taken = []
        while (message := self.next()) is not None:
            taken.append(message.n)
        return taken

    def restart(self) -> None:
        self.reader.fenced = True
        self.reader = Reader()
        self.mail.begin_incarnation(self.reader)

    def wait(self, ms: int) -> None:
        self.clock.advance_to(self.clock.now_ns + ms * NS_PER_MS)

    def dead(self) -> dict[str, int]:
        return {why: n for (_, why), n in self.letters.counts.items()}


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def small() -> Box:
    return Box(capacity=3)


# ---------------------------------------------------------------- order of service


def test_mail_is_served_in_the_order_it_came(box: Box) -> None:
    box.put(Item(n=1), Fact(n=2), Bar(n=3), Price(n=4), Item(n=5))

    assert box.rest() == [1, 2, 3, 4, 5]


def test_control_goes_first(box: Box) -> None:
    box.put(Item(n=1), Order(n=2), Item(n=3), Order(n=4))

    assert box.rest() == [2, 4, 1, 3]


def test_a_due_timer_goes_before_the_user_lane_and_after_control(box: Box) -> None:
    box.put(Item(n=1))
    box.mail.set_timer(box.reader, 5, Fact(n=2))
    box.clock.advance_to(5)
    box.put(Order(n=3))

    assert box.rest() == [3, 2, 1]


def test_a_timer_is_not_early_and_timers_fire_in_the_order_they_are_due(box: Box) -> None:
    box.mail.set_timer(box.reader, 20 * NS_PER_MS, Item(n=2))
    box.mail.set_timer(box.reader, 10 * NS_PER_MS, Item(n=1))
    box.mail.set_timer(box.reader, 20 * NS_PER_MS, Item(n=3))

    assert box.rest() == []
    box.wait(10)
    assert box.rest() == [1]
    box.wait(10)
    assert box.rest() == [2, 3]


def test_a_periodic_timer_that_was_late_does_not_fire_in_a_burst(box: Box) -> None:
    box.mail.set_timer(box.reader, 10 * NS_PER_MS, Item(n=1), every_ns=10 * NS_PER_MS)

    box.wait(95)
    late = box.rest()
    box.wait(10)

    assert late == [1, 1]
    assert box.rest() == [1]


def test_timers_end_with_the_incarnation_that_set_them(box: Box) -> None:
    box.mail.set_timer(box.reader, 10 * NS_PER_MS, Item(n=1), every_ns=NS_PER_MS)
    old = box.reader
    box.restart()
    box.mail.set_timer(old, 10 * NS_PER_MS, Item(n=2))

    box.wait(1000)

    assert box.mail.next_due_ns() is None
    assert box.rest() == []


# ---------------------------------------------------------------- bounds


def test_a_full_mailbox_rejects_and_says_so(small: Box) -> None:
    assert small.put(*(Item(n=n) for n in range(5))) == [True, True, True, False, False]
    assert small.rest() == [0, 1, 2]
    assert small.dead() == {"full": 2}


def test_facts_are_taken_beyond_the_bound(small: Box) -> None:
    assert all(small.put(*(Fact(n=n) for n in range(5))))
    assert small.rest() == [0, 1, 2, 3, 4]


def test_control_never_counts_towards_the_bound(small: Box) -> None:
    small.put(*(Order(n=n) for n in range(10)))

    assert small.put(*(Item(n=n) for n in range(10, 14))) == [True, True, True, False]


def test_the_oldest_of_the_same_class_makes_room(small: Box) -> None:
    assert all(small.put(*(Bar(n=n) for n in range(6))))
    assert small.mail.depth() == 3
    assert small.rest() == [3, 4, 5]
    assert small.dead() == {"oldest": 3}
    assert [letter.message.n for letter in small.letters.ring] == [0, 1, 2]


def test_making_room_takes_no_memory(small: Box) -> None:
    small.put(*(Bar(n=n) for n in range(10_000)))

    assert small.mail.depth() == 3
    assert small.mail.high_water == 3


def test_other_classes_do_not_make_room(small: Box) -> None:
    small.put(Item(n=1), Item(n=2), Item(n=3))

    small.put(Bar(n=4), Bar(n=5))

    assert small.rest() == [1, 2, 3, 5]
    assert small.dead() == {"oldest": 1}


def test_room_that_was_read_is_room_again(small: Box) -> None:
    small.put(*(Bar(n=n) for n in range(4)))
    assert small.next() == Bar(n=1)

    small.put(Bar(n=4))

    assert small.rest() == [2, 3, 4]
    assert small.dead() == {"oldest": 1}


def test_mail_kept_over_restarts_counts_towards_the_bound(small: Box) -> None:
    for _ in range(3):
        small.put(*(Item(n=n) for n in range(5)))
        small.restart()

    assert small.mail.depth() == 3


def test_the_high_water_mark_is_the_deepest_it_ever_was(box: Box) -> None:
    box.put(*(Item(n=n) for n in range(7)), *(Bar(n=n) for n in range(2)))
    box.rest()

    assert box.mail.high_water == 9
    assert box.mail.depth() == 0


# ---------------------------------------------------------------- conflation


def test_a_newer_price_takes_the_place_of_the_queued_one(box: Box) -> None:
    box.put(Price(n=1), Item(n=2), Price(n=3), Price(n=4, symbol="ETH"))

    assert box.rest() == [3, 2, 4]
    assert box.dead() == {}


def test_a_price_that_is_read_is_not_replaced(box: Box) -> None:
    box.put(Price(n=1))
    first = box.next()

    box.put(Price(n=2))

    assert first == Price(n=1)
    assert box.rest() == [2]


def test_a_newer_price_is_as_fresh_as_itself(box: Box) -> None:
    box.put(Price(n=1))
    box.wait(90)
    box.put(Price(n=2))
    box.wait(90)

    assert box.rest() == [2]
    assert box.dead() == {}


def test_an_asked_message_is_never_replaced_and_replaces_none(box: Box) -> None:
    box.put(Price(n=1))
    future = box.ask(Price(n=2))
    box.put(Price(n=3))

    taken = [box.mail.poll(box.reader), box.mail.poll(box.reader)]

    assert [(e.message.n, e.reply_to) for e in taken if e] == [(3, None), (2, future)]


def test_a_kept_class_conflates_with_what_was_queued_before_the_restart(box: Box) -> None:
    box.put(Level(n=1))
    box.restart()
    box.put(Level(n=2))

    assert box.rest() == [2]


# ---------------------------------------------------------------- age


def test_what_waited_longer_than_its_ttl_is_a_dead_letter(box: Box) -> None:
    box.put(Intent(n=1))
    box.wait(30)
    box.put(Intent(n=2))
    box.wait(30)

    assert box.rest() == [2]
    assert box.dead() == {"expired": 1}


def test_a_replay_may_switch_ages_off(box: Box) -> None:
    box.mail.ttl_enforced = False
    box.put(Intent(n=1))
    box.wait(1000)

    assert box.rest() == [1]


def test_an_expired_ask_is_answered_at_once(box: Box) -> None:
    future = box.ask(Intent(n=1))
    box.wait(60)
    box.rest()

    with pytest.raises(ActorUnavailable, match="expired"):
        future.get(timeout=0)


# ---------------------------------------------------------------- restarts


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


# ---------------------------------------------------------------- closing


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


# ---------------------------------------------------------------- drain


def test_drain_takes_what_is_alike_from_the_head(box: Box) -> None:
    box.put(Item(n=1), Item(n=2), Item(n=3), Fact(n=4), Item(n=5))

    assert [m.n for m in box.mail.drain((Item,), 2, box.reader)] == [1, 2]
    assert [m.n for m in box.mail.drain((Item,), 9, box.reader)] == [3]
    assert box.mail.drain((Item,), 9, box.reader) == []
    assert box.rest() == [4, 5]


def test_drain_stops_at_an_ask_and_before_control(box: Box) -> None:
    box.put(Item(n=1))
    box.ask(Item(n=2))
    box.put(Item(n=3))

    assert [m.n for m in box.mail.drain((Item,), 9, box.reader)] == [1]
    box.put(Order(n=4))
    assert box.mail.drain((Item,), 9, box.reader) == []
    assert box.rest() == [4, 2, 3]


def test_drain_leaves_expired_ones_out_and_finds_those_kept_over_a_restart(box: Box) -> None:
    box.put(Intent(n=1))
    box.wait(60)
    box.put(Intent(n=2))
    box.restart()

    assert [m.n for m in box.mail.drain((Intent,), 9, box.reader)] == [2]


# ---------------------------------------------------------------- fencing


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


def test_what_every_actor_answers_by_itself_never_comes_as_a_told_message_or_a_fact() -> None:
    assert all(kind.delivery is not Message.delivery for kind in BUILT_IN)
    grown = [kind.delivery for kind in BUILT_IN if kind.delivery.overflow is Overflow.GROW]
    assert all(policy.control for policy in grown)


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
