"""A list of what is open over several symbols: each is asked for by itself, on the venue's loop."""

import asyncio
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, cast

import pytest

from actors.gateway import ExecutorAddress
from actors.live_gateway import LiveGateway
from exchanges.venue_loop import VenueLoop
from messages.errors import OutcomeUnknown
from messages.halting import OpenListed
from messages.ids import Epoch, Symbol, TimestampNs

A, B, C = Symbol("A/USDT"), Symbol("B/USDT"), Symbol("C/USDT")
LIMIT_S = 60.0


class Venue:
    """Says of each symbol what a test wants said."""

    def __init__(self) -> None:
        self.says: dict[Symbol, BaseException] = {}
        self.asked: list[Symbol] = []

    def follow(self, *_: Any) -> None: ...

    def markets(self) -> dict[Symbol, Any]:
        return {}

    async def open_orders(self, symbol: Symbol) -> list[Any]:
        self.asked.append(symbol)
        if symbol in self.says:
            raise self.says[symbol]
        return []


class Told:
    """Where the answers go."""

    def __init__(self) -> None:
        self.lists: SimpleQueue[OpenListed] = SimpleQueue()

    def tell(self, message: Any) -> bool:
        if isinstance(message, OpenListed):
            self.lists.put(message)
        return True


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def gateway(venue: Venue, told: Told) -> Iterator[LiveGateway]:
    loop = VenueLoop("loop-of-a-test")
    loop.start()
    executor = cast("ExecutorAddress", told)
    made = LiveGateway(cast("Any", venue), loop, executor, lambda: TimestampNs(0))
    made.take_over(Epoch(1))
    yield made
    loop.close(LIMIT_S)


def answer(gateway: LiveGateway, told: Told) -> OpenListed:
    gateway.list_open(Epoch(1), 7, (A, B, C))
    return told.lists.get(timeout=LIMIT_S)


def test_one_that_cannot_be_asked_for_is_told_and_the_others_are_asked_for(
    venue: Venue, gateway: LiveGateway, told: Told
) -> None:
    venue.says[A] = OutcomeUnknown("no_answer: A is gone")

    listed = answer(gateway, told)

    assert venue.asked == [A, B, C]
    assert "A is gone" in listed.problem


def test_all_that_cannot_be_are_told_of(venue: Venue, gateway: LiveGateway, told: Told) -> None:
    venue.says = {A: OutcomeUnknown("no A"), C: OutcomeUnknown("no C")}

    problem = answer(gateway, told).problem

    assert "no A" in problem
    assert "no C" in problem


def test_a_loop_that_ends_asks_for_no_other(venue: Venue, gateway: LiveGateway, told: Told) -> None:
    venue.says[A] = asyncio.CancelledError()

    assert answer(gateway, told).problem
    assert venue.asked == [A]
