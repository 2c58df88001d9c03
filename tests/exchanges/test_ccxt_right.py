"""Whether a key may trade is asked without an order: what is answered, and that none can leave."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from exchanges import ccxt_right
from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_call import recorded
from exchanges.ccxt_guard import Misrouted
from exchanges.ccxt_right import order_to_check
from exchanges.facts import MarketFacts, RightState, TradingRight
from exchanges.protocol import NewOrder
from messages.errors import VenueRefused
from messages.values import Instrument, OrderType, TimeInForce
from tests.cancelling import heeds_a_cancellation
from tests.exchanges.live import BTC, HANG, RESET, Desk, Script, desk, local_config, reply
from tests.exchanges.live import scripted as scripted_server

BINANCE = CAPABILITIES["binance"]


def facts(**changes: str) -> MarketFacts:
    grid = {
        "price_tick": "0.01",
        "quantity_step": "0.00001",
        "min_quantity": "0.00001",
        "min_notional": "5",
    } | changes
    most = grid.pop("max_quantity", "9000")
    return MarketFacts(
        instrument=Instrument(symbol=BTC, **{name: Decimal(text) for name, text in grid.items()}),
        base="BTC",
        quote="USDT",
        max_quantity=Decimal(most),
        maker_fee_rate=None,
        taker_fee_rate=None,
    )


def made(last: str, **changes: str) -> NewOrder | None:
    return order_to_check(BINANCE, facts(**changes), Decimal(last))


@pytest.mark.parametrize(
    ("last", "grid", "quantity", "price"),
    [
        ("60000", {}, "0.0001", "54000.00"),
        ("53353.13", {}, "0.00011", "48017.81"),
        ("0.3141", {"price_tick": "0.0001", "quantity_step": "1"}, "18", "0.2826"),
        ("60000", {"min_notional": "0"}, "0.00001", "54000.00"),
        ("60000", {"min_quantity": "0.5"}, "0.5", "54000.00"),
        ("60000", {"min_quantity": "0.000015"}, "0.0001", "54000.00"),
    ],
)
def test_the_order_is_the_smallest_that_the_rules_allow_and_below_the_market(
    last: str, grid: dict[str, str], quantity: str, price: str
) -> None:
    order = made(last, **grid)

    assert order is not None
    assert (str(order.quantity.normalize()), str(order.limit_price)) == (quantity, price)


def test_were_it_ever_placed_it_would_neither_trade_nor_rest_and_be_known_as_ours() -> None:
    order = made("60000")

    assert order is not None
    assert (order.order_type, order.time_in_force) == (OrderType.LIMIT, TimeInForce.IOC)
    assert BINANCE.is_ours(order.client_order_id)


@pytest.mark.parametrize(
    ("last", "grid"), [("0.01", {}), ("60000", {"max_quantity": "0.00001"}), ("0", {})]
)
def test_where_the_rules_leave_no_order_there_is_none(last: str, grid: dict[str, str]) -> None:
    assert made(last, **grid) is None


# ------------------------------------------------------------------ over a socket


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as script:
        script.say("24hr", reply(200, '{"symbol":"BTCUSDT","lastPrice":"60000.00"}'))
        script.say("test", reply(200, "{}"))
        yield script


@pytest.fixture
def opened(script: Script) -> Iterator[Desk]:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    with desk(local_config(script.port)) as opened:
        opened.call(opened.venue.open())
        yield opened


def ask(opened: Desk) -> TradingRight:
    return opened.call(opened.venue.trading_right())


def assert_only_asked(script: Script) -> None:
    posts = {(one.method, one.path) for one in script.asked if one.method != "GET"}
    assert posts <= {("POST", "/api/v3/order/test")}


@pytest.mark.slow
def test_a_key_that_may_trade_is_proved_to(script: Script, opened: Desk) -> None:
    right = ask(opened)

    assert right.state is RightState.PROVED
    assert right.text == "the key may trade at binance: an order was checked, and not placed"
    assert_only_asked(script)
    assert len(script.requests("test")) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        reply(401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'),
        reply(401, '{"code":-1002,"msg":"You are not authorized to execute this request."}'),
        reply(401, '{"code":-2014,"msg":"API-key format invalid."}'),
    ],
)
def test_a_key_that_may_not_is_refused_in_a_sentence_that_says_what_to_do(
    answer: bytes, script: Script, opened: Desk
) -> None:
    script.say("test", answer)

    with pytest.raises(VenueRefused, match="the key may read at binance and not trade") as raised:
        ask(opened)

    assert "HTTP 401, code -" in str(raised.value)
    assert "enable spot trading for it, and only that" in str(raised.value)
    assert_only_asked(script)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(400, '{"code":-1013,"msg":"Filter failure: NOTIONAL"}'), "for another reason (inv"),
        (reply(400, '{"code":-2010,"msg":"Account has insufficient balance"}'), "another reason"),
        (reply(429, '{"code":-1003,"msg":"Too many requests."}'), "another reason (rate_limited"),
        (reply(400, '{"code":-1021,"msg":"Timestamp"}'), "another reason (clock"),
        (reply(200, "<html>hello</html>"), "its reply is not the one it documents"),
        (reply(200, ""), "its reply is not the one it documents"),
        (reply(200, "{"), "its reply is not the one it documents"),
        (reply(200, '{"orderId":7,"status":"NEW"}'), "its reply is not the one it documents"),
        (reply(404, "<html>nothing here</html>"), "no_proof"),
        (reply(503, "<html>busy</html>"), "no_proof"),
        (reply(401, "<html>who are you</html>"), "no_proof"),
        (reply(500, '{"code":-2015,"msg":"Invalid API-key"}'), "no_proof"),
        (RESET, "no_proof"),
    ],
)
def test_whatever_else_is_answered_proves_nothing_and_stops_nothing(
    answer: bytes, why: str, script: Script, opened: Desk
) -> None:
    script.say("test", answer)

    right = ask(opened)

    assert right.state is RightState.UNANSWERED
    assert right.text.startswith("binance did not tell whether the key may trade: ")
    assert why in right.text
    assert right.text.isprintable()
    assert_only_asked(script)
    assert len(script.requests("test")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("path", ["24hr", "test"])
def test_who_never_answers_is_not_waited_for(
    path: str, script: Script, opened: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccxt_right, "RIGHT_LIMIT_S", 0.2)
    script.say(path, HANG)

    right = ask(opened)

    assert right.state is RightState.UNANSWERED
    assert right.text.endswith("no answer within 0.2 s")


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer", [reply(200, "<html>"), reply(500, "{}"), reply(200, '{"symbol":"BTCUSDT"}')]
)
def test_without_a_price_the_question_is_not_put(
    answer: bytes, script: Script, opened: Desk
) -> None:
    script.say("24hr", answer)

    right = ask(opened)

    assert right.state is RightState.UNANSWERED
    assert "it gave no price of BTC/USDT" in right.text
    assert script.requests("test") == []


# ------------------------------------------------------------------ it cannot become an order


def a_ccxt_that_knows_no_test(client: Any) -> None:
    """Take the word out, as an older or a newer one might."""
    usual = client.create_order

    async def create_order(*what: Any) -> Any:
        *most, params = what
        return await usual(*most, {k: v for k, v in params.items() if k != "test"})

    client.create_order = create_order


def a_ccxt_that_takes_it_for_margin(client: Any) -> None:
    client.options["portfolioMargin"] = True
    client.urls["api"]["papi"] = client.urls["api"]["private"]


def a_ccxt_that_sends_over_a_socket(client: Any) -> None:
    async def create_order(*what: Any) -> Any:
        *most, params = what
        return await client.create_order_ws(*most, {k: v for k, v in params.items() if k != "test"})

    client.create_order = create_order


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        a_ccxt_that_knows_no_test,
        a_ccxt_that_takes_it_for_margin,
        a_ccxt_that_sends_over_a_socket,
    ],
)
def test_a_ccxt_that_would_send_it_elsewhere_sends_nothing(
    other: Callable[[Any], None], script: Script, opened: Desk
) -> None:
    before = len(script.asked)
    other(opened.venue._client)

    right = ask(opened)

    assert right.state is RightState.UNANSWERED
    assert "this ccxt would send the question elsewhere" in right.text
    assert [one.path for one in script.asked[before:]] == ["/api/v3/ticker/24hr"]


@pytest.mark.slow
def test_a_session_of_somebody_elses_carries_it_nowhere_else_either(
    script: Script, opened: Desk
) -> None:
    """Such a session is not looked into before the first byte: ccxt's own call is."""
    import aiohttp

    async def new_session() -> Any:
        return aiohttp.ClientSession()

    client = opened.venue._client
    opened.call(client.session.close())
    client.session = opened.call(new_session())
    a_ccxt_that_knows_no_test(client)

    right = ask(opened)

    assert "this ccxt would send the question elsewhere" in right.text
    assert script.requests("order") == []


@pytest.mark.slow
def test_should_that_be_passed_by_the_address_is_looked_at_before_the_first_byte(
    script: Script, opened: Desk
) -> None:
    client = opened.venue._client

    async def around_it() -> None:
        with recorded(only_to="/order/test"):
            await client.session.post(f"http://127.0.0.1:{script.port}/api/v3/order")

    with pytest.raises(Misrouted, match="to /api/v3/order, not to /order/test"):
        opened.call(around_it())
    assert script.requests("order") == []


# ------------------------------------------------------------------ whole exchanges


@pytest.mark.slow
@pytest.mark.parametrize("is_restricted", [False, True])
def test_unmodified_ccxt_reaches_the_test_and_never_the_order(is_restricted: bool) -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange

    with running_exchange(seed=5) as run, desk(run.ccxt_config()) as opened:
        run.exchange.restrict_key(is_restricted=is_restricted)
        opened.call(opened.venue.open())
        if is_restricted:
            with pytest.raises(VenueRefused, match="may read at binance and not trade"):
                ask(opened)
        else:
            assert ask(opened).state is RightState.PROVED

        posted = [one for one in run.exchange.requests() if one.method != "GET"]
        assert [(one.path, one.operation) for one in posted] == [
            ("/api/v3/order/test", "test_order")
        ]
        assert run.exchange.orders() == []


@pytest.mark.slow
def test_an_exchange_that_is_not_known_to_check_orders_is_not_asked() -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange
    from exchanges.local.settings import Profile

    with running_exchange(profile=Profile.OKX) as run:
        password = run.exchange.settings.api_password
        with desk(run.ccxt_config(), exchange="okx", password=password) as opened:
            opened.call(opened.venue.open())
            before = len(run.exchange.requests())
            right = ask(opened)

        assert right.state is RightState.NOT_ASKED
        assert right.text.startswith("okx is not known to check an order without placing it")
        assert len(run.exchange.requests()) == before


def test_who_is_cancelled_while_it_asks_is_cancelled_also_as_the_answer_comes() -> None:
    class Priceless:
        def __init__(self, answered: asyncio.Event) -> None:
            self.answered = answered

        async def fetch_ticker(self, _symbol: str) -> object:
            await self.answered.wait()
            raise OSError("no price")

    async def asks(answered: asyncio.Event) -> None:
        await ccxt_right.ask_right(Priceless(answered), BINANCE, facts())

    assert asyncio.run(heeds_a_cancellation(asks))


def test_only_exchanges_that_were_run_are_said_to_check_orders() -> None:
    checking = {row.exchange for row in CAPABILITIES.values() if row.checks_orders_at}

    assert checking == {"binance"}
    assert all(CAPABILITIES[name].tested for name in checking)
