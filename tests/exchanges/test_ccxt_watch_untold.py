"""Orders of which the private stream never told: REST knew them, and is asked what they became."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import msgspec
import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_watch import StreamSettings
from exchanges.facts import StreamPhase, StreamState
from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.filters import Market
from exchanges.local.orders import Order
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.local.wire_binance import queried
from exchanges.protocol import NewOrder
from messages.errors import OutcomeUnknown
from messages.ids import ClientOrderId, Symbol
from messages.values import OrderState
from tests.exchanges.live import BTC, Desk, desk, find, submit
from tests.exchanges.test_ccxt_watch import Watcher
from tests.waiting import until

pytestmark = pytest.mark.slow

ETH = Symbol("ETH/USDT")
BOTH = (BTC, ETH)
RARE = StreamSettings(compare_every_ms=60_000, backoff_ms=20, connect_ms=5_000)
"""REST is asked as a stream goes live, and then not for the length of a test."""
OFTEN = StreamSettings(compare_every_ms=150, grace_ms=300, backoff_ms=20, connect_ms=5_000)


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0) as run:
        yield run


@pytest.fixture
def resting(order: Callable[..., NewOrder]) -> NewOrder:
    return order("wk1", quantity="0.002", limit_price="50000")


@contextmanager
def opened(
    run: RunningExchange, stream: StreamSettings, symbols: tuple[Symbol, ...] = BOTH
) -> Iterator[Desk]:
    with desk(run.ccxt_config(), symbols, stream=stream) as found:
        found.call(found.venue.open())
        yield found


@contextmanager
def watching(here: Desk, symbols: tuple[Symbol, ...] = BOTH) -> Iterator[Watcher]:
    watcher = Watcher(here, symbols)
    try:
        yield watcher
    finally:
        watcher.stop()


def without_stream(run: RunningExchange, times: int | None = None) -> None:
    plan = StreamPlan(fault=StreamFault.SUBSCRIBE_REFUSED, stream="user", times=times)
    run.exchange.arm_stream(plan)


def test_what_fills_before_the_stream_is_there_is_told_once_it_is(
    run: RunningExchange, resting: NewOrder
) -> None:
    with opened(run, RARE) as here:
        submit(here, resting)
        run.exchange.fill_order("wk1")

        with watching(here) as watcher:
            filled = watcher.until_state("wk1", OrderState.FILLED)

            assert filled.filled_quantity == Decimal("0.002")
            assert len(watcher.fills("wk1")) == 1


def test_so_it_is_of_an_order_of_an_earlier_process_that_was_found_open(
    run: RunningExchange, resting: NewOrder
) -> None:
    with opened(run, RARE) as earlier:
        submit(earlier, resting)
    with opened(run, RARE) as here:
        assert find(here, resting) is not None
        run.exchange.fill_order("wk1")

        with watching(here) as watcher:
            watcher.until_state("wk1", OrderState.FILLED)


def test_what_fills_while_no_stream_comes_up_is_asked_for(
    run: RunningExchange, resting: NewOrder
) -> None:
    without_stream(run)
    with opened(run, OFTEN) as here, watching(here) as watcher:
        watcher.until_phase(StreamPhase.BACKOFF)
        submit(here, resting)
        run.exchange.fill_order("wk1")

        watcher.until_state("wk1", OrderState.FILLED)

        assert StreamPhase.LIVE not in watcher.phases()
        told = [one.reason for one in watcher.told if isinstance(one, StreamState) and one.reason]
        assert all(reason.startswith("ccxt could not read what came (") for reason in told), told


def test_what_has_ended_is_asked_for_no_more(run: RunningExchange, resting: NewOrder) -> None:
    with opened(run, OFTEN) as here, watching(here) as watcher:
        watcher.until_phase(StreamPhase.LIVE)
        submit(here, resting)
        run.exchange.fill_order("wk1")
        watcher.until_state("wk1", OrderState.FILLED)
        watcher.until(lambda: len(watcher.fills("wk1")) == 1)

        compared(run, 2)
        asked = len(run.exchange.requests(operation="query"))
        compared(run, 3)

        assert len(run.exchange.requests(operation="query")) == asked


def compared(run: RunningExchange, times: int) -> None:
    """Wait until REST has been asked for the open orders so many times more."""
    wanted = len(run.exchange.requests(operation="open_orders")) + times * len(BOTH)
    until(lambda: len(run.exchange.requests(operation="open_orders")) >= wanted)


def test_a_symbol_that_is_delisted_breaks_the_stream_of_no_other(
    run: RunningExchange, resting: NewOrder
) -> None:
    """It was connected anew for ever, and no order of any symbol was told of."""
    with opened(run, OFTEN) as here, watching(here) as watcher:
        watcher.until_phase(StreamPhase.LIVE)
        run.exchange.delist(BTC)
        compared(run, 6)
        price, quantity = Decimal(2000), Decimal("0.01")
        other = msgspec.structs.replace(resting, symbol=ETH, limit_price=price, quantity=quantity)
        submit(here, other)
        run.exchange.fill_order("wk1")

        watcher.until_state("wk1", OrderState.FILLED)

        assert watcher.phases() == [StreamPhase.CONNECTING, StreamPhase.LIVE]


def test_a_market_that_is_not_known_and_not_listed_has_no_open_orders(
    run: RunningExchange,
) -> None:
    """Refused alone proves nothing: the list of markets must say so too."""
    with opened(run, RARE) as here:
        run.exchange.delist(BTC)
        with pytest.raises(OutcomeUnknown, match="BadSymbol"):
            here.call(here.venue.open_orders(BTC))

        until(lambda: none_open(here, BTC))
        assert none_open(here, ETH)


def test_nor_has_one_that_was_not_listed_here_before_once_two_lists_agree(
    run: RunningExchange,
) -> None:
    """The list that ccxt refuses by is the one that it was opened with: that is one witness."""
    run.exchange.delist(ETH)
    with desk(run.ccxt_config(), BOTH, stream=RARE, to_trade=False) as here:
        here.call(here.venue.open())
        with pytest.raises(OutcomeUnknown, match="BadSymbol"):
            here.call(here.venue.open_orders(ETH))

        until(lambda: none_open(here, ETH))


def none_open(here: Desk, symbol: Symbol) -> bool:
    """Whether the venue says that nothing is open; a question that fails says nothing."""
    try:
        return here.call(here.venue.open_orders(symbol)) == []
    except OutcomeUnknown:
        return False


@pytest.mark.parametrize("word", ["PENDING_NEW", "A_WORD_OF_TOMORROW"])
@pytest.mark.parametrize("part", ["0", "0.001"], ids=["untouched", "partly filled"])
def test_an_order_of_somebody_elses_in_no_known_state_keeps_no_stream_from_being_live(
    part: str,
    word: str,
    run: RunningExchange,
    resting: NewOrder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A leg that waits for another order, say: ccxt has no word for it, and passes Binance's on.

    With one symbol: a list that fails beside another one shows nothing of the stream.
    """

    def shown(order: Order, market: Market) -> dict[str, object]:
        is_theirs = order.client_order_id == "web-1"
        foreign = {"status": word, "executedQty": part} if is_theirs else {}
        return queried(order, market) | foreign

    monkeypatch.setattr("exchanges.local.wire_binance.queried", shown)
    with opened(run, OFTEN, (BTC,)) as here:
        submit(here, msgspec.structs.replace(resting, client_order_id=ClientOrderId("web-1")))
        submit(here, resting)

        with watching(here, (BTC,)) as watcher:
            watcher.until_phase(StreamPhase.LIVE)
            run.exchange.fill_order("wk1")
            watcher.until_state("wk1", OrderState.FILLED)
        listed = here.call(here.venue.open_orders(BTC))

    state = OrderState.PARTIALLY_FILLED if Decimal(part) else OrderState.ACCEPTED
    assert [(one.client_order_id, one.state) for one in listed] == [("web-1", state)]
