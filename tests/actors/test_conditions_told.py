"""What lasts at a venue is told to each executor that begins, and never after its end."""

import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from actors.gateway import ExecutorAddress
from actors.live_gateway import LiveGateway
from exchanges.conditions import Condition, over
from exchanges.venue_loop import VenueLoop
from messages.ids import Epoch, TimestampNs
from messages.orders import VenueNotice

LIMIT_S = 20.0
CLOCK = Condition(name="clock", text="the clocks differ")


class Venue:
    """Has no markets; what it says of conditions is said by a test."""

    def follow(self, tell: Any, rules: Any) -> None:
        self.tell = tell

    def markets(self) -> dict[Any, Any]:
        return {}


class Executor:
    """Listens, and lets something happen when it hears the first of an incarnation."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.meanwhile: Any = None

    def tell(self, message: Any) -> bool:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        if isinstance(message, VenueNotice):
            self.heard.append(message.text)
        return True


@pytest.fixture
def scene() -> Iterator[tuple[Venue, Executor, LiveGateway]]:
    loop, venue, executor = VenueLoop("conditions"), Venue(), Executor()
    loop.start()
    gateway = LiveGateway(
        cast("Any", venue), loop, cast("ExecutorAddress", executor), lambda: TimestampNs(0)
    )
    yield venue, executor, gateway
    loop.close(LIMIT_S)


def test_what_lasts_is_told_anew_to_each_executor_that_begins(
    scene: tuple[Venue, Executor, LiveGateway],
) -> None:
    venue, executor, gateway = scene
    venue.tell(CLOCK)
    gateway.take_over(Epoch(1))
    venue.tell(over("clock"))
    gateway.take_over(Epoch(2))

    assert executor.heard == [CLOCK.text, CLOCK.text, ""]


def test_what_ends_while_an_executor_begins_is_told_as_over_after_it(
    scene: tuple[Venue, Executor, LiveGateway],
) -> None:
    """Told the other way round it would stand in `health` for ever, or halt a run for nothing."""
    venue, executor, gateway = scene
    venue.tell(CLOCK)
    ends = threading.Thread(target=venue.tell, args=(over("clock"),))

    def ending() -> None:
        ends.start()
        ends.join(0.05)  # it would have been told by then

    executor.meanwhile = ending
    gateway.take_over(Epoch(1))
    ends.join(LIMIT_S)

    assert executor.heard == [CLOCK.text, CLOCK.text, ""]
