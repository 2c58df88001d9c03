"""The catalogue holds every message, and every message says who tells it to whom."""

import inspect
from typing import get_args

import pytest

from messages import account, alerts, bus, halting, lifecycle, market, orders, recorded, stops
from messages.base import Delivery, Message, OnRestart, Overflow
from messages.catalogue import AnyMessage

MODULES = (account, alerts, bus, halting, lifecycle, market, orders, recorded, stops)
CLASSES: list[type[Message]] = list(get_args(AnyMessage))
LOSS_WORDS = ("lost", "kept", "dropped", "newest")
RESTART_WORDS = ("restart", "incarnation")
OVERFLOW_WORDS = {
    Overflow.REJECT: ("room", "full", "may be lost", "refuses it", "incarnation", "no longer"),
    Overflow.DROP_OLDEST: ("oldest first",),
    Overflow.CONFLATE: ("newest", "replaces it"),
    Overflow.GROW: LOSS_WORDS,
}
TTL_WORDS = {2_000: "2 s", 60_000: "a minute"}


def declared() -> set[type[Message]]:
    return {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Message) and value is not Message
    }


def test_every_message_of_the_modules_is_in_the_catalogue() -> None:
    assert declared() == set(CLASSES)


def test_no_two_messages_share_a_tag() -> None:
    tags = [message.__struct_config__.tag for message in CLASSES]

    assert len(set(tags)) == len(CLASSES)


@pytest.mark.parametrize("message", CLASSES)
def test_a_message_is_frozen_and_refuses_unknown_fields(message: type[Message]) -> None:
    assert message.__struct_config__.frozen
    assert message.__struct_config__.forbid_unknown_fields


@pytest.mark.parametrize("message", CLASSES)
def test_a_message_says_who_sends_it_to_whom(message: type[Message]) -> None:
    assert "->" in inspect.cleandoc(message.__doc__ or "")


@pytest.mark.parametrize("message", CLASSES)
def test_a_message_says_whether_it_may_be_lost(message: type[Message]) -> None:
    assert says(message, LOSS_WORDS)


def says(message: type[Message], any_of: tuple[str, ...]) -> bool:
    text = " ".join((message.__doc__ or "").lower().split())
    return any(word in text for word in any_of)


@pytest.mark.parametrize("message", CLASSES)
def test_a_message_that_a_restart_drops_says_so(message: type[Message]) -> None:
    is_dropped = message.delivery.on_restart is OnRestart.DROP

    assert says(message, RESTART_WORDS) or not is_dropped


@pytest.mark.parametrize("message", CLASSES)
def test_a_message_says_what_a_full_mailbox_does_to_it(message: type[Message]) -> None:
    assert says(message, OVERFLOW_WORDS[message.delivery.overflow])


@pytest.mark.parametrize("message", CLASSES)
def test_a_message_that_a_queue_makes_too_old_says_when(message: type[Message]) -> None:
    ttl_ms = message.delivery.ttl_ms

    assert ttl_ms is None or says(message, (TTL_WORDS[ttl_ms],))


@pytest.mark.parametrize("message", CLASSES)
def test_a_message_has_its_rules_of_delivery(message: type[Message]) -> None:
    assert isinstance(message.delivery, Delivery)
