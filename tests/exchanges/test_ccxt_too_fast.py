"""An exchange that is asked too often is left alone, also where it says so in an HTTP 200."""

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

import ccxt

from exchanges.ccxt_additions import Additions
from exchanges.ccxt_call import recorded
from exchanges.rate_budget import RateBudget


class Answering:
    """Stands for ccxt's class of an exchange: answers with a text and raises what that means."""

    session = None

    def __init__(self, config: dict[str, Any]) -> None:
        self.error: Exception = config["error"]
        self.status, self.text = config["status"], json.dumps(config["answer"])

    async def fetch(self, url: str, method: str, _headers: Any, _body: Any) -> Any:
        self.on_rest_response(self.status, "", url, method, {}, self.text)
        raise self.error

    def on_rest_response(self, *_: Any) -> None:
        """Listen, as ccxt's own does."""


class Watched(Additions, Answering):
    """With what is ours."""


def blocked_by(error: Exception, answer: Any, status: int = 200) -> int:
    client = Watched({"error": error, "answer": answer, "status": status})
    client.budget = RateBudget()

    async def ask() -> None:
        with recorded():
            await client.fetch("https://api.example/0/private/OpenOrders")

    with pytest.raises(type(error)):
        asyncio.run(ask())
    return client.budget.blocked_for_ms


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (ccxt.DDoSProtection("x"), {"error": ["EAPI:Rate limit exceeded"]}),
        (ccxt.RateLimitExceeded("x"), {"code": "50011", "msg": "Requests too frequent."}),
        (
            ccxt.ExchangeError("x"),
            {"status": "error", "err-code": "api-request-too-many-requests", "err-msg": "x"},
        ),
    ],
)
def test_who_says_it_in_an_answer_that_looks_well_is_heard(error: Exception, answer: Any) -> None:
    assert blocked_by(error, answer) > 1_000


def test_who_refuses_for_another_reason_is_asked_again() -> None:
    assert blocked_by(ccxt.ExchangeError("x"), {"status": "error", "err-code": "x"}) == 0
    assert blocked_by(ccxt.DDoSProtection("x"), {"code": -2015, "msg": "key"}, status=401) == 0
