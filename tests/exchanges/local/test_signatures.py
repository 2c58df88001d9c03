"""What a signature covers, held against the worked examples of the documentation."""

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from exchanges.local.binance_params import signed_text
from exchanges.local.server import RunningExchange

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
WHOLE = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
    "&recvWindow=5000&timestamp=1499827319559"
)
HALVES = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
    "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
)
SIGNATURES = (
    "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
)


def sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("query", "body", "signature"),
    [
        (WHOLE + "&signature=" + SIGNATURES[0], "", SIGNATURES[0]),
        ("", WHOLE + "&signature=" + SIGNATURES[0], SIGNATURES[0]),
        (HALVES[0], HALVES[1] + "&signature=" + SIGNATURES[1], SIGNATURES[1]),
        ("signature=" + SIGNATURES[0] + "&" + WHOLE, "", None),
    ],
)
def test_the_signed_text_is_query_and_body_without_the_signature(
    query: str, body: str, signature: str | None
) -> None:
    assert (sign(SECRET, signed_text(query, body)) == signature) is (signature is not None)


def ask(run: RunningExchange, path: str, **params: Any) -> tuple[int, Any]:
    settings = run.exchange.settings
    values = {"timestamp": run.exchange.clock.now_ns() // 1_000_000} | params
    query = urlencode({key: value for key, value in values.items() if value is not None})
    if "signature" not in values:
        query += "&signature=" + sign(settings.api_secret, query)
    reply = requests.get(
        f"{run.urls.http}{path}?{query}", headers={"X-MBX-APIKEY": settings.api_key}, timeout=60
    )
    return reply.status_code, reply.json()


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, None),
        ({"timestamp": None}, -1102),
        ({"signature": "f" * 64}, -1022),
        ({"recvWindow": 60_001}, -1131),
        ({"timestamp": "yesterday"}, -1100),
        ({"timestamp": 1_499_827_319_559}, -1021),
    ],
)
def test_each_flaw_has_its_code(run: RunningExchange, params: dict[str, Any], code: int) -> None:
    status, body = ask(run, "/api/v3/account", **params)

    assert (status == 200) is (code is None)
    assert code is None or body["code"] == code


def test_a_request_without_a_key_is_refused(run: RunningExchange) -> None:
    reply = requests.get(f"{run.urls.http}/api/v3/account", timeout=60)

    assert (reply.status_code, reply.json()["code"]) == (401, -2014)
