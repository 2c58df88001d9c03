"""The control port does over HTTP what a test does in process, and says no in one sentence."""

import json
import urllib.error
import urllib.request
from typing import Any

import ccxt
import pytest

from exchanges.local.control import COMMANDS
from exchanges.local.faults import CATALOGUE, CONDITIONS
from exchanges.local.server import RunningExchange

BTC = "BTC/USDT"
NOT_CONDITIONS = {"arm", "arm_stream", "disarm", "release_price", "strike_streams"}


def ask(
    run: RunningExchange, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{run.urls.control}/{path}", data, {"Content-Type": "application/json"} | headers
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_it_listens_on_another_port(run: RunningExchange) -> None:
    assert run.urls.control not in ("", run.urls.http)
    assert run.urls.control.startswith("http://127.0.0.1:")


def test_a_fault_is_armed_strikes_and_is_seen_to_have_struck(
    run: RunningExchange, client: Any
) -> None:
    plan = {"fault": "server_error_after", "operation": "place", "client_order_id": "a"}
    assert ask(run, "arm", {"plan": plan}) == (200, {"result": 1})

    with pytest.raises(ccxt.ExchangeNotAvailable):
        client.create_order(BTC, "limit", "buy", 0.01, 50_000, {"clientOrderId": "a"})

    (armed,) = ask(run, "armed")[1]["result"]
    (request,) = ask(run, "requests?operation=place")[1]["result"]
    (order,) = ask(run, "orders_with?client_order_id=a")[1]["result"]
    assert (armed["seen"], armed["struck"]) == (1, 1)
    assert (request["fault"], request["engine"], request["http_status"]) == (
        "server_error_after",
        "done",
        503,
    )
    assert request["order_ids"] == [order["order_id"]]
    assert request["ts_received_ns"] <= request["ts_engine_ns"] <= request["ts_replied_ns"]
    assert "signature" not in request["params"]


def test_the_market_and_the_account_can_be_moved(run: RunningExchange, client: Any) -> None:
    assert ask(run, "set_price", {"symbol": BTC, "price": "42000"})[0] == 200
    assert ask(run, "deposit", {"asset": "USDT", "quantity": "-999000"})[0] == 200
    assert ask(run, "set_tick", {"symbol": BTC, "tick": "0.5"})[0] == 200
    client.load_markets(reload=True)

    assert abs(client.fetch_ticker(BTC)["bid"] - 42_000) < 10
    assert client.fetch_balance()["USDT"]["free"] == 1_000
    assert client.market(BTC)["precision"]["price"] == 0.5


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("arm", {"plan": {"fault": "hang"}}, "Invalid enum value 'hang'"),
        ("arm", {"plan": {"fault": "hang_before", "operation": "plaice"}}, "'plaice' is none of"),
        ("arm", {"plan": {"fault": "hang_before", "nht": 2}}, "unknown field `nht`"),
        ("arm", {}, "missing required field `plan`"),
        ("set_price", {"symbol": "DOGE/USDT", "price": "1"}, "not traded here"),
        ("set_price", {"symbol": BTC, "price": "much"}, "decimal"),
        ("fill_order", {"client_order_id": "nobody"}, "no such order"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(
    run: RunningExchange, path: str, body: Any, sentence: str
) -> None:
    status, answer = ask(run, path, body)

    assert status == 400
    assert sentence in answer["error"]


def test_a_browser_cannot_be_tricked_into_it(run: RunningExchange) -> None:
    assert ask(run, "revoke_key", {}, **{"Content-Type": "text/plain"})[0] == 415
    assert ask(run, "orders", Host="rebound.example")[0] == 403
    assert not run.exchange.is_key_revoked


def test_the_catalogue_names_every_condition_by_its_command(run: RunningExchange) -> None:
    assert set(CONDITIONS) == set(COMMANDS) - NOT_CONDITIONS
    assert ask(run, "catalogue")[1]["result"] == CATALOGUE
