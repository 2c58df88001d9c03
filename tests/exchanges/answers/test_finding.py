"""An order that our id does not show any more is found by what the exchange calls it."""

import time
from random import Random
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_settings import CcxtSettings
from exchanges.ccxt_venue import CcxtVenue
from messages.errors import OutcomeUnknown
from messages.ids import NS_PER_S, ClientOrderId, VenueOrderId
from messages.orders import OrderReport
from messages.values import OrderState
from tests.exchanges.answers.answering import Reply, answering, run
from tests.exchanges.answers.test_orders_read import gate_order
from tests.exchanges.answers.test_questions import htx_order
from tests.exchanges.test_request_shapes import BTC

pytestmark = pytest.mark.slow

SENT_AT_S = int(time.time()) - 10 * 3_600
GATES = ClientOrderId("t-wk0000000001")
HTXS = ClientOrderId("wk0000000001")
GATES_NUMBER, HTXS_NUMBER = VenueOrderId("100"), VenueOrderId("59378")


def placed_at(number: str, text: str, after_s: int) -> dict[str, Any]:
    second = SENT_AT_S + after_s
    times = {"create_time": str(second), "create_time_ms": str(second * 1000)}
    return gate_order(id=number, text=text, **times)


OURS = placed_at(GATES_NUMBER, GATES, 0)
LATER = [placed_at(str(101 + i), f"t-wk00000001{i:02d}", 3_600 + i) for i in range(25)]


def gate_page(query: dict[str, str]) -> list[dict[str, Any]]:
    """Give the newest that have ended, as Gate does: no more than were asked for."""
    return [*LATER[::-1], OURS][: int(query["limit"])]


def gate(**changes: Reply) -> dict[str, Reply]:
    by_number = changes.get("by_number", (200, OURS))
    return {
        "/spot/time": (200, {"server_time": int(time.time() * 1000)}),
        "/open_orders": (200, []),
        "/spot/orders": (200, gate_page),
        "/spot/orders/100": by_number,
        "/my_trades": (200, []),
    }


NO_SUCH = {"status": "error", "err-code": "base-record-invalid", "err-msg": "x", "data": None}


def htx() -> dict[str, Reply]:
    account = {"id": 1, "type": "spot", "subtype": "", "state": "working"}
    return {
        "/common/timestamp": (200, {"status": "ok", "data": int(time.time() * 1000)}),
        "/account/accounts": (200, {"status": "ok", "data": [account]}),
        "/getClientOrder": (200, NO_SUCH),
        "/orders/59378": (200, {"status": "ok", "data": htx_order(HTXS)}),
        "": (200, {"status": "ok", "data": []}),
    }


def found(
    exchange: str, replies: dict[str, Reply], name: ClientOrderId, number: VenueOrderId | None
) -> OrderReport | None:
    settings = CcxtSettings(exchange=exchange, api_key="k", secret="s")
    venue = CcxtVenue(settings, [BTC], rng=Random(1))
    client = answering(exchange, replies)
    client.options |= {"unifiedAccount": False}
    venue._client = client
    ns = SENT_AT_S * NS_PER_S
    told: OrderReport | None = run(
        client, lambda: venue.find(name, BTC, sent_at_ns=ns, venue_order_id=number)
    )
    return told


def test_an_order_behind_a_page_of_later_ones_is_found_by_the_exchanges_number() -> None:
    report = found("gate", gate(), GATES, GATES_NUMBER)

    assert report is not None
    assert (report.state, report.venue_order_id) == (OrderState.FILLED, GATES_NUMBER)
    assert report.client_order_id == GATES


def test_an_order_whose_name_htx_has_forgotten_is_found_by_the_exchanges_number() -> None:
    report = found("htx", htx(), HTXS, HTXS_NUMBER)

    assert report is not None
    assert (report.state, report.venue_order_id) == (OrderState.FILLED, HTXS_NUMBER)


def test_an_order_that_no_number_is_known_of_is_searched_for_as_before() -> None:
    with pytest.raises(OutcomeUnknown, match="never proof there; look for it yourself"):
        found("gate", gate(), GATES, None)


def test_an_order_that_its_number_does_not_show_either_is_not_proved_absent() -> None:
    unknown = (404, {"label": "ORDER_NOT_FOUND", "message": "Order not found"})

    with pytest.raises(OutcomeUnknown, match="never proof there; look for it yourself"):
        found("gate", gate(by_number=unknown), GATES, GATES_NUMBER)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ((503, {"label": "INTERNAL", "message": "x"}), "no_answer"),
        ((200, {}), "other_order"),
        ((200, LATER[0]), "other_order"),
        ((200, OURS | {"text": LATER[0]["text"]}), "other_order"),
    ],
    ids=["an error", "nothing", "another number", "another name"],
)
def test_an_answer_that_is_not_about_the_order_settles_nothing(reply: Reply, why: str) -> None:
    with pytest.raises(OutcomeUnknown, match=why):
        found("gate", gate(by_number=reply), GATES, GATES_NUMBER)
