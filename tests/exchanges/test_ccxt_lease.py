"""What a lease rests on at the venue: nothing leaves that may not, and what is late is refused."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import running_exchange
from exchanges.protocol import NewOrder
from messages.errors import NotSent, OutcomeUnknown, Rejected
from messages.ids import NS_PER_MS, ClientOrderId
from tests.exchanges.live import BTC, desk, free

WINDOW_MS = 400


def over(_: Any = None) -> None:
    raise NotSent("lease: it is over")


@pytest.mark.slow
def test_an_order_that_was_frozen_after_its_fence_is_refused_once_the_window_is_over(
    order: Callable[..., NewOrder],
) -> None:
    """So a process that is stopped there may go on when it likes."""
    frozen = threading.Event()
    with (
        running_exchange(speed=0) as run,
        desk(run.ccxt_config(), recv_window_ms=WINDOW_MS) as live,
    ):
        live.call(live.venue.open())

        def freeze() -> None:
            frozen.wait(WINDOW_MS * 1.5 / 1_000)

        with pytest.raises(Rejected, match="clock"):
            live.call(live.venue.submit(order("wk1", quantity="0.001"), freeze))

        (request,) = run.exchange.requests(operation="place")
        assert request.engine.startswith("not authorised")
        assert run.exchange.orders() == []


@pytest.mark.slow
def test_without_the_lease_nothing_is_asked_or_canceled_or_sent(
    order: Callable[..., NewOrder],
) -> None:
    mays = [free]
    with (
        running_exchange(speed=0) as run,
        desk(run.ccxt_config(), may_call=lambda: mays[-1]()) as live,
    ):
        live.call(live.venue.open())
        mays.append(over)
        before = len(run.exchange.requests())
        name = ClientOrderId("wk1")
        for question in (
            live.venue.find(name, BTC, sent_at_ns=NS_PER_MS, closed_hint=False),
            live.venue.cancel(name, BTC),
            live.venue.open_orders(BTC),
            live.venue.trades(BTC, 0),
            live.venue.balances(),
            live.venue.server_time_ns(),
        ):
            with pytest.raises((OutcomeUnknown, NotSent), match="lease: it is over"):
                live.call(question)
        with pytest.raises(NotSent, match="lease: it is over"):  # and nothing is left to prove
            live.call(live.venue.submit(order("wk1", quantity="0.001"), over))

        assert len(run.exchange.requests()) == before
