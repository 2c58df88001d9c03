"""The traps that ccxt sets for orders: each is shown with ccxt alone, then with our venue.

If one half of a test fails because ccxt has mended its ways, good: read the release, then change
what we do about it.
"""

import asyncio
import itertools
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

import ccxt

from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_client import CcxtSettings, close_client, open_client
from exchanges.ccxt_watch import StreamSettings
from exchanges.facts import StreamPhase, StreamState
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import NewOrder
from exchanges.rate_budget import RateBudget
from messages.errors import NotSent, OutcomeUnknown, Rejected, VenueRefused
from messages.orders import OrderReport
from messages.values import OrderState
from tests.exchanges.live import BTC, Desk, desk, free

pytestmark = pytest.mark.slow

Story = Callable[[Any], Awaitable[Any]]
LIMIT_S = 60.0

numbers = itertools.count()


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0, fees_in_bnb=True) as run:
        yield run


@pytest.fixture
def opened(run: RunningExchange) -> Iterator[Desk]:
    quick = StreamSettings(compare_every_ms=150, grace_ms=300, backoff_ms=20)
    with desk(run.ccxt_config(), timeout_ms=700, stream=quick) as opened:
        opened.call(opened.venue.open())
        yield opened


@pytest.fixture
def resting(order: Callable[..., NewOrder]) -> NewOrder:
    return order("wk1", quantity="0.002", limit_price="50000")


def bare(run: RunningExchange, story: Story, **config: Any) -> Any:
    """Play a story with ccxt.pro as it comes, but for the address."""
    from ccxt import pro

    async def play() -> Any:
        client = pro.binance(
            run.ccxt_config(enableRateLimit=False, timeout=700, number=str) | config
        )
        spot = client.exceptions["spot"]
        client.exceptions = client.deep_extend(client.exceptions, spot)
        client.timeout_on_exit = 0
        try:
            await client.load_markets()
            return await story(client)
        finally:
            await client.close()

    return asyncio.run(play())


async def limit(client: Any, name: str = "bare") -> Any:
    return await client.create_order(BTC, "limit", "buy", "0.002", "50000", {"clientOrderId": name})


async def market(client: Any, name: str = "bare") -> Any:
    return await client.create_order(BTC, "market", "buy", "0.002", None, {"clientOrderId": name})


def submit(opened: Desk, order: NewOrder) -> OrderReport:
    return opened.call(opened.venue.submit(order, free))


def find(opened: Desk, name: NewOrder) -> OrderReport | None:
    sent_at_ns = time.time_ns()
    return opened.call(opened.venue.find(name.client_order_id, BTC, sent_at_ns=sent_at_ns))


class Told:
    """What a watch has told so far."""

    def __init__(self, opened: Desk) -> None:
        self._told: list[OrderReport | StreamState] = []
        self._news = threading.Condition()
        self._watch = opened.loop.submit(opened.venue.watch((BTC,), self._tell))
        self.until(lambda: StreamPhase.LIVE in self.phases())

    def _tell(self, one: OrderReport | StreamState) -> None:
        with self._news:
            self._told.append(one)
            self._news.notify_all()

    def phases(self) -> list[StreamPhase]:
        return [one.phase for one in self.states()]

    def states(self) -> list[StreamState]:
        return [one for one in self._told if isinstance(one, StreamState)]

    def reports(self) -> list[OrderReport]:
        return [one for one in self._told if isinstance(one, OrderReport)]

    def reports_of(self, name: str) -> list[OrderReport]:
        return [one for one in self.reports() if one.client_order_id == name]

    def fills_of(self, name: str) -> list[str]:
        return [fill.trade_id for one in self.reports_of(name) for fill in one.fills]

    def until(self, is_so: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(is_so, LIMIT_S), self._told

    def until_filled(self) -> None:
        self.until(lambda: any(one.state is OrderState.FILLED for one in self.reports_of("wk1")))

    def stop(self) -> None:
        self._watch.cancel()
        self.until(lambda: StreamPhase.STOPPED in self.phases())


@pytest.fixture
def watch(opened: Desk) -> Iterator[Callable[[], Told]]:
    """Begin to watch with our venue: after ccxt's own part of a test is over."""
    begun: list[Told] = []

    def begin() -> Told:
        begun.append(Told(opened))
        return begun[-1]

    yield begin
    for told in begun:
        told.stop()


# ------------------------------------------------------------------ placing


def test_trap_ccxts_own_retries_send_a_lost_order_again(run: RunningExchange) -> None:
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="place"))
    retries = {"fetchMarkets": {"types": ["spot"]}, "maxRetriesOnFailure": 2}

    told = bare(run, market, options=retries)

    assert told["status"] == "closed"
    assert len(run.exchange.orders_with("bare")) == 2
    with desk(run.ccxt_config(options=retries)) as ours, pytest.raises(VenueRefused):
        ours.call(ours.venue.open())


def test_trap_ccxts_own_retries_call_a_live_order_refused(run: RunningExchange) -> None:
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="place"))
    retries = {"fetchMarkets": {"types": ["spot"]}, "maxRetriesOnFailure": 2}

    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        bare(run, limit, options=retries)

    assert [order.is_open for order in run.exchange.orders_with("bare")] == [True]
    per_path = retries | {"maxRetriesOnFailure": 0, "place": {"maxRetriesOnFailure": 1}}
    with desk(run.ccxt_config(options=per_path)) as ours, pytest.raises(VenueRefused):
        ours.call(ours.venue.open())


@pytest.mark.parametrize(
    "fault", [Fault.HALF_JSON, Fault.EMPTY_BODY, Fault.EMPTY_OBJECT, Fault.HTML_BODY]
)
def test_trap_a_broken_200_is_no_error_but_an_order_without_an_id(
    fault: Fault, run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=fault, operation="place", times=2))

    told = bare(run, limit)

    assert (told["id"], told["status"]) == (None, None)
    with pytest.raises(OutcomeUnknown):
        submit(opened, resting)
    assert len(run.exchange.orders_with("wk1")) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.TRUNCATED_LENGTH, "ExchangeError"),
        (Fault.TRUNCATED_CHUNKED, "ExchangeError"),
        (Fault.UNKNOWN_CODE_AFTER, "ExchangeError"),
    ],
)
def test_trap_a_live_order_comes_as_a_plain_exchange_error(
    fault: Fault, kind: str, run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=fault, operation="place", times=2))

    with pytest.raises(ccxt.ExchangeError) as raised:
        bare(run, limit)

    assert type(raised.value).__name__ == kind
    assert len(run.exchange.orders_with("bare")) == 1
    with pytest.raises(OutcomeUnknown):
        submit(opened, resting)


@pytest.mark.parametrize("fault", [Fault.UNEXPECTED_RESPONSE_AFTER, Fault.DISCONNECTED_AFTER])
def test_trap_status_unknown_is_no_network_error(
    fault: Fault, run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    """Who retries or asks only after a NetworkError takes a live order for a failed one."""
    run.exchange.arm(Plan(fault=fault, operation="place", times=2))

    with pytest.raises(ccxt.OperationFailed) as raised:
        bare(run, limit)

    assert not isinstance(raised.value, ccxt.NetworkError)
    with pytest.raises(OutcomeUnknown):
        submit(opened, resting)


def test_trap_a_lost_answer_and_no_connection_are_of_one_class(
    run: RunningExchange, opened: Desk, resting: NewOrder, order: Callable[..., NewOrder]
) -> None:
    """After one of them the order is live; after the other it can be sent again."""
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="place", times=2))

    async def to_nobody(client: Any) -> None:
        client.urls["api"]["private"] = "http://127.0.0.1:1/api/v3"
        await limit(client, "nobody")

    kinds = []
    for story in (limit, to_nobody):
        with pytest.raises(ccxt.NetworkError) as raised:
            bare(run, story)
        kinds.append(type(raised.value))
    assert kinds == [ccxt.ExchangeNotAvailable] * 2

    with pytest.raises(OutcomeUnknown):
        submit(opened, resting)
    opened.venue._client.urls["api"]["private"] = "http://127.0.0.1:1/api/v3"
    with pytest.raises(NotSent, match="no_connection"):
        submit(opened, order("wk2", quantity="0.002", limit_price="50000"))
    assert [one.client_order_id for one in run.exchange.orders()] == ["bare", "wk1"]


def test_trap_a_wrong_clock_is_a_network_error(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    """Who retries after each NetworkError sends for ever what the exchange refuses for ever."""
    run.exchange.skew_clock(11_000)

    with pytest.raises(ccxt.NetworkError) as raised:
        bare(run, limit)

    assert type(raised.value) is ccxt.InvalidNonce
    with pytest.raises(Rejected, match="clock: "):
        submit(opened, resting)
    assert run.exchange.orders() == []


@pytest.mark.parametrize("fault", [Fault.TOO_MANY_REQUESTS, Fault.IP_BANNED])
def test_trap_throttling_is_not_rate_limit_exceeded(
    fault: Fault, run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    """Who stays away only after RateLimitExceeded asks on until the address is banned."""
    plan = Plan(fault=fault, operation="place", times=2, retry_after_s=60)
    run.exchange.arm(plan)

    with pytest.raises(ccxt.DDoSProtection) as raised:
        bare(run, limit)

    assert not isinstance(raised.value, ccxt.RateLimitExceeded)
    with pytest.raises(Rejected, match="rate_limited: "):
        submit(opened, resting)
    asked = len(run.exchange.requests())
    with pytest.raises(NotSent, match="rate_limited: "):
        submit(opened, resting)
    assert len(run.exchange.requests()) == asked


def test_trap_an_order_that_is_too_small_is_not_an_invalid_order(
    run: RunningExchange, opened: Desk, order: Callable[..., NewOrder]
) -> None:
    """And ccxt, which knows the minimum, sends it."""

    async def too_small(client: Any) -> None:
        await client.create_order(BTC, "limit", "buy", "0.00002", "50000")

    with pytest.raises(ccxt.BadRequest) as raised:
        bare(run, too_small)

    assert not isinstance(raised.value, ccxt.InvalidOrder)
    sent = len(run.exchange.requests(operation="place"))
    with pytest.raises(Rejected, match="invalid_order: "):
        submit(opened, order("wk1", quantity="0.00002", limit_price="50000"))
    assert len(run.exchange.requests(operation="place")) == sent == 1


def test_trap_a_duplicate_is_an_invalid_order_although_the_order_is_live(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    async def twice(client: Any) -> None:
        await limit(client)
        await limit(client)

    with pytest.raises(ccxt.InvalidOrder) as raised:
        bare(run, twice)

    assert not isinstance(raised.value, ccxt.DuplicateOrderId)
    submit(opened, resting)
    with pytest.raises(OutcomeUnknown, match="duplicate"):
        submit(opened, resting)
    report = find(opened, resting)
    assert report is not None
    assert report.state is OrderState.ACCEPTED


def test_trap_a_market_order_with_a_price_is_sent_as_an_amount_of_money(
    run: RunningExchange, opened: Desk, order: Callable[..., NewOrder]
) -> None:
    async def with_price(client: Any) -> None:
        await client.create_order(BTC, "market", "buy", "0.002", "50000")

    bare(run, with_price)
    assert "quoteOrderQty" in run.exchange.requests(operation="place")[-1].params

    report = submit(opened, order("wk2", quantity="0.002"))

    sent = run.exchange.requests(operation="place")[-1].params
    assert "quoteOrderQty" not in sent
    assert Decimal(sent["quantity"]) == report.filled_quantity == Decimal("0.002")


def test_trap_a_revoked_key_looks_like_throttling(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    async def revoked(client: Any) -> None:
        await client.fetch_balance()
        run.exchange.revoke_key()
        await limit(client)

    with pytest.raises(ccxt.DDoSProtection):
        bare(run, revoked)

    with pytest.raises(Rejected) as raised:
        submit(opened, resting)
    assert str(raised.value).startswith("authentication: ")


def test_trap_away_from_home_most_codes_change_their_class() -> None:
    from ccxt import pro

    def classes(client: Any, url: str) -> dict[str, str]:
        found = {}
        for code in client.exceptions["spot"]["exact"]:
            body = f'{{"code":{code},"msg":"x"}}'
            try:
                client.handle_errors(
                    400, "", url, "POST", {}, body, client.parse_json(body), {}, ""
                )
            except ccxt.BaseError as error:
                found[code] = type(error).__name__
        return found

    home, away = "https://api.binance.com/api/v3/order", "http://127.0.0.1:1/api/v3/order"

    async def compare() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        plain = pro.binance()
        settings = CcxtSettings(
            exchange="binance", api_key="k", secret="s", config={"urls": {"www": "elsewhere"}}
        )
        ours = open_client(settings, CAPABILITIES["binance"], RateBudget())
        try:
            return classes(plain, home), classes(plain, away), classes(ours, away)
        finally:
            await close_client(ours)

    at_home, elsewhere, with_us = asyncio.run(compare())

    assert len(at_home) > 250
    assert sum(at_home[code] != elsewhere[code] for code in at_home) > 200
    assert with_us == at_home


def test_trap_orders_over_the_socket_have_no_timeout(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    """So they are never sent that way, though it is quicker."""
    run.exchange.arm(Plan(fault=Fault.HANG_AFTER, operation="place"))

    async def over_socket(client: Any) -> bool:
        placing = asyncio.ensure_future(
            client.create_order_ws(
                BTC, "limit", "buy", "0.002", "50000", {"newClientOrderId": "bare"}
            )
        )
        done, _ = await asyncio.wait([placing], timeout=1.5)
        placing.cancel()
        return bool(done)

    assert bare(run, over_socket) is False
    submit(opened, resting)
    assert run.exchange.requests(client_order_id="wk1")[0].transport == "rest"


def test_trap_a_socket_that_closes_takes_the_answer_of_a_live_order_with_it(
    run: RunningExchange,
) -> None:
    run.exchange.arm(Plan(fault=Fault.CLOSE_AFTER, operation="place"))

    async def over_socket(client: Any) -> None:
        await client.create_order_ws(
            BTC, "limit", "buy", "0.002", "50000", {"newClientOrderId": "bare"}
        )

    with pytest.raises(ccxt.NetworkError):
        bare(run, over_socket)

    assert len(run.exchange.orders_with("bare")) == 1


# ------------------------------------------------------------------ asking and canceling


def test_trap_order_not_found_is_no_proof(run: RunningExchange, opened: Desk) -> None:
    run.exchange.arm(Plan(fault=Fault.DELAYED_DELIVERY, operation="place", delay_ms=1_200))

    async def ask_too_early(client: Any) -> tuple[str, str]:
        with pytest.raises(ccxt.RequestTimeout):
            await limit(client)
        params = {"clientOrderId": "bare"}
        try:
            await client.fetch_order(None, BTC, params)
            first = "found"
        except ccxt.OrderNotFound:
            first = "not found"
        async with asyncio.timeout(LIMIT_S):
            while not run.exchange.orders_with("bare"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return first, (await client.fetch_order(None, BTC, params))["status"]

    assert bare(run, ask_too_early) == ("not found", "open")
    absent = opened.venue.find(free_name(), BTC, sent_at_ns=time.time_ns())
    with pytest.raises(OutcomeUnknown, match="no proof yet"):
        opened.call(absent)


def free_name() -> Any:
    return f"wk{next(numbers):022d}"


def test_trap_a_lost_cancel_is_silently_repeated_and_comes_as_order_not_found(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="cancel"))

    async def cancel(client: Any) -> None:
        await limit(client)
        await client.cancel_order(None, BTC, {"origClientOrderId": "bare"})

    with pytest.raises(ccxt.OrderNotFound):
        bare(run, cancel)
    assert len(run.exchange.requests(operation="cancel")) == 2
    assert not run.exchange.orders_with("bare")[0].is_open

    submit(opened, resting)
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="cancel"))
    report = opened.call(opened.venue.cancel(resting.client_order_id, BTC))
    assert report.state is OrderState.CANCELED


def test_trap_the_answer_to_a_cancel_bears_another_id(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    async def cancel(client: Any) -> Any:
        await limit(client)
        return await client.cancel_order(None, BTC, {"origClientOrderId": "bare"})

    assert bare(run, cancel)["clientOrderId"] != "bare"

    submit(opened, resting)
    report = opened.call(opened.venue.cancel(resting.client_order_id, BTC))
    assert report.client_order_id == "wk1"


# ------------------------------------------------------------------ streams


async def subscribed(run: RunningExchange, client: Any) -> "asyncio.Task[Any]":
    """Watch; give the task once the exchange knows of it. A lost connection is told first."""
    watching: asyncio.Task[Any] = asyncio.ensure_future(client.watch_orders(BTC))
    async with asyncio.timeout(LIMIT_S):
        while not any("user" in names for names in run.exchange.streams().values()):
            await asyncio.sleep(0.01)
            if watching.done() and isinstance(watching.exception(), ccxt.NetworkError):
                watching = asyncio.ensure_future(client.watch_orders(BTC))
    return watching


async def last_seen(client: Any, watching: "asyncio.Task[Any]", wait_s: float) -> dict[str, Any]:
    """Follow until it is quiet; give the order as ccxt has it then, or nothing."""
    while True:
        done, _ = await asyncio.wait([watching], timeout=wait_s)
        if not done:
            watching.cancel()
            return dict(client.orders[-1]) if client.orders else {}
        watching.result()
        watching = asyncio.ensure_future(client.watch_orders(BTC))


def test_trap_the_watched_order_is_whatever_came_last(
    run: RunningExchange, watch: Callable[[], Told], opened: Desk, resting: NewOrder
) -> None:
    swap = StreamPlan(fault=StreamFault.OUT_OF_ORDER, stream="user", event="executionReport")

    async def fill_twice(name: str) -> None:
        run.exchange.arm_stream(swap)
        await asyncio.to_thread(run.exchange.fill_order, name, Decimal("0.001"))
        await asyncio.to_thread(run.exchange.fill_order, name)

    async def watched(client: Any) -> dict[str, Any]:
        watching = await subscribed(run, client)
        await limit(client)
        await watching
        watching = asyncio.ensure_future(client.watch_orders(BTC))
        await fill_twice("bare")
        return await last_seen(client, watching, 0.6)

    last = bare(run, watched)
    assert (last["status"], Decimal(last["filled"])) == ("open", Decimal("0.001"))

    told = watch()
    submit(opened, resting)
    told.until(lambda: bool(told.reports_of("wk1")))
    asyncio.run(fill_twice("wk1"))
    told.until_filled()
    assert told.reports_of("wk1")[-1].state is OrderState.FILLED


def test_trap_a_repeated_trade_is_paid_for_twice(
    run: RunningExchange, watch: Callable[[], Told], opened: Desk, resting: NewOrder
) -> None:
    twice = StreamPlan(fault=StreamFault.DUPLICATE_EVENT, stream="user", event="executionReport")

    async def watched(client: Any) -> float:
        watching = await subscribed(run, client)
        await limit(client)
        await watching
        watching = asyncio.ensure_future(client.watch_orders(BTC))
        run.exchange.arm_stream(twice)
        await asyncio.to_thread(run.exchange.fill_order, "bare")
        return float((await last_seen(client, watching, 0.6))["fee"]["cost"])

    paid = bare(run, watched, number=float)
    fee = float(run.exchange.trades()[0].fee)
    assert paid == pytest.approx(2 * fee)

    told = watch()
    submit(opened, resting)
    told.until(lambda: bool(told.reports_of("wk1")))
    run.exchange.arm_stream(twice)
    run.exchange.fill_order("wk1")
    told.until_filled()
    told.until(lambda: bool(told.fills_of("wk1")))
    assert len(told.fills_of("wk1")) == 1


@pytest.mark.parametrize(
    "fault", [StreamFault.STREAM_TERMINATED, StreamFault.STALL, StreamFault.STALL_WITH_PONGS]
)
def test_trap_a_silent_stream_never_wakes_who_waits(
    fault: StreamFault,
    run: RunningExchange,
    watch: Callable[[], Told],
    opened: Desk,
    resting: NewOrder,
) -> None:
    async def watched(client: Any) -> bool:
        watching = await subscribed(run, client)
        run.exchange.strike_streams(fault, stream="user")
        await limit(client)
        done, _ = await asyncio.wait([watching], timeout=1.0)
        watching.cancel()
        return bool(done)

    assert bare(run, watched) is False

    told = watch()
    submit(opened, resting)
    run.exchange.strike_streams(fault, stream="user")
    run.exchange.fill_order("wk1")
    told.until_filled()
    told.until(lambda: StreamPhase.STALE in told.phases())


def test_trap_nothing_is_replayed_after_a_reconnect(
    run: RunningExchange, watch: Callable[[], Told], opened: Desk, resting: NewOrder
) -> None:
    async def watched(client: Any) -> dict[str, Any]:
        watching = await subscribed(run, client)
        await limit(client)
        await watching
        run.exchange.strike_streams(StreamFault.DROP, stream="user")
        async with asyncio.timeout(LIMIT_S):
            while run.exchange.streams():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.to_thread(run.exchange.fill_order, "bare")
        return await last_seen(client, await subscribed(run, client), 0.6)

    assert bare(run, watched)["status"] == "open"
    assert not run.exchange.orders_with("bare")[0].is_open

    told = watch()
    submit(opened, resting)
    told.until(lambda: bool(told.reports_of("wk1")))
    run.exchange.arm_stream(StreamPlan(fault=StreamFault.SUBSCRIBE_REFUSED, stream="user"))
    run.exchange.strike_streams(StreamFault.DROP, stream="user")
    told.until(lambda: StreamPhase.BACKOFF in told.phases())
    run.exchange.fill_order("wk1")
    told.until_filled()


def test_trap_one_message_that_breaks_its_handler_silences_the_stream(
    run: RunningExchange, watch: Callable[[], Told], opened: Desk, resting: NewOrder
) -> None:
    """For instance a fee in a currency without a market; ours is told and connects anew."""

    async def watched(client: Any) -> bool:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        watching = await subscribed(run, client)
        client.handle_order_update = break_down
        await limit(client)
        done, _ = await asyncio.wait([watching], timeout=1.0)
        watching.cancel()
        return bool(done)

    assert bare(run, watched) is False

    told = watch()
    opened.venue._client.handle_order_update = break_down
    submit(opened, resting)
    told.until(lambda: StreamPhase.BACKOFF in told.phases())
    reasons = [one.reason for one in told.states() if one.phase is StreamPhase.BACKOFF]
    assert "a stream message broke its handler: KeyError" in reasons[0]
    told.until(lambda: bool(told.reports_of("wk1")))


def break_down(*_: Any) -> None:
    raise KeyError("BNB")
