"""A connection that the rehearsal refuses: one placement does not leave, and all else does."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messages.errors import NotSent
from messages.ids import ClientOrderId, OrderKey
from ops.drill_refusal import Refusal
from tests.new_orders import market_buy

NAME = ClientOrderId("wk1")
ORDERS = "http://127.0.0.1:8000/api/v3/order"
ORDER = msgspec.structs.replace(market_buy(NAME), quantity=Decimal("0.001"))
BODY = f"symbol=BTCUSDT&newClientOrderId={NAME}&signature=abc"


class Client:
    """Remembers where its requests went, and what was told of them."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.told: list[dict[str, Any]] = []
        refusal = Refusal(NAME, lambda **facts: self.told.append(facts))
        self._refusing = refusal.around(self._fetch)

    async def _fetch(self, url: str, method: str, headers: Any, body: Any) -> None:
        del headers, body
        self.sent.append((method, url))

    def fetch(self, url: str, method: str, body: str | None = None) -> None:
        asyncio.run(self._refusing(url, method, None, body))


def test_the_first_placement_of_the_order_finds_nobody_and_the_second_arrives() -> None:
    client = Client()

    client.fetch(ORDERS, "POST", BODY)
    client.fetch(ORDERS, "POST", BODY)

    (_, first), (_, second) = client.sent
    assert first.startswith("http://127.0.0.1:")
    assert first.endswith("/api/v3/order")
    assert (first != ORDERS, second) == (True, ORDERS)
    assert client.told == [{"event": "refused"}]


def test_nothing_else_is_refused() -> None:
    client = Client()

    client.fetch(ORDERS, "POST", "symbol=BTCUSDT&newClientOrderId=wk2")
    client.fetch(f"{ORDERS}?origClientOrderId={NAME}", "GET")
    client.fetch(f"{ORDERS}?origClientOrderId={NAME}", "DELETE")

    assert {url.partition("?")[0] for _, url in client.sent} == {ORDERS}
    assert client.told == []


@pytest.mark.slow
def test_an_order_whose_connection_is_refused_is_proved_not_sent(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from decisions.drill import Blow
    from exchanges.local.server import running_exchange
    from ops.drill_child import _open_venue, config_of
    from ops.drill_trap import Target, Trap
    from tests.ops.drill_jobs import job_at

    with running_exchange(speed=0) as run:
        target = Target(order_key=OrderKey("k"), client_order_id=NAME)
        job = job_at(run, tmp_path, target=target, refuses=True)
        live = _open_venue(config_of(job), job, Trap(target, None, Blow.NONE, lambda **_: None))

        with pytest.raises(NotSent):
            live.loop.submit(live.venue.submit(ORDER, lambda: None)).result(30)
        assert run.exchange.orders_with(NAME) == []
        live.loop.submit(live.venue.submit(ORDER, lambda: None)).result(30)

        assert len(run.exchange.orders_with(NAME)) == 1
        live.close()
