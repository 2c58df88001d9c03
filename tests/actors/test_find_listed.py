"""Many orders of one symbol: its list of open orders settles those that it proves, no other."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

import msgspec
import pytest

from actors.gateway import ExecutorAddress, Question
from actors.live_gateway import TOGETHER, LiveGateway
from exchanges.protocol import NewOrder
from exchanges.venue_loop import VenueLoop
from messages.ids import ClientOrderId, Epoch, OrderKey, Symbol, TimestampNs, VenueOrderId
from messages.orders import LookupDone, OrderReport
from messages.values import OrderState, OrderType, Side, TimeInForce
from tests.actors.order_path import BTC

LIMIT_NS = 60_000_000_000
NAMES = [f"wk{number}" for number in range(TOGETHER)]


def listed(name: str, **changes: Any) -> OrderReport:
    report = OrderReport(
        client_order_id=ClientOrderId(name),
        symbol=BTC,
        state=OrderState.ACCEPTED,
        venue_order_id=VenueOrderId(f"v-{name}"),
        filled_quantity=Decimal(0),
        average_price=None,
        fills=(),
        reason="",
        evidence="open orders",
        ts_event_ns=TimestampNs(0),
    )
    return msgspec.structs.replace(report, **changes)


def question(name: str) -> Question:
    order = NewOrder(
        client_order_id=ClientOrderId(name),
        symbol=BTC,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(1),
        limit_price=Decimal(1),
        decided_at_ns=TimestampNs(0),
        venue_order_id=VenueOrderId(f"v-{name}"),
    )
    return Question(OrderKey(name), order, 0)


class Venue:
    """Lists what a test wants listed; whoever is asked for by itself is noted."""

    def __init__(self) -> None:
        self.shows = [listed(name) for name in NAMES]
        self.asked: list[str] = []

    def follow(self, *_: Any) -> None:
        """Nothing ever changes."""

    def markets(self) -> dict[Symbol, Any]:
        return {}

    async def open_orders(self, _: Symbol) -> list[OrderReport]:
        return self.shows

    async def find(self, name: ClientOrderId, *_: Any, **__: Any) -> None:
        self.asked.append(name)


class Told:
    def __init__(self) -> None:
        self.found: set[str] = set()

    def tell(self, message: Any) -> bool:
        if isinstance(message, LookupDone) and message.report is not None:
            self.found.add(message.order_key)
        return True


@pytest.fixture
def loop() -> Iterator[VenueLoop]:
    made = VenueLoop("loop-of-a-test")
    made.start()
    yield made
    made.close(60)


@pytest.mark.parametrize(
    ("shows", "asked"),
    [
        ([listed(name) for name in NAMES], []),
        ([listed(name) for name in NAMES[1:]], ["wk0"]),
        ([listed(name) for name in [*NAMES, "wk0"]], ["wk0"]),
        ([listed("wk0", venue_order_id=VenueOrderId("another")), *map(listed, NAMES[1:])], ["wk0"]),
        ([listed("wk0", state=OrderState.PARTIALLY_FILLED), *map(listed, NAMES[1:])], ["wk0"]),
    ],
    ids=["all", "one is missing", "one is there twice", "one is another", "one has fills"],
)
def test_what_a_list_does_not_prove_is_asked_for_by_itself(
    loop: VenueLoop, shows: list[OrderReport], asked: list[str]
) -> None:
    venue, told = Venue(), Told()
    venue.shows = shows
    executor = cast("ExecutorAddress", told)
    gateway = LiveGateway(cast("Any", venue), loop, executor, lambda: TimestampNs(0))
    gateway.take_over(Epoch(1))

    gateway.find_all(Epoch(1), [question(name) for name in NAMES])

    assert gateway.flush(LIMIT_NS)
    assert venue.asked == asked
    assert told.found == set(NAMES) - set(asked)
