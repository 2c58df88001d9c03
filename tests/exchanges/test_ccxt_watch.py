"""The private stream at an exchange that breaks it: its state is told, and REST fills the gaps."""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_watch import StreamSettings
from exchanges.facts import StreamPhase, StreamState
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import NewOrder
from messages.ids import Symbol
from messages.orders import OrderReport
from messages.values import OrderState, Side
from tests.exchanges.live import BTC, Desk, desk, find, free
from tests.waiting import until

QUICK = StreamSettings(compare_every_ms=150, grace_ms=300, backoff_ms=20, connect_ms=5_000)
LAZY = StreamSettings(compare_every_ms=60_000, backoff_ms=20, connect_ms=5_000)
LIMIT_S = 60.0


class Watcher:
    """One watch, and all that it told."""

    def __init__(self, opened: Desk, symbols: tuple[Symbol, ...] = (BTC,)) -> None:
        self.told: list[OrderReport | StreamState] = []
        self._news = threading.Condition()
        self._future = opened.loop.submit(opened.venue.watch(symbols, self._tell))

    def _tell(self, one: OrderReport | StreamState) -> None:
        with self._news:
            self.told.append(one)
            self._news.notify_all()

    def until(self, is_so: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(is_so, LIMIT_S), self.told

    def until_phase(self, phase: StreamPhase, times: int = 1) -> None:
        self.until(lambda: self.phases().count(phase) >= times)

    def until_state(self, name: str, state: OrderState) -> OrderReport:
        self.until(lambda: any(one.state is state for one in self.reports(name)))
        return next(one for one in self.reports(name) if one.state is state)

    def phases(self) -> list[StreamPhase]:
        return [one.phase for one in self.told if isinstance(one, StreamState)]

    def reports(self, name: str) -> list[OrderReport]:
        orders = [one for one in self.told if isinstance(one, OrderReport)]
        return [one for one in orders if one.client_order_id == name]

    def fills(self, name: str) -> list[str]:
        return [fill.trade_id for one in self.reports(name) for fill in one.fills]

    def stop(self) -> None:
        self._future.cancel()
        self.until_phase(StreamPhase.STOPPED)


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0) as run:
        yield run


@pytest.fixture
def watch(run: RunningExchange) -> Iterator[Callable[..., tuple[Desk, Watcher]]]:
    """Open a desk and watch it; the stream is live."""
    made: list[tuple[Any, Watcher]] = []

    def start(stream: StreamSettings = LAZY, *, live: bool = True) -> tuple[Desk, Watcher]:
        context = desk(run.ccxt_config(), stream=stream)
        opened = context.__enter__()
        opened.call(opened.venue.open())
        watcher = Watcher(opened)
        made.append((context, watcher))
        if live:
            watcher.until_phase(StreamPhase.LIVE)
        return opened, watcher

    yield start
    for context, watcher in made:
        watcher.stop()
        context.__exit__(None, None, None)


@pytest.fixture
def resting(order: Callable[..., NewOrder]) -> NewOrder:
    return order("wk1", quantity="0.002", limit_price="50000")


def submit(opened: Desk, order: NewOrder) -> OrderReport:
    return opened.call(opened.venue.submit(order, free))


@pytest.mark.slow
def test_an_orders_life_is_told_by_the_stream(
    run: RunningExchange, watch: Callable[..., tuple[Desk, Watcher]], resting: NewOrder
) -> None:
    opened, watcher = watch()

    submit(opened, resting)
    watcher.until_state("wk1", OrderState.ACCEPTED)
    run.exchange.fill_order("wk1", Decimal("0.0005"))
    watcher.until_state("wk1", OrderState.PARTIALLY_FILLED)
    run.exchange.fill_order("wk1")
    filled = watcher.until_state("wk1", OrderState.FILLED)
    watcher.until(lambda: len(watcher.fills("wk1")) == 2)

    assert filled.filled_quantity == Decimal("0.002")
    assert watcher.phases() == [StreamPhase.CONNECTING, StreamPhase.LIVE]


@pytest.mark.slow
def test_a_cancel_is_told_under_the_orders_own_id(
    run: RunningExchange, watch: Callable[..., tuple[Desk, Watcher]], resting: NewOrder
) -> None:
    opened, watcher = watch()
    submit(opened, resting)

    opened.call(opened.venue.cancel(resting.client_order_id, BTC))

    assert watcher.until_state("wk1", OrderState.CANCELED).venue_order_id is not None


@pytest.mark.slow
def test_an_order_that_would_have_met_our_own_says_so_with_what_was_filled_before(
    run: RunningExchange, watch: Callable[..., tuple[Desk, Watcher]], order: Callable[..., NewOrder]
) -> None:
    """Two strategies of one account: the exchange ends the resting one. A GTC order "expired"."""
    opened, watcher = watch()
    run.exchange.set_price("BTC/USDT", Decimal(60_000))
    ask = order("wk1", side=Side.SELL, quantity="0.5", limit_price="60001")
    submit(opened, ask)
    run.exchange.fill_order("wk1", Decimal("0.1"))

    bid = submit(opened, order("wk2", quantity="0.01", limit_price="60001"))

    assert bid.state is OrderState.ACCEPTED
    told = watcher.until_state("wk1", OrderState.EXPIRED)
    asked = find(opened, ask)
    assert asked is not None
    for report in (told, asked):
        assert (report.state, report.filled_quantity) == (OrderState.EXPIRED, Decimal("0.1"))
        assert report.reason.startswith("self-trade prevention: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [StreamFault.DROP, StreamFault.CLOSE, StreamFault.SERVER_SHUTDOWN]
)
def test_a_lost_connection_is_a_state_and_rest_tells_what_was_missed(
    fault: StreamFault,
    run: RunningExchange,
    watch: Callable[..., tuple[Desk, Watcher]],
    resting: NewOrder,
) -> None:
    opened, watcher = watch()
    submit(opened, resting)
    watcher.until_state("wk1", OrderState.ACCEPTED)
    # It cannot come back before the fill, so the fill is nowhere but in REST.
    run.exchange.arm_stream(StreamPlan(fault=StreamFault.SUBSCRIBE_REFUSED, stream="user"))
    run.exchange.strike_streams(fault)
    watcher.until_phase(StreamPhase.BACKOFF)

    run.exchange.fill_order("wk1")

    filled = watcher.until_state("wk1", OrderState.FILLED)
    watcher.until_phase(StreamPhase.LIVE, times=2)
    assert len(watcher.fills("wk1")) == 1
    assert filled.evidence == "find"


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [StreamFault.STALL, StreamFault.STALL_WITH_PONGS, StreamFault.STREAM_TERMINATED],
)
def test_a_silent_stream_is_found_out_by_work_and_connected_anew(
    fault: StreamFault,
    run: RunningExchange,
    watch: Callable[..., tuple[Desk, Watcher]],
    resting: NewOrder,
) -> None:
    opened, watcher = watch(QUICK)
    submit(opened, resting)
    watcher.until_state("wk1", OrderState.ACCEPTED)
    run.exchange.strike_streams(fault, stream="user")

    run.exchange.fill_order("wk1")

    watcher.until_state("wk1", OrderState.FILLED)
    watcher.until_phase(StreamPhase.STALE)
    watcher.until_phase(StreamPhase.LIVE, times=2)
    assert len(watcher.fills("wk1")) == 1


@pytest.mark.slow
def test_a_quiet_stream_is_not_taken_for_a_stalled_one(
    run: RunningExchange, watch: Callable[..., tuple[Desk, Watcher]], resting: NewOrder
) -> None:
    opened, watcher = watch(QUICK)
    submit(opened, resting)
    watcher.until_state("wk1", OrderState.ACCEPTED)
    before = len(run.exchange.requests(operation="open_orders"))

    until(lambda: len(run.exchange.requests(operation="open_orders")) >= before + 4)

    assert StreamPhase.STALE not in watcher.phases()


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [StreamFault.DUPLICATE_EVENT, StreamFault.DROPPED_EVENT, StreamFault.OUT_OF_ORDER],
)
def test_a_stuttering_stream_tells_every_fill_once_in_the_end(
    fault: StreamFault,
    run: RunningExchange,
    watch: Callable[..., tuple[Desk, Watcher]],
    resting: NewOrder,
) -> None:
    opened, watcher = watch(QUICK)
    run.exchange.arm_stream(
        StreamPlan(fault=fault, stream="user", event="executionReport", nth=2, times=2)
    )
    submit(opened, resting)
    run.exchange.fill_order("wk1", Decimal("0.0005"))
    run.exchange.fill_order("wk1", Decimal("0.0005"))
    run.exchange.fill_order("wk1")

    watcher.until_state("wk1", OrderState.FILLED)
    watcher.until(lambda: len(watcher.fills("wk1")) == 3)

    filled = [one.filled_quantity for one in watcher.reports("wk1")]
    trades = {str(one.trade_id) for one in run.exchange.trades()}
    assert sorted(watcher.fills("wk1")) == sorted(trades)
    assert filled == sorted(filled)


@pytest.mark.slow
def test_what_was_open_before_is_told_when_the_stream_goes_live(
    run: RunningExchange, watch: Callable[..., tuple[Desk, Watcher]], resting: NewOrder
) -> None:
    with desk(run.ccxt_config()) as earlier:
        earlier.call(earlier.venue.open())
        submit(earlier, resting)

    _, watcher = watch()

    assert watcher.reports("wk1")[0].evidence == "open_orders"


@pytest.mark.slow
def test_a_stream_that_rest_cannot_check_for_long_is_stale(
    run: RunningExchange, watch: Callable[..., tuple[Desk, Watcher]], resting: NewOrder
) -> None:
    _, watcher = watch(QUICK)
    run.exchange.arm(Plan(fault=Fault.SERVER_ERROR_BEFORE, operation="open_orders", times=None))

    watcher.until_phase(StreamPhase.STALE)

    run.exchange.disarm()
    watcher.until_phase(StreamPhase.LIVE, times=2)


@pytest.mark.slow
def test_a_refused_subscription_backs_off_and_tries_again(
    run: RunningExchange, watch: Callable[..., tuple[Desk, Watcher]]
) -> None:
    run.exchange.arm_stream(StreamPlan(fault=StreamFault.SUBSCRIBE_REFUSED, stream="user", times=2))
    _, watcher = watch()

    attempts = [
        one.attempt
        for one in watcher.told
        if isinstance(one, StreamState) and one.phase is StreamPhase.BACKOFF
    ]
    assert attempts == [1, 2]
