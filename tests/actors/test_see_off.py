"""An order that goes alone leaves undisturbed: the executor's other work waits until it has."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from actors import live_gateway
from actors.gateway import ExecutorAddress
from actors.live_gateway import LiveGateway
from decisions.risk import RiskLimits
from exchanges.protocol import NewOrder
from exchanges.venue_loop import VenueLoop
from messages.ids import Epoch, OrderKey, TimestampNs
from messages.orders import LookupDone
from tests.actors.order_path import HandGateway, OrderPath, key_of
from tests.new_orders import market_buy

LIMIT_S = 60.0
ORDER = market_buy()


# ------------------------------------------------------------ whom the executor sees off


class Watched(HandGateway):
    """Notes of how many orders it had, whenever one is seen off."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen_off: list[int] = []

    def see_off(self) -> None:
        self.seen_off.append(len(self.sent))


def watched(path: OrderPath) -> list[int]:
    assert isinstance(path.gateway, Watched)
    return path.gateway.seen_off


def test_an_order_that_goes_alone_is_seen_off_once_it_is_handed_over(tmp_path: Path) -> None:
    path = OrderPath(tmp_path, make_gateway=Watched).start()

    path.tell(path.intent(0))
    path.tell(path.intent(1))

    assert watched(path) == [1, 2]


def test_of_orders_that_go_together_none_keeps_the_others_waiting(tmp_path: Path) -> None:
    path = OrderPath(tmp_path, make_gateway=Watched).start()

    path.tell(path.intent(0), path.intent(1))

    assert len(path.gateway.sent) == 2
    assert watched(path) == []


def test_while_another_message_waits_nobody_is_seen_off(tmp_path: Path) -> None:
    path = OrderPath(tmp_path, make_gateway=Watched).start()
    late = LookupDone(order_key=key_of(7), epoch=Epoch(1), report=None, problem="late")

    path.tell(path.intent(0), late)

    assert len(path.gateway.sent) == 1
    assert watched(path) == []


def test_a_refused_order_goes_nowhere(tmp_path: Path) -> None:
    limits = RiskLimits(max_order_notional=Decimal("0.01"))
    path = OrderPath(tmp_path, make_gateway=Watched, limits=limits).start()

    path.tell(path.intent(0))

    assert path.gateway.sent == []
    assert watched(path) == []


# ------------------------------------------------------------ until when


class Venue:
    """Signs when it is let, and writes in a task of its own, as aiohttp does."""

    def __init__(self) -> None:
        self.may_sign = threading.Event()
        self.written = threading.Event()
        self.refused = threading.Event()

    def follow(self, *_: Any) -> None:
        """Nothing ever changes."""

    def markets(self) -> dict[Any, Any]:
        return {}

    async def submit(self, order: NewOrder, fence: Callable[[], None]) -> None:
        del order
        await asyncio.to_thread(self.may_sign.wait, LIMIT_S)
        try:
            fence()
        except Exception:
            self.refused.set()
            raise
        task = asyncio.get_running_loop().create_task(self._write())
        await task
        await asyncio.sleep(LIMIT_S)  # the answer is not soon there

    async def _write(self) -> None:
        self.written.set()


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def gateway(venue: Venue) -> Iterator[LiveGateway]:
    loop = VenueLoop("loop-of-a-test")
    loop.start()
    executor = cast("ExecutorAddress", Deaf())
    made = LiveGateway(cast("Any", venue), loop, executor, lambda: TimestampNs(0))
    made.take_over(Epoch(1))
    yield made
    loop.close(LIMIT_S)


class Deaf:
    """Where the answers go."""

    def tell(self, _: Any) -> bool:
        return True


def send(gateway: LiveGateway, epoch: int = 1) -> None:
    key = OrderKey("0" * 32)
    gateway.submit(Epoch(epoch), key, ORDER, sent_at_ns=0, good_until_ns=None)


def seen_off(gateway: LiveGateway) -> threading.Thread:
    thread = threading.Thread(target=gateway.see_off)
    thread.start()
    return thread


class Left(threading.Event):
    """Notes whether the request had been written whenever it is set."""

    def __init__(self, venue: Venue) -> None:
        super().__init__()
        self._venue = venue
        self.written: list[bool] = []

    def set(self) -> None:
        self.written.append(self._venue.written.is_set())
        super().set()


def test_it_has_been_written_and_not_only_signed(
    gateway: LiveGateway, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_gateway, "LEAVES_S", LIMIT_S)
    left = gateway._left = Left(venue)
    for _ in range(20):
        venue.may_sign.clear()
        venue.written.clear()
        send(gateway)
        waiting = seen_off(gateway)
        waiting.join(0.01)
        assert waiting.is_alive(), "it has not left"

        venue.may_sign.set()
        waiting.join(LIMIT_S / 2)
        assert not waiting.is_alive()
    assert left.written == [True] * 20


def test_one_that_may_not_leave_is_not_waited_for(
    gateway: LiveGateway, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_gateway, "LEAVES_S", LIMIT_S)
    send(gateway)
    gateway.barred = "trading is halted"
    venue.may_sign.set()

    waiting = seen_off(gateway)
    waiting.join(LIMIT_S / 2)

    assert not waiting.is_alive()
    assert venue.refused.is_set()
    assert not venue.written.is_set()


def test_one_that_waits_for_its_turn_is_not_waited_for_long(gateway: LiveGateway) -> None:
    send(gateway)
    waiting = seen_off(gateway)
    waiting.join(LIMIT_S)
    assert not waiting.is_alive()
