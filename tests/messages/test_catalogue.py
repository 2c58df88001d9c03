"""The catalogue holds every message, and every message says who tells it to whom."""

import inspect
from typing import get_args

import pytest

from messages import account, alerts, bus, halting, lifecycle, market, orders, recorded, stops
from messages.base import Delivery, Message
from messages.catalogue import AnyMessage

MODULES = (account, alerts, bus, halting, lifecycle, market, orders, recorded, stops)
CLASSES: list[type[Message]] = list(get_args(AnyMessage))
LOSS_WORDS = ("lost", "kept", "dropped", "conflated", "newest", "by ask")


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
    text = (message.__doc__ or "").lower()

    is_an_answer = message is lifecycle.ChildInfo
    assert is_an_answer or any(word in text for word in LOSS_WORDS)


@pytest.mark.parametrize("message", CLASSES)
def test_a_message_has_its_rules_of_delivery(message: type[Message]) -> None:
    assert isinstance(message.delivery, Delivery)
