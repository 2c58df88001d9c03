"""What every venue promises about canceling and listing: the paper venue, and ccxt's."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from exchanges.paper import PaperVenue
from exchanges.paper_faults import PaperFault, PaperFaults
from exchanges.protocol import NewOrder
from messages.errors import OutcomeUnknown
from messages.ids import ClientOrderId, Symbol
from messages.market import Candle
from messages.orders import OrderReport
from messages.values import OrderState

BTC = Symbol("BTC/USDT")
MakeOrder = Callable[..., NewOrder]
numbers = itertools.count()


class Bench(Protocol):
    """A venue with one account, and a hand in its market."""

    below: int
    """A price far below the market."""

    def submit(self, order: NewOrder) -> OrderReport: ...
    def cancel(self, name: ClientOrderId) -> OrderReport: ...
    def find(self, name: ClientOrderId) -> OrderReport | None: ...
    def listed(self) -> list[ClientOrderId]: ...
    def fill(self, name: ClientOrderId) -> None: ...
    def lose_the_next_cancel(self) -> None: ...


class Paper:
    below = 50

    def __init__(self, candle: Callable[..., Candle]) -> None:
        self._candle = candle
        self._faults = PaperFaults({})
        self.venue = PaperVenue(None, faults=self._faults)

    def submit(self, order: NewOrder) -> OrderReport:
        return self.venue.submit(order)

    def cancel(self, name: ClientOrderId) -> OrderReport:
        return self.venue.cancel(name, BTC)

    def find(self, name: ClientOrderId) -> OrderReport | None:
        return self.venue.find(name, BTC)

    def listed(self) -> list[ClientOrderId]:
        return [report.client_order_id for report in self.venue.open_orders(BTC)]

    def fill(self, name: ClientOrderId) -> None:
        self.venue.on_market([self._candle(0, low="1")])

    def lose_the_next_cancel(self) -> None:
        self._faults._cancel_script[self._faults._cancels + 1] = PaperFault.LOST_AFTER


class Ccxt:
    below = 50_000

    def __init__(self, run: Any, desk: Any) -> None:
        self._run, self._desk = run, desk

    def submit(self, order: NewOrder) -> OrderReport:
        report: OrderReport = self._desk.call(self._desk.venue.submit(order, lambda: None))
        return report

    def cancel(self, name: ClientOrderId) -> OrderReport:
        report: OrderReport = self._desk.call(self._desk.venue.cancel(name, BTC))
        return report

    def find(self, name: ClientOrderId) -> OrderReport | None:
        found: OrderReport | None = self._desk.call(self._desk.venue.find(name, BTC, sent_at_ns=0))
        return found

    def listed(self) -> list[ClientOrderId]:
        return [r.client_order_id for r in self._desk.call(self._desk.venue.open_orders(BTC))]

    def fill(self, name: ClientOrderId) -> None:
        self._run.exchange.fill_order(name)

    def lose_the_next_cancel(self) -> None:
        from exchanges.local.faults import Fault, Plan

        self._run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="cancel"))


@pytest.fixture(params=["paper", pytest.param("ccxt", marks=pytest.mark.slow)])
def bench(request: pytest.FixtureRequest, candle: Callable[..., Candle]) -> Iterator[Bench]:
    """Each venue in turn, with nothing open."""
    if request.param == "paper":
        paper = Paper(candle)
        yield paper
        paper.venue.close()
        return
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange
    from tests.exchanges.live import desk

    with running_exchange(seed=5, speed=0) as run, desk(run.ccxt_config()) as opened:
        opened.call(opened.venue.open())
        yield Ccxt(run, opened)


@pytest.fixture
def resting(bench: Bench, order: MakeOrder) -> MakeOrder:
    """A small buy far below the market."""
    return lambda: order(f"wk{next(numbers):022d}", quantity="0.001", limit_price=bench.below)


def test_an_open_order_is_listed_canceled_and_listed_no_more(
    bench: Bench, resting: MakeOrder
) -> None:
    order, other = resting(), resting()
    bench.submit(order)
    bench.submit(other)
    assert sorted(bench.listed()) == [order.client_order_id, other.client_order_id]

    report = bench.cancel(order.client_order_id)

    assert report.state is OrderState.CANCELED
    assert bench.listed() == [other.client_order_id]
    found = bench.find(order.client_order_id)
    assert found is not None
    assert found.state is OrderState.CANCELED


def test_a_cancel_that_is_repeated_changes_nothing(bench: Bench, resting: MakeOrder) -> None:
    order = resting()
    bench.submit(order)

    states = [bench.cancel(order.client_order_id).state for _ in range(2)]

    assert states == [OrderState.CANCELED, OrderState.CANCELED]


def test_a_cancel_that_comes_after_the_fill_says_filled(bench: Bench, resting: MakeOrder) -> None:
    order = resting()
    bench.submit(order)
    bench.fill(order.client_order_id)

    report = bench.cancel(order.client_order_id)

    assert (report.state, report.filled_quantity) == (OrderState.FILLED, order.quantity)
    assert sum(fill.quantity for fill in report.fills) == order.quantity


def test_a_cancel_of_what_the_venue_does_not_know_proves_nothing(
    bench: Bench, resting: MakeOrder
) -> None:
    with pytest.raises(OutcomeUnknown, match="shows no order to cancel"):
        bench.cancel(resting().client_order_id)


def test_a_cancel_whose_answer_is_lost_has_worked_and_asking_shows_it(
    bench: Bench, resting: MakeOrder
) -> None:
    order = resting()
    bench.submit(order)
    bench.lose_the_next_cancel()

    try:
        told = bench.cancel(order.client_order_id).state
    except OutcomeUnknown:
        told = None

    assert told in (None, OrderState.CANCELED)
    found = bench.find(order.client_order_id)
    assert found is not None
    assert found.state is OrderState.CANCELED
    assert bench.listed() == []
