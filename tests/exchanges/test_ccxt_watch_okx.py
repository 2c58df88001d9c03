"""The private stream at an exchange of OKX's shape: one channel tells orders and executions."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_watch import StreamSettings
from exchanges.facts import StreamPhase
from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.local.settings import Profile
from exchanges.protocol import NewOrder
from messages.orders import Fill, OrderReport
from messages.values import OrderState, Side
from tests.exchanges.live import BTC, Desk, desk, find, submit
from tests.exchanges.test_ccxt_watch import LAZY, QUICK, Watcher

pytestmark = pytest.mark.slow

Watch = Callable[..., tuple[Desk, Watcher]]


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0, profile=Profile.OKX) as run:
        yield run


@pytest.fixture
def watch(run: RunningExchange) -> Iterator[Watch]:
    """Open a desk and watch it; the stream is live. A message of ours takes so many turns there."""
    with ExitStack() as stack:

        def start(stream: StreamSettings = LAZY, *, turns: int = 1) -> tuple[Desk, Watcher]:
            password = run.exchange.settings.api_password
            here = desk(run.ccxt_config(), exchange="okx", password=password, stream=stream)
            opened = stack.enter_context(here)
            opened.call(opened.venue.open())
            opened.venue._client.options.setdefault("ws", {})["cost"] = turns
            watcher = Watcher(opened)
            stack.callback(watcher.stop)
            watcher.until_phase(StreamPhase.LIVE)
            return opened, watcher

        yield start


@pytest.fixture
def resting(order: Callable[..., NewOrder]) -> NewOrder:
    return order("wk1", quantity="0.002", limit_price="50000")


def fills_of(reports: list[OrderReport]) -> dict[str, Fill]:
    return {fill.trade_id: fill for report in reports for fill in report.fills}


def test_an_orders_life_is_told_by_the_stream(
    run: RunningExchange, watch: Watch, resting: NewOrder
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
    assert {one.evidence for one in watcher.reports("wk1")} == {"stream"}
    assert watcher.phases() == [StreamPhase.CONNECTING, StreamPhase.LIVE]


def test_the_stream_is_not_live_while_its_subscription_waits_for_its_turn(
    run: RunningExchange, watch: Watch
) -> None:
    """ccxt paces what it sends on a socket, and calls one connected before it has sent anything."""
    watch(turns=10)

    assert ["user"] in run.exchange.streams().values()


def test_a_cancel_is_told_with_what_was_filled_before(
    run: RunningExchange, watch: Watch, resting: NewOrder
) -> None:
    opened, watcher = watch()
    submit(opened, resting)
    run.exchange.fill_order("wk1", Decimal("0.0005"))

    opened.call(opened.venue.cancel(resting.client_order_id, BTC))

    canceled = watcher.until_state("wk1", OrderState.CANCELED)
    assert (canceled.filled_quantity, canceled.evidence) == (Decimal("0.0005"), "stream")
    assert len(watcher.fills("wk1")) == 1


@pytest.mark.parametrize("side", list(Side))
def test_stream_and_rest_tell_one_fee_of_one_execution(
    run: RunningExchange, watch: Watch, order: Callable[..., NewOrder], side: Side
) -> None:
    """The one that is told first stays, so a sign that differs would stay as well."""
    opened, watcher = watch()
    price = "50000" if side is Side.BUY else "90000"
    one = order("wk1", side=side, quantity="0.002", limit_price=price)
    submit(opened, one)
    run.exchange.fill_order("wk1", Decimal("0.0005"))
    run.exchange.fill_order("wk1")
    watcher.until_state("wk1", OrderState.FILLED)
    watcher.until(lambda: len(watcher.fills("wk1")) == 2)

    asked = find(opened, one)

    assert asked is not None
    assert {report.evidence for report in watcher.reports("wk1")} == {"stream"}
    assert fills_of(watcher.reports("wk1")) == fills_of([asked])
    paid = {str(trade.trade_id): (trade.fee, trade.fee_asset) for trade in run.exchange.trades()}
    told = fills_of(watcher.reports("wk1"))
    assert {name: (fill.fee, fill.fee_currency) for name, fill in told.items()} == paid
    assert all(fee > 0 for fee, _ in paid.values())


@pytest.mark.parametrize(
    "fault", [StreamFault.DROP, StreamFault.CLOSE, StreamFault.SERVER_SHUTDOWN]
)
def test_a_lost_connection_is_a_state_and_rest_tells_what_was_missed(
    run: RunningExchange, watch: Watch, resting: NewOrder, fault: StreamFault
) -> None:
    opened, watcher = watch()
    submit(opened, resting)
    watcher.until_state("wk1", OrderState.ACCEPTED)
    # It cannot come back before the fill, so the fill is nowhere but in REST.
    refused = StreamPlan(fault=StreamFault.SUBSCRIBE_REFUSED, stream="user", times=2)
    run.exchange.arm_stream(refused)
    run.exchange.strike_streams(fault)
    watcher.until_phase(StreamPhase.BACKOFF)

    run.exchange.fill_order("wk1")

    filled = watcher.until_state("wk1", OrderState.FILLED)
    watcher.until_phase(StreamPhase.LIVE, times=2)
    assert (len(watcher.fills("wk1")), filled.evidence) == (1, "find")


@pytest.mark.parametrize("fault", [StreamFault.STALL, StreamFault.STALL_WITH_PONGS])
def test_a_silent_stream_is_found_out_by_work_and_connected_anew(
    run: RunningExchange, watch: Watch, resting: NewOrder, fault: StreamFault
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


@pytest.mark.parametrize(
    "fault",
    [StreamFault.DUPLICATE_EVENT, StreamFault.DROPPED_EVENT, StreamFault.OUT_OF_ORDER],
)
def test_a_stuttering_stream_tells_every_fill_once_in_the_end(
    run: RunningExchange, watch: Watch, resting: NewOrder, fault: StreamFault
) -> None:
    opened, watcher = watch(QUICK)
    run.exchange.arm_stream(StreamPlan(fault=fault, event="orders", nth=2, times=2))
    submit(opened, resting)
    for part in ("0.0005", "0.0005", "0.001"):
        run.exchange.fill_order("wk1", Decimal(part))

    watcher.until_state("wk1", OrderState.FILLED)
    watcher.until(lambda: len(watcher.fills("wk1")) == 3)

    filled = [one.filled_quantity for one in watcher.reports("wk1")]
    trades = {str(one.trade_id) for one in run.exchange.trades()}
    assert sorted(watcher.fills("wk1")) == sorted(trades)
    assert filled == sorted(filled)


def test_a_key_that_is_not_taken_any_more_backs_off_until_it_is(
    run: RunningExchange, watch: Watch
) -> None:
    _, watcher = watch()
    run.exchange.revoke_key()
    run.exchange.strike_streams(StreamFault.DROP)
    watcher.until_phase(StreamPhase.BACKOFF, times=2)

    run.exchange.revoke_key(is_revoked=False)

    watcher.until_phase(StreamPhase.LIVE, times=2)
