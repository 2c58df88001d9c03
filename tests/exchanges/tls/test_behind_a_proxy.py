"""Our venue and our feed at the exchange's own addresses, behind a proxy that opens TLS."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exchanges.facts import StreamPhase, StreamState
from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import NewOrder
from messages.errors import NotSent, OutcomeUnknown, VenueRefused
from messages.market import FeedPhase
from messages.orders import OrderReport
from messages.values import OrderState
from tests.exchanges.feed_run import assert_same_as_exchange, following
from tests.exchanges.live import BTC, Desk, desk, find, submit
from tests.exchanges.tls.proxy import TlsProxy

pytestmark = pytest.mark.slow

LIMIT_S = 60.0
LOGIN = "trader:pass-word-1"


@pytest.fixture
def settings(proxy: TlsProxy, authority: Path) -> dict[str, Any]:
    """Give what a user writes into [venue.ccxt]."""
    return {"httpsProxy": proxy.url, "cafile": str(authority)}


@pytest.fixture
def opened(settings: dict[str, Any]) -> Iterator[Desk]:
    with desk(settings) as opened:
        opened.call(opened.venue.open())
        yield opened


@pytest.fixture
def resting(order: Callable[..., NewOrder]) -> NewOrder:
    return order("wk1", quantity="0.002", limit_price="50000")


def until(is_so: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(LIMIT_S / 0.01)):
        if is_so():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come about")


def refusal(config: dict[str, Any]) -> str:
    with desk(config) as ours, pytest.raises(VenueRefused) as raised:
        ours.call(ours.venue.open())
    return str(raised.value)


# ------------------------------------------------------------------ trading


def test_an_order_is_placed_found_filled_and_canceled(
    run: RunningExchange,
    proxy: TlsProxy,
    opened: Desk,
    resting: NewOrder,
    order: Callable[..., NewOrder],
) -> None:
    placed = submit(opened, resting)
    found = find(opened, resting, 0)
    listed = opened.call(opened.venue.open_orders(BTC))
    canceled = opened.call(opened.venue.cancel(resting.client_order_id, BTC))
    bought = submit(opened, order("wk2", quantity="0.002"))
    trades = opened.call(opened.venue.trades(BTC, 0))

    assert found is not None
    assert (placed.state, found.venue_order_id) == (OrderState.ACCEPTED, placed.venue_order_id)
    assert [one.client_order_id for one in listed] == ["wk1"]
    assert (canceled.state, bought.state) == (OrderState.CANCELED, OrderState.FILLED)
    assert [one.fill.trade_id for one in trades] == [one.trade_id for one in bought.fills]
    assert "BTC" in opened.call(opened.venue.balances())
    assert set(proxy.asked) == {"api.binance.com:443"}
    assert {one.operation for one in run.exchange.requests()}.isdisjoint({"coins", "futures"})


def test_the_stream_of_the_account_goes_through_the_proxy_of_the_requests(
    run: RunningExchange, proxy: TlsProxy, opened: Desk, resting: NewOrder
) -> None:
    """Of ccxt's two settings a user may well know one only."""
    told: list[OrderReport | StreamState] = []
    watch = opened.loop.submit(opened.venue.watch((BTC,), told.append))
    until(lambda: StreamPhase.LIVE in [getattr(one, "phase", None) for one in told])
    submit(opened, resting)
    run.exchange.fill_order("wk1")
    until(lambda: OrderState.FILLED in [getattr(one, "state", None) for one in told])
    watch.cancel()

    assert "ws-api.binance.com:443" in proxy.asked


def test_the_candles_of_a_live_feed_are_the_exchanges(proxy: TlsProxy, authority: Path) -> None:
    with running_exchange(seed=5, speed=300) as quick:
        proxy.lead_to(quick.urls.http)
        config = {"httpsProxy": proxy.url, "cafile": str(authority)}
        with following(config) as feed:
            feed.open()
            feed.start()
            feed.until_phase(FeedPhase.LIVE)
            candles = feed.until_candles(5)
            assert_same_as_exchange(quick, candles)

    assert {"api.binance.com:443", "stream.binance.com:9443"} == set(proxy.asked)


# ------------------------------------------------------------------ what fails on the way


@pytest.mark.parametrize(
    "fault",
    [
        Fault.RESET_AFTER,
        Fault.CLOSE_AFTER,
        Fault.HANG_AFTER,
        Fault.TRUNCATED_LENGTH,
        Fault.TRUNCATED_CHUNKED,
    ],
)
def test_an_answer_that_is_lost_inside_the_tunnel_is_unknown_and_then_found(
    fault: Fault, run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    """A TLS connection that ends in the middle of a reply says no more than a bare one."""
    run.exchange.arm(Plan(fault=fault, operation="place"))

    with opened.facing(fault), pytest.raises(OutcomeUnknown):
        submit(opened, resting)

    found = find(opened, resting, 0)
    assert found is not None
    assert found.state is OrderState.ACCEPTED
    assert len(run.exchange.requests(operation="place")) == 1


@pytest.mark.parametrize("status", [403, 407, 502, 503])
def test_a_tunnel_that_the_proxy_refuses_is_proof_that_nothing_was_sent(
    status: int, run: RunningExchange, proxy: TlsProxy, opened: Desk, resting: NewOrder
) -> None:
    proxy.answer = status
    proxy.cut()

    with pytest.raises(NotSent) as raised:
        submit_anew(opened, resting)

    assert str(raised.value).startswith("proxy: ")
    assert run.exchange.requests(operation="place") == []
    proxy.answer = 200
    assert submit(opened, resting).state is OrderState.ACCEPTED


def test_a_proxy_that_is_gone_is_proof_that_nothing_was_sent(
    run: RunningExchange, proxy: TlsProxy, opened: Desk, resting: NewOrder
) -> None:
    proxy.stop_listening()

    with pytest.raises(NotSent, match="no_connection: "):
        submit_anew(opened, resting)

    assert run.exchange.requests(operation="place") == []


def test_a_proxy_that_hangs_proves_nothing(
    run: RunningExchange, proxy: TlsProxy, opened: Desk, resting: NewOrder
) -> None:
    proxy.hangs = True
    proxy.cut()

    with pytest.raises(OutcomeUnknown):
        submit_anew(opened, resting)

    assert run.exchange.requests(operation="place") == []


def submit_anew(opened: Desk, order: NewOrder) -> None:
    """Send over a new connection: a question finds first that the idle one is gone."""
    with pytest.raises(OutcomeUnknown):
        opened.call(opened.venue.balances())
    submit(opened, order)


# ------------------------------------------------------------------ what the gate says


def test_a_certificate_that_is_not_trusted_is_named_with_the_setting(proxy: TlsProxy) -> None:
    assert refusal({"httpsProxy": proxy.url}) == (
        "the certificate that answers for binance is not trusted: if a proxy opens connections on"
        " this network, name the file of its certificate as cafile in [venue.ccxt]"
    )


def test_trusting_anybody_is_refused(settings: dict[str, Any], proxy: TlsProxy) -> None:
    assert refusal(settings | {"verify": False}).startswith("verify = false lets anybody")
    assert proxy.asked == []


def test_a_certificate_file_that_cannot_be_read_is_named(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()

    for file in (str(tmp_path / "missing.pem"), str(empty), str(tmp_path)):
        assert refusal(settings | {"cafile": file}).startswith(
            f"cafile in [venue.ccxt] is {file!r}, and no certificate can be read from it"
        )


def test_a_proxy_that_refuses_is_told_from_an_exchange_that_does(
    proxy: TlsProxy, settings: dict[str, Any]
) -> None:
    proxy.answer = 503

    assert refusal(settings) == (
        "the proxy on the way to binance opens no tunnel (HTTP 503): check its address, its login"
        " and that it lets this host through"
    )


def test_a_proxy_that_is_not_there_is_a_venue_that_cannot_be_reached(
    proxy: TlsProxy, settings: dict[str, Any]
) -> None:
    proxy.stop_listening()

    assert refusal(settings).endswith("check the network, the proxy and urls")


def test_a_login_comes_from_the_environment(
    proxy: TlsProxy, authority: Path, monkeypatch: pytest.MonkeyPatch, resting: NewOrder
) -> None:
    proxy.login = LOGIN
    config = {"cafile": str(authority), "aiohttp_trust_env": True}
    for name in ("HTTPS_PROXY", "WSS_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    said = refusal(config)
    for name in ("HTTPS_PROXY", "WSS_PROXY"):
        monkeypatch.setenv(name, proxy.url_with(LOGIN))

    assert said.startswith("the proxy on the way to binance opens no tunnel (HTTP 407)")
    with desk(config) as ours:
        ours.call(ours.venue.open())
        assert submit(ours, resting).state is OrderState.ACCEPTED
        told: list[OrderReport | StreamState] = []
        watch = ours.loop.submit(ours.venue.watch((BTC,), told.append))
        until(lambda: StreamPhase.LIVE in [getattr(one, "phase", None) for one in told])
        watch.cancel()


def test_a_login_in_the_address_is_shown_in_no_error(
    proxy: TlsProxy, authority: Path, resting: NewOrder
) -> None:
    proxy.login = LOGIN
    wrong = {"httpsProxy": proxy.url_with("trader:pass-word-2"), "cafile": str(authority)}
    right = {"httpsProxy": proxy.url_with(LOGIN), "cafile": str(authority)}

    assert "pass-word" not in refusal(wrong)
    with desk(right) as ours:
        ours.call(ours.venue.open())
        proxy.answer = 502
        proxy.cut()
        with pytest.raises(NotSent) as raised:
            submit_anew(ours, resting)
    assert "pass-word" not in str(raised.value)
