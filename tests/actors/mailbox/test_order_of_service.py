"""What is served first: control, then timers that are due, then mail in the order it came."""

from actors.actor import BUILT_IN
from messages.base import Message, Overflow
from messages.ids import NS_PER_MS
from tests.actors.mailbox.box import Bar, Box, Fact, Intent, Item, Order, Price


def test_mail_is_served_in_the_order_it_came(box: Box) -> None:
    box.put(Item(n=1), Fact(n=2), Bar(n=3), Price(n=4), Item(n=5))

    assert box.rest() == [1, 2, 3, 4, 5]


def test_control_goes_first(box: Box) -> None:
    box.put(Item(n=1), Order(n=2), Item(n=3), Order(n=4))

    assert box.rest() == [2, 4, 1, 3]


def test_a_due_timer_goes_before_the_user_lane_and_after_control(box: Box) -> None:
    box.put(Item(n=1))
    box.mail.timers.set(box.reader, 5, Fact(n=2))
    box.clock.advance_to(5)
    box.put(Order(n=3))

    assert box.rest() == [3, 2, 1]


def test_a_timer_is_not_early_and_timers_fire_in_the_order_they_are_due(box: Box) -> None:
    box.mail.timers.set(box.reader, 20 * NS_PER_MS, Item(n=2))
    box.mail.timers.set(box.reader, 10 * NS_PER_MS, Item(n=1))
    box.mail.timers.set(box.reader, 20 * NS_PER_MS, Item(n=3))

    assert box.rest() == []
    box.wait(10)
    assert box.rest() == [1]
    box.wait(10)
    assert box.rest() == [2, 3]


def test_a_periodic_timer_that_was_late_does_not_fire_in_a_burst(box: Box) -> None:
    box.mail.timers.set(box.reader, 10 * NS_PER_MS, Item(n=1), every_ns=10 * NS_PER_MS)

    box.wait(95)
    late = box.rest()
    box.wait(10)

    assert late == [1, 1]
    assert box.rest() == [1]


def test_a_timer_that_takes_longer_than_its_period_leaves_room_for_mail(box: Box) -> None:
    """It was served for ever, and nothing else was."""
    box.mail.timers.set(box.reader, 10 * NS_PER_MS, Item(n=0), every_ns=10 * NS_PER_MS)
    box.put(Item(n=1), Item(n=2))
    taken = []
    for _ in range(5):
        box.wait(25)  # the time that it takes
        taken.append(box.next())

    assert taken == [Item(n=0), Item(n=1), Item(n=0), Item(n=2), Item(n=0)]


def test_timers_end_with_the_incarnation_that_set_them(box: Box) -> None:
    box.mail.timers.set(box.reader, 10 * NS_PER_MS, Item(n=1), every_ns=NS_PER_MS)
    old = box.reader
    box.restart()
    box.mail.timers.set(old, 10 * NS_PER_MS, Item(n=2))

    box.wait(1000)

    assert box.mail.timers.next_due_ns() is None
    assert box.rest() == []


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


def test_what_every_actor_answers_by_itself_never_comes_as_a_told_message_or_a_fact() -> None:
    assert all(kind.delivery is not Message.delivery for kind in BUILT_IN)
    grown = [kind.delivery for kind in BUILT_IN if kind.delivery.overflow is Overflow.GROW]
    assert all(policy.control for policy in grown)
