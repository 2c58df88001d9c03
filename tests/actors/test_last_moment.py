"""What is asked at the last moment, the request signed: whether this order may leave at all."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from actors.gateway import ExecutorAddress, Gateway
from actors.live_gateway import LiveGateway
from actors.paper_gateway import PaperGateway
from exchanges.protocol import SEND_WITHIN_MS, NewOrder
from exchanges.venue_loop import VenueLoop
from messages.errors import ActorUnavailable, NotSent
from messages.ids import NS_PER_MS, NS_PER_S, Epoch, OrderKey, TimestampNs
from messages.orders import SubmitDone
from messages.values import OrderState
from tests.actors.order_path import HandGateway, OrderPath
from tests.new_orders import market_buy

NOW_NS = TimestampNs(1_000 * NS_PER_S)
LONGEST_NS = SEND_WITHIN_MS * NS_PER_MS
LIMIT_S = 60.0
ORDER = market_buy()


class Venue:
    """Asks whether an order may leave after `meanwhile`, and notes that it has left."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] = lambda: None
        self.left = self.canceled = 0

    def follow(self, *_: Any) -> None:
        """Nothing ever changes."""

    def markets(self) -> dict[Any, Any]:
        return {}

    async def submit(self, order: NewOrder, fence: Callable[[], None]) -> None:
        del order
        self.meanwhile()
        fence()
        self.left += 1
        raise NotSent("it left")

    async def cancel(self, *_: Any) -> None:
        self.canceled += 1


class Told:
    """What the executor is told."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def tell(self, message: SubmitDone) -> bool:
        assert message.report.state is OrderState.NOT_SENT
        self.reasons.append(message.report.reason)
        return True


class Scene:
    """One order on its way through a gateway to a real exchange."""

    def __init__(self, loop: VenueLoop) -> None:
        self.venue, self.told = Venue(), Told()
        self.may_trade = ""
        executor = cast("ExecutorAddress", self.told)
        venue: Any = self.venue
        self.gateway = LiveGateway(venue, loop, executor, lambda: NOW_NS, self._may_send)
        self.gateway.take_over(Epoch(1))

    def _may_send(self) -> None:
        if self.may_trade:
            raise NotSent(self.may_trade)

    def send(self, *, sent_at_ns: int = NOW_NS, good_until_ns: int | None = None) -> str:
        """Give why it did not leave."""
        self.gateway.submit(
            Epoch(1), OrderKey("k"), ORDER, sent_at_ns=sent_at_ns, good_until_ns=good_until_ns
        )
        assert self.gateway.flush(int(LIMIT_S * NS_PER_S))
        (reason,) = self.told.reasons
        return reason


@pytest.fixture
def scene() -> Iterator[Scene]:
    loop = VenueLoop("loop-of-a-test")
    loop.start()
    yield Scene(loop)
    loop.close(LIMIT_S)


@pytest.mark.parametrize(
    "when", [{}, {"sent_at_ns": NOW_NS - LONGEST_NS}, {"good_until_ns": NOW_NS}]
)
def test_an_order_in_time_leaves(scene: Scene, when: dict[str, int]) -> None:
    assert (scene.send(**when), scene.venue.left) == ("it left", 1)


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ({"sent_at_ns": NOW_NS - LONGEST_NS - 1}, "stale: it was marked as sent too long ago"),
        ({"good_until_ns": NOW_NS - 1}, "stale: its turn to be sent came too late"),
    ],
)
def test_one_that_is_late_does_not(scene: Scene, when: dict[str, int], why: str) -> None:
    assert (scene.send(**when), scene.venue.left) == (why, 0)


def test_nor_one_whose_executor_was_replaced_while_it_was_signed(scene: Scene) -> None:
    scene.venue.meanwhile = lambda: scene.gateway.take_over(Epoch(2))

    assert (scene.send(), scene.venue.left) == ("executor 1 was replaced by 2", 0)


def test_nor_one_that_a_halt_met(scene: Scene) -> None:
    scene.venue.meanwhile = lambda: setattr(scene.gateway, "barred", "a person said so")

    assert (scene.send(), scene.venue.left) == ("halted: a person said so", 0)


def test_nor_one_of_a_process_that_may_not_trade_the_account(scene: Scene) -> None:
    scene.may_trade = "the lease ended"

    assert (scene.send(), scene.venue.left) == ("the lease ended", 0)


def test_a_cancel_of_a_replaced_executor_is_dropped(scene: Scene) -> None:
    scene.gateway.take_over(Epoch(2))

    scene.gateway.cancel(Epoch(1), OrderKey("k"), ORDER)

    assert scene.gateway.flush(int(LIMIT_S * NS_PER_S))
    assert (scene.venue.canceled, scene.told.reasons) == (0, [])


def test_a_played_venue_takes_no_late_one_either() -> None:
    told, venue = Told(), cast("Any", None)
    executor = cast("ExecutorAddress", told)
    gateway = PaperGateway(lambda: venue, lambda job: job(), lambda _: True, executor, _now)
    gateway.take_over(Epoch(1))

    gateway.submit(Epoch(1), OrderKey("k"), ORDER, sent_at_ns=0, good_until_ns=NOW_NS - 1)

    assert told.reasons == ["stale: its turn to be sent came too late"]


def _now() -> TimestampNs:
    return NOW_NS


def test_who_was_replaced_may_not_write_the_ledger(tmp_path: Path) -> None:
    gateway: Gateway = OrderPath(tmp_path).gateway
    gateway.take_over(Epoch(2))

    with (
        pytest.raises(ActorUnavailable, match="executor 1 was replaced by 2"),
        gateway.holding(Epoch(1)),
    ):
        pytest.fail("it wrote")


class Dated(HandGateway):
    """Notes until when each order is good."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.good_until: list[int | None] = []

    def submit(self, *call: Any, good_until_ns: int | None, **more: Any) -> None:
        self.good_until.append(good_until_ns)
        super().submit(*call, good_until_ns=good_until_ns, **more)


@pytest.mark.parametrize("age_ns", [None, 5 * NS_PER_S])
def test_an_order_is_good_for_as_long_as_its_decision(tmp_path: Path, age_ns: int | None) -> None:
    desk = OrderPath(tmp_path, make_gateway=Dated, max_decision_age_ns=age_ns).start()
    decision = desk.intent(0)

    desk.tell(decision)

    assert isinstance(desk.gateway, Dated)
    until = None if age_ns is None else decision.ts_created_ns + age_ns
    assert desk.gateway.good_until == [until]
