"""Placing orders through unmodified ccxt at sockets that misbehave: what is raised is what is true.

Which order reached the venue is counted at the socket, never taken from the client.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.protocol import SEND_WITHIN_MS, NewOrder
from exchanges.rate_budget import RateBudget
from messages.errors import NotSent, OutcomeUnknown, Rejected, VenueError
from messages.ids import NS_PER_MS
from messages.values import OrderState, OrderType
from tests.exchanges.live import (
    CLOSE,
    HANG,
    HASTE_MS,
    RESET,
    Desk,
    Script,
    desk,
    free,
    local_config,
    reply,
)
from tests.exchanges.live import scripted as scripted_server

pytestmark = pytest.mark.slow

ACCEPTED = (
    '{"symbol":"BTCUSDT","orderId":7,"clientOrderId":"wk1","transactTime":1700000000000,'
    '"price":"50000.00","origQty":"0.001","executedQty":"0","cummulativeQuoteQty":"0",'
    '"status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","fills":[]}'
)


@pytest.fixture(scope="module")
def script() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def opened(script: Script) -> Iterator[Desk]:
    with desk(local_config(script.port)) as opened:
        opened.call(opened.venue.open())
        yield opened


@pytest.fixture
def limit(order: Callable[..., NewOrder]) -> NewOrder:
    return order("wk1", quantity="0.001", limit_price="50000")


def outcome(desk: Desk, order: NewOrder, fence: Callable[[], None] = free) -> VenueError:
    with pytest.raises(VenueError) as raised:
        desk.call(desk.venue.submit(order, fence))
    return raised.value


def test_an_order_goes_out_exactly_as_it_is_and_once(
    script: Script, opened: Desk, limit: NewOrder
) -> None:
    script.say("order", reply(200, ACCEPTED))
    before = len(script.requests("order"))

    report = opened.call(opened.venue.submit(limit, free))

    assert (report.state, report.venue_order_id) == (OrderState.ACCEPTED, "7")
    (sent,) = script.requests("order")[before:]
    fields = dict(part.split("=") for part in sent.query.split("&"))
    assert fields["quantity"] == "0.001"
    assert fields["newClientOrderId"] == "wk1"
    assert (fields["price"], fields["recvWindow"]) == ("50000", "2500")


CUT = reply(200, ACCEPTED[:40], length=400)
"""And nobody hangs up: the rest could still come."""
LOST: dict[str, tuple[bytes | str, type[VenueError]]] = {
    "hang": (HANG, OutcomeUnknown),
    "reset": (RESET, OutcomeUnknown),
    "close": (CLOSE, OutcomeUnknown),
    "cut by length": (CUT, OutcomeUnknown),
    "half a JSON": (reply(200, ACCEPTED[:40]), OutcomeUnknown),
    "empty": (reply(200, ""), OutcomeUnknown),
    "empty object": (reply(200, "{}"), OutcomeUnknown),
    "a list": (reply(200, "[]"), OutcomeUnknown),
    "null": (reply(200, "null"), OutcomeUnknown),
    "HTML": (reply(200, "<html>hello</html>"), OutcomeUnknown),
    "another order": (reply(200, ACCEPTED.replace("wk1", "wk2")), OutcomeUnknown),
    "no status": (reply(200, ACCEPTED.replace("NEW", "ODD")), OutcomeUnknown),
    "500 HTML": (reply(500, "<html>"), OutcomeUnknown),
    "502": (reply(502, ""), OutcomeUnknown),
    "503 -1008": (reply(503, '{"code":-1008,"msg":"overloaded"}'), OutcomeUnknown),
    "504": (reply(504, ""), OutcomeUnknown),
    "408": (reply(408, ""), OutcomeUnknown),
    "403 by a firewall": (reply(403, "<html>"), OutcomeUnknown),
    "-1006": (reply(400, '{"code":-1006,"msg":"unexpected response"}'), OutcomeUnknown),
    "-1007": (reply(400, '{"code":-1007,"msg":"timeout"}'), OutcomeUnknown),
    "-1000": (reply(400, '{"code":-1000,"msg":"unknown"}'), OutcomeUnknown),
    "no code known": (reply(400, '{"code":-9999,"msg":"new"}'), OutcomeUnknown),
    "400 without a code": (reply(400, "{}"), OutcomeUnknown),
    "duplicate": (reply(400, '{"code":-2010,"msg":"Duplicate order sent."}'), OutcomeUnknown),
    "redirect": (
        b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:9/order\r\nContent-Length: 0\r\n\r\n",
        OutcomeUnknown,
    ),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", OutcomeUnknown),
    "429": (reply(429, "", "Retry-After: 0\r\n"), Rejected),
    "418": (reply(418, "{}", "Retry-After: 0\r\n"), Rejected),
    "401": (reply(401, '{"code":-2015,"msg":"Invalid API-key"}'), Rejected),
    "-1021": (reply(400, '{"code":-1021,"msg":"recvWindow"}'), Rejected),
    "-2010 funds": (
        reply(400, '{"code":-2010,"msg":"Account has insufficient balance for requested action."}'),
        Rejected,
    ),
    "-1013 LOT_SIZE": (reply(400, '{"code":-1013,"msg":"Filter failure: LOT_SIZE"}'), Rejected),
    "-1013 NOTIONAL": (reply(400, '{"code":-1013,"msg":"Filter failure: NOTIONAL"}'), Rejected),
}


@pytest.mark.parametrize(("answer", "kind"), LOST.values(), ids=LOST)
def test_an_answer_is_what_it_proves(
    answer: bytes | str, kind: type[VenueError], script: Script, opened: Desk, limit: NewOrder
) -> None:
    script.say("order", answer)
    before = len(script.requests("order"))

    with opened.within(HASTE_MS) if answer in (HANG, CUT) else nullcontext():
        error = outcome(opened, limit)

    assert type(error) is kind, error
    assert len(script.requests("order")) == before + 1
    assert str(error).isprintable()


def test_a_key_that_the_exchange_gives_back_is_not_shown(
    script: Script, opened: Desk, limit: NewOrder
) -> None:
    script.say("order", reply(401, '{"code":-2015,"msg":"Invalid API-key local-key"}'))

    error = outcome(opened, limit)

    assert "Invalid API-key ***" in str(error)
    assert "local-key" not in str(error)


def test_a_refused_connection_is_not_sent(limit: NewOrder, script: Script) -> None:
    with desk(local_config(script.port)) as opened:
        opened.call(opened.venue.open())
        opened.call(move_to(opened, closed_port()))

        assert isinstance(outcome(opened, limit), NotSent)


def test_a_name_that_nobody_knows_is_not_sent(
    limit: NewOrder, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolver is the one thing that is played: no name leaves this machine."""

    def unknown(host: str, *_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is not known")

    with desk(local_config(script.port)) as opened:
        opened.call(opened.venue.open())
        opened.call(move_to(opened, 80, "nowhere.invalid"))
        monkeypatch.setattr(socket, "getaddrinfo", unknown)

        assert isinstance(outcome(opened, limit), NotSent)


async def move_to(desk: Desk, port: int, host: str = "127.0.0.1") -> None:
    api = desk.venue._client.urls["api"]
    api["public"] = api["private"] = f"http://{host}:{port}/api/v3"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ------------------------------------------------------------------ the fence


class Stop(Exception):
    pass


def test_a_fence_stops_the_request_before_it_leaves(
    script: Script, opened: Desk, limit: NewOrder
) -> None:
    def fence() -> None:
        raise Stop("another incarnation took over")

    before = len(script.asked)
    error = outcome(opened, limit, fence)

    assert isinstance(error, NotSent)
    assert "another incarnation took over" in str(error)
    assert len(script.asked) == before


def test_the_fence_is_asked_once_when_the_request_is_about_to_leave(
    script: Script, opened: Desk, limit: NewOrder
) -> None:
    script.say("order", reply(200, ACCEPTED))
    arrived_before: list[int] = []
    count = len(script.requests("order"))

    opened.call(
        opened.venue.submit(limit, lambda: arrived_before.append(len(script.requests("order"))))
    )

    assert arrived_before == [count]


def test_an_order_that_waited_too_long_for_its_turn_does_not_leave(
    script: Script, limit: NewOrder
) -> None:
    now = [0]
    with desk(local_config(script.port), monotonic_ns=lambda: now[0]) as opened:
        opened.call(opened.venue.open())
        before = len(script.requests("order"))
        opened.venue._client.throttle = late(now)

        error = outcome(opened, limit)

    assert isinstance(error, NotSent)
    assert "too long" in str(error)
    assert len(script.requests("order")) == before


def late(now: list[int]) -> Any:
    async def throttle(cost: float | None = None) -> None:
        now[0] += (SEND_WITHIN_MS + 1) * NS_PER_MS

    return throttle


# ------------------------------------------------------------------ refused before any I/O


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"quantity": "0.0000105"}, "off the step"),
        ({"quantity": "0"}, "is not more than 0"),
        ({"quantity": "-1"}, "is not more than 0"),
        ({"quantity": "NaN"}, "is not more than 0"),
        ({"quantity": "1E+40"}, "off the step"),
        ({"quantity": "9001"}, "above the maximum"),
        ({"quantity": "0.001", "limit_price": "50000.001"}, "off the tick"),
        ({"quantity": "0.001", "limit_price": "Infinity"}, "off the tick"),
        ({"quantity": "0.00001", "limit_price": "10"}, "is worth 0.00010, less than 5"),
        (
            {"quantity": "0.001", "limit_price": None, "order_type": OrderType.LIMIT},
            "needs a limit price",
        ),
    ],
)
def test_an_order_that_is_not_exact_is_refused_and_never_rounded(
    changes: dict[str, Any],
    sentence: str,
    script: Script,
    opened: Desk,
    order: Callable[..., NewOrder],
) -> None:
    before = len(script.asked)

    error = outcome(opened, order("wk1", **changes))

    assert isinstance(error, Rejected)
    assert sentence in str(error)
    assert len(script.asked) == before


@pytest.mark.parametrize("name", ["wk with spaces", "wk" + "x" * 40, "wkü", ""])
def test_an_id_by_which_the_order_could_not_be_found_is_refused(
    name: str, opened: Desk, order: Callable[..., NewOrder]
) -> None:
    error = outcome(opened, order(name, quantity="0.001"))

    assert isinstance(error, Rejected)
    assert "takes no client order id" in str(error)


def test_a_symbol_that_was_not_named_at_the_gate_is_not_sent(
    opened: Desk, order: Callable[..., NewOrder]
) -> None:
    assert isinstance(outcome(opened, order("wk1", symbol="ETH/USDT")), NotSent)


def test_nothing_leaves_while_the_venue_wants_to_hear_nothing(
    script: Script, limit: NewOrder
) -> None:
    budget = RateBudget()
    with desk(local_config(script.port), budget=budget) as opened:
        opened.call(opened.venue.open())
        budget.heard(429, 60_000)
        before = len(script.asked)

        error = outcome(opened, limit)

    assert isinstance(error, NotSent)
    assert error.retry_after_ms is not None
    assert 59_000 < error.retry_after_ms <= 60_000
    assert len(script.asked) == before


def test_a_429_is_obeyed_for_as_long_as_it_says(script: Script, limit: NewOrder) -> None:
    with desk(local_config(script.port)) as opened:
        opened.call(opened.venue.open())
        script.say("order", reply(429, "{}", "Retry-After: 7\r\n"))

        first, second = outcome(opened, limit), outcome(opened, limit)

    assert (type(first), first.retry_after_ms) == (Rejected, 7_000)
    assert isinstance(second, NotSent)
