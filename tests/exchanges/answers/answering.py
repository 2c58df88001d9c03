"""Clients of ccxt that are answered as an exchange answers, and the reports of what they say.

Nothing is sent: the answers of the tests here are those that stand in ccxt's source and in the
exchanges' documents.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_additions import Additions
from exchanges.ccxt_call import current_call
from exchanges.ccxt_parse import report_of
from exchanges.rate_budget import RateBudget
from exchanges.responses import response_of
from messages.ids import ClientOrderId
from messages.orders import OrderReport
from tests.exchanges.test_request_shapes import BTC, client_of, market

OURS = ClientOrderId("wk0000000001")
Reply = tuple[int, Any]
"""Status and answer; an answer that depends on the question is a function of its parameters."""


def answering(exchange: str, replies: dict[str, Reply]) -> Any:
    """Give a client whose requests are answered by how their path ends, as if by HTTP."""
    row = CAPABILITIES[exchange]
    plain = client_of(row)
    kind = type("Client", (Additions, type(plain)), {})
    secrets = {"apiKey": "k" * 32, "secret": "c2VjcmV0" * 4, "password": "p", "uid": "1"}
    client = kind({**secrets, "number": str})
    client.budget = RateBudget()
    client.set_markets([market(row)])

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        for path, (status, answer) in replies.items():
            verb, _, end = path.rpartition(" ")
            if url.partition("?")[0].endswith(end) and verb in ("", method):
                if isinstance(answer, Exception):
                    raise answer
                asked = dict(parse_qsl(f"{urlsplit(url).query}&{body or ''}"))
                text = json.dumps(answer(asked) if callable(answer) else answer)
                call = current_call()
                if call is not None:
                    call.requests += 1
                    call.response = response_of(status, {}, text)
                client.last_http_response = text
                told = client.parse_json(text)
                client.handle_errors(status, "", url, method, {}, text, told, headers, body)
                client.handle_http_status_code(status, "", url, method, text)
                return told
        raise AssertionError(f"{method} {url}")

    client.fetch = fetch
    return client


def run(client: Any, question: Callable[[], Any]) -> Any:
    async def ask() -> Any:
        try:
            return await question()
        finally:
            await client.close()

    return asyncio.run(ask())


def report(exchange: str, raw: dict[str, Any], parse: str = "parse_order") -> OrderReport:
    row = CAPABILITIES[exchange]
    client = client_of(row)
    order = getattr(client, parse)(raw, client.market(BTC))
    return report_of(order, evidence="test")
