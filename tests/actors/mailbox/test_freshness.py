"""No message is read that a newer one has replaced or that has grown too old."""

import pytest

from messages.errors import ActorUnavailable
from tests.actors.mailbox.box import Box, Intent, Item, Level, Price


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
