"""Asking for many orders at once: what the list of open orders proves, and what it does not."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from actors.gateway import Question
from actors.live_gateway import TOGETHER, LiveGateway
from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import NewOrder
from messages.ids import ClientOrderId, Epoch, OrderKey, Symbol, TimestampNs
from messages.orders import LookupDone, OrderReport
from messages.values import OrderState, OrderType, Side, TimeInForce
from ops.live_venue import LiveVenue
from tests.system.test_live_orders import venue_at

pytestmark = pytest.mark.slow

NOW, LIMIT_S = Epoch(3), 60.0
BTC = Symbol("BTC/USDT")
NAMES = [f"wk{number}" for number in range(TOGETHER)]


class Executor:
    """Stands where the executor's address does."""

    def __init__(self) -> None:
        self.answers: dict[str, LookupDone] = {}
        self._news = threading.Condition()

    def tell(self, message: Any) -> None:
        if not isinstance(message, LookupDone):
            return  # what the venue tells unasked: its markets' rules
        with self._news:
            assert message.order_key not in self.answers, "answered twice"
            self.answers[message.order_key] = message
            self._news.notify_all()

    def until(self, count: int) -> dict[str, LookupDone]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.answers) >= count, LIMIT_S), self.answers
        return self.answers


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=3, speed=0) as run:
        yield run


@pytest.fixture
def live(run: RunningExchange) -> Iterator[LiveVenue]:
    with venue_at(run) as live:
        yield live


@pytest.fixture
def executor() -> Executor:
    return Executor()


@pytest.fixture
def gateway(live: LiveVenue, executor: Executor) -> LiveGateway:
    address: Any = executor
    gateway = LiveGateway(live.venue, live.loop, address, lambda: TimestampNs(0))
    gateway.take_over(NOW)
    return gateway


def order(name: str) -> NewOrder:
    return NewOrder(
        client_order_id=ClientOrderId(name),
        symbol=BTC,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal("0.002"),
        limit_price=Decimal(50_000),
        decided_at_ns=TimestampNs(0),
    )


def place(live: LiveVenue, names: Sequence[str] = NAMES) -> None:
    for name in names:
        live.loop.submit(live.venue.submit(order(name), lambda: None)).result(LIMIT_S)


def ask(gateway: LiveGateway, names: Sequence[str] = NAMES, epoch: Epoch = NOW) -> None:
    gateway.find_all(epoch, [Question(OrderKey(name), order(name), 0) for name in names])


def states(answers: dict[str, LookupDone]) -> dict[str, OrderState | None]:
    return {key: one.report.state if one.report else None for key, one in answers.items()}


def test_orders_that_the_exchange_lists_as_open_are_settled_by_one_question(
    run: RunningExchange, live: LiveVenue, gateway: LiveGateway, executor: Executor
) -> None:
    place(live)
    before = len(run.exchange.requests())

    ask(gateway)

    assert states(executor.until(TOGETHER)) == dict.fromkeys(NAMES, OrderState.ACCEPTED)
    assert {one.report.evidence for one in executor.answers.values() if one.report} == {
        "open_orders"
    }
    asked = [one.operation for one in run.exchange.requests()[before:]]
    assert asked == ["open_orders"]


def test_what_is_not_listed_is_asked_for_by_itself_and_absence_is_no_proof(
    live: LiveVenue, gateway: LiveGateway, executor: Executor, run: RunningExchange
) -> None:
    place(live)
    run.exchange.fill_order("wk0")
    live.loop.submit(live.venue.cancel(ClientOrderId("wk1"), BTC)).result(LIMIT_S)
    run.exchange.fill_order("wk2", Decimal("0.001"))

    gateway.find_all(NOW, [Question(OrderKey(n), order(n), 0) for n in NAMES[:3]] + [missing()])

    answers = executor.until(4)
    assert states(answers) == {
        "wk0": OrderState.FILLED,
        "wk1": OrderState.CANCELED,
        "wk2": OrderState.PARTIALLY_FILLED,
        "wk9": None,
    }
    assert "no proof yet" in answers["wk9"].problem
    partly = answers["wk2"].report
    assert partly is not None
    assert sum(fill.quantity for fill in partly.fills) == partly.filled_quantity


def missing() -> Question:
    """An order that was sent a moment ago, and that nobody has."""
    return Question(OrderKey("wk9"), order("wk9"), time.time_ns())


@pytest.mark.parametrize("fault", [Fault.RESET_BEFORE, Fault.EMPTY_BODY, Fault.HTML_BODY])
def test_without_a_list_each_is_asked_for_by_itself(
    fault: Fault, run: RunningExchange, live: LiveVenue, gateway: LiveGateway, executor: Executor
) -> None:
    place(live)
    run.exchange.arm(Plan(fault=fault, operation="open_orders", times=3))

    ask(gateway)

    assert states(executor.until(TOGETHER)) == dict.fromkeys(NAMES, OrderState.ACCEPTED)
    assert len(run.exchange.requests(operation="query")) >= TOGETHER


def test_an_id_that_is_listed_twice_settles_nothing(
    live: LiveVenue,
    gateway: LiveGateway,
    executor: Executor,
    run: RunningExchange,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place(live)
    known: Callable[..., Any] = live.venue.open_orders

    async def doubled(symbol: Symbol) -> list[OrderReport]:
        listed = await known(symbol)
        return [*listed, listed[0]]

    monkeypatch.setattr(live.venue, "open_orders", doubled)
    ask(gateway)

    executor.until(TOGETHER)
    asked = {one.client_order_id for one in run.exchange.requests(operation="query")}
    assert asked == {"wk0"}


def test_few_orders_are_asked_for_without_a_list(
    run: RunningExchange, live: LiveVenue, gateway: LiveGateway, executor: Executor
) -> None:
    few = NAMES[: TOGETHER - 1]
    place(live, few)

    ask(gateway, few)

    executor.until(len(few))
    assert run.exchange.requests(operation="open_orders") == []


def test_a_replaced_executor_is_told_nothing(
    live: LiveVenue, gateway: LiveGateway, executor: Executor
) -> None:
    place(live)
    gateway.take_over(Epoch(NOW + 1))

    ask(gateway, epoch=NOW)

    assert gateway.flush(int(LIMIT_S * 10**9))
    assert executor.answers == {}
