"""What the gateway to the played venue does with a venue that is out of order."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from actors.address import Address
from actors.paper_gateway import PaperGateway
from exchanges.protocol import NewOrder
from messages.errors import NotSent, OutcomeUnknown, Rejected, VenueError, VenueFailed
from messages.ids import ActorPath, ClientOrderId, Epoch, OrderKey, Symbol, TimestampNs
from messages.lifecycle import HaltTrading
from messages.market import MarketBatch, MarketEvent, Trade
from messages.orders import OrderReport, SubmitDone
from messages.values import OrderState
from tests.new_orders import market_buy

BTC = Symbol("BTC/USDT")


class Venue:
    """Fails the first order, each cancel and each market; takes every other order."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.submitted: list[str] = []

    def submit(self, one: NewOrder) -> OrderReport:
        self.submitted.append(one.client_order_id)
        if len(self.submitted) == 1:
            raise self.error
        return OrderReport(
            client_order_id=one.client_order_id,
            symbol=BTC,
            state=OrderState.ACCEPTED,
            venue_order_id=None,
            filled_quantity=Decimal(0),
            average_price=None,
            fills=(),
            reason="",
            evidence="submit",
            ts_event_ns=TimestampNs(0),
        )

    def cancel(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        raise self.error

    def on_market(self, events: Sequence[MarketEvent]) -> Sequence[OrderReport]:
        raise self.error


class Gate:
    """A gateway whose jobs run at once, its venue, and what the executor is told."""

    def __init__(self, error: BaseException) -> None:
        self.told: list[Any] = []
        gate = self

        class Executor(Address[Any]):
            def __init__(self) -> None:
                pass

            def tell(self, message: Any) -> bool:
                gate.told.append(message)
                return True

        self.venue: Any = Venue(error)
        self.gateway = PaperGateway(
            lambda: gate.venue,
            lambda job: job(),
            lambda _: True,
            Executor(),
            lambda: TimestampNs(0),
        )
        self.gateway.take_over(Epoch(1))

    def submit(self, name: str) -> None:
        self.gateway.submit(
            self.gateway._epoch, OrderKey(name), market_buy(name), sent_at_ns=0, good_until_ns=None
        )

    def shows(self) -> list[Any]:
        """What the executor is told: of an order its name and state, of a halt the reason."""
        return [
            one.reason if isinstance(one, HaltTrading) else (one.order_key, one.report.state)
            for one in self.told
            if isinstance(one, HaltTrading | SubmitDone)
        ]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (VenueFailed("the book is full"), "the book is full"),
        (VenueError("no book"), "no book"),
        (RuntimeError("a mistake"), "RuntimeError: a mistake"),
    ],
)
def test_after_an_order_that_the_venue_itself_failed_nothing_more_is_submitted(
    error: BaseException, why: str
) -> None:
    """Else a sale would be kept without the purchase before it. The halt is told first."""
    gate = Gate(error)

    gate.submit("a")
    gate.submit("b")
    gate.gateway.take_over(Epoch(2))
    gate.submit("c")

    assert gate.venue.submitted == ["a"]
    unknown = [(name, OrderState.UNKNOWN) for name in ("a", "b", "c")]
    assert gate.shows() == [f"the venue failed: {why}", *unknown]


def test_after_a_market_that_the_venue_could_not_take_nothing_is_submitted() -> None:
    gate = Gate(VenueFailed("the book is full"))
    gate.gateway.live_market(
        Trade(
            symbol=BTC,
            price=Decimal(1),
            quantity=Decimal(1),
            aggressor_side=None,
            ts_event_ns=TimestampNs(0),
        )
    )

    gate.submit("a")

    assert gate.venue.submitted == []
    assert gate.shows() == ["the venue failed: the book is full", ("a", OrderState.UNKNOWN)]


def test_after_a_cancel_that_the_book_could_not_take_nothing_is_submitted() -> None:
    gate = Gate(VenueFailed("the book is full"))
    gate.gateway.cancel(Epoch(1), OrderKey("a"), market_buy("a"))

    gate.submit("b")

    assert gate.venue.submitted == []
    assert gate.shows() == ["the venue failed: the book is full", ("b", OrderState.UNKNOWN)]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (NotSent("refused"), OrderState.NOT_SENT),
        (Rejected("malformed"), OrderState.REJECTED),
        (OutcomeUnknown("no answer came"), OrderState.UNKNOWN),
    ],
)
def test_what_befell_one_order_keeps_no_other_from_being_submitted(
    error: VenueError, state: OrderState
) -> None:
    gate = Gate(error)

    gate.submit("a")
    gate.submit("b")

    assert gate.shows() == [("a", state), ("b", OrderState.ACCEPTED)]


class Shown:
    """A venue that notes what it is shown."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []

    def on_market(self, events: Sequence[MarketEvent]) -> Sequence[OrderReport]:
        self.events += events
        return ()


def trades(first: int, count: int, lost: int = 0) -> MarketBatch:
    """Events whose prices are their places."""
    events = tuple(
        Trade(
            symbol=BTC,
            price=Decimal(place),
            quantity=Decimal(1),
            aggressor_side=None,
            ts_event_ns=TimestampNs(place),
        )
        for place in range(first, first + count)
    )
    return MarketBatch(feed=ActorPath("feeds/a"), first_index=first, events=events, lost=lost)


@pytest.mark.parametrize(
    ("batches", "shown", "done"),
    [
        ([trades(0, 2), trades(2, 2)], [0, 1, 2, 3], [2, 4]),
        ([trades(0, 2), trades(0, 3)], [0, 1, 2], [2, 3]),
        ([trades(0, 3), trades(1, 1)], [0, 1, 2], [3, 3]),
        ([trades(0, 2), trades(3, 2)], [0, 1], [2]),
        ([trades(0, 2), trades(3, 2, lost=1)], [0, 1, 3, 4], [2, 5]),
    ],
    ids=["one after the other", "some again", "all again", "a gap", "a gap that is lost"],
)
def test_each_event_of_the_market_is_shown_once_and_none_before_what_is_missing(
    batches: list[MarketBatch], shown: list[int], done: list[int]
) -> None:
    gate = Gate(RuntimeError())
    gate.venue = Shown()
    reached: list[int] = []

    for batch in batches:
        gate.gateway.market(batch, reached.append)

    assert [one.ts_event_ns for one in gate.venue.events] == shown
    assert reached == done
