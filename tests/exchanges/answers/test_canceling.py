"""A cancel at an exchange that forgets what we call an order while the order is still open."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_cancel import Canceler
from exchanges.ccxt_lookup import OrderLookup
from messages.errors import OutcomeUnknown
from messages.orders import OrderReport
from messages.values import OrderState
from tests.exchanges.answers.answering import OURS, Reply, answering, run
from tests.exchanges.answers.test_questions import htx_order, mexc_order
from tests.exchanges.test_request_shapes import BTC

pytestmark = pytest.mark.slow

OPEN = {"state": "submitted", "field-amount": "0", "field-cash-amount": "0", "field-fees": "0"}
UNKNOWN_NAME = {"status": "error", "err-code": "base-record-invalid", "err-msg": "x", "data": None}


class Htx:
    """One order of ours at HTX, and the cancels that came."""

    def __init__(self, *, knows_our_id: bool, lags: int = 0, refuses: bool = False) -> None:
        self.cancels: list[str] = []
        self._knows_our_id, self._lags, self._refuses = knows_our_id, lags, refuses
        self._is_open = True

    def replies(self) -> dict[str, Reply]:
        account = {"id": 1, "type": "spot", "subtype": "", "state": "working"}
        return {
            "/account/accounts": (200, {"status": "ok", "data": [account]}),
            "/submitCancelClientOrder": (200, self._canceled("ours", works=self._knows_our_id)),
            "/59378/submitcancel": self._canceled_by_number(),
            "/getClientOrder": (200, lambda _: self._named()),
            "/openOrders": (200, lambda _: {"status": "ok", "data": self._listed()}),
            "/orders/59378": (200, lambda _: {"status": "ok", "data": self._order()}),
            "": (200, {"status": "ok", "data": []}),
        }

    def _canceled_by_number(self) -> Reply:
        if self._refuses:
            refused = {"status": "error", "err-code": "api-signature-not-valid", "err-msg": "x"}
            return 400, self._canceled("59378", works=False, answer=refused)
        return 200, self._canceled("59378", works=True)

    def _canceled(self, by: str, *, works: bool, answer: Any = None) -> Callable[[object], Any]:
        def reply(_query: object) -> Any:
            self.cancels.append(by)
            self._is_open = self._is_open and not works
            return answer or {"status": "ok", "data": "59378" if works else "0"}

        return reply

    def _order(self) -> dict[str, Any]:
        is_shown_open = self._is_open or self._lags > 0
        self._lags -= 0 if self._is_open else 1
        return htx_order(OURS) | OPEN | ({} if is_shown_open else {"state": "canceled"})

    def _named(self) -> dict[str, Any]:
        if not self._knows_our_id:
            return UNKNOWN_NAME
        return {"status": "ok", "data": self._order()}

    def _listed(self) -> list[dict[str, Any]]:
        order = self._order()
        return [order] if order["state"] == "submitted" else []


def cancel(exchange: str, replies: dict[str, Reply]) -> OrderReport:
    client, row = answering(exchange, replies), CAPABILITIES[exchange]
    canceler = Canceler(client, OrderLookup(client, row), row, 5_000, lambda: 0)
    report: OrderReport = run(client, lambda: canceler.cancel(OURS, BTC))
    return report


def test_an_order_whose_name_is_forgotten_is_canceled_by_the_exchanges_number() -> None:
    """HTX answers the cancel by name with a success of nothing, `0`."""
    htx = Htx(knows_our_id=False)

    report = cancel("htx", htx.replies())

    assert report.state is OrderState.CANCELED
    assert (report.client_order_id, report.venue_order_id) == (OURS, "59378")
    assert htx.cancels == ["ours", "59378"]


@pytest.mark.parametrize("lags", [0, 1])
def test_an_order_whose_name_is_known_is_canceled_by_it_alone(lags: int) -> None:
    """Also where a list shows it as open for a moment still."""
    htx = Htx(knows_our_id=True, lags=lags)

    assert cancel("htx", htx.replies()).state is OrderState.CANCELED
    assert htx.cancels == ["ours"]


def test_a_cancel_by_number_that_is_refused_does_not_prove_that_the_order_stays_open() -> None:
    htx = Htx(knows_our_id=False, refuses=True)

    with pytest.raises(OutcomeUnknown, match="still open; authentication"):
        cancel("htx", htx.replies())

    assert htx.cancels == ["ours", "59378"]


def test_elsewhere_an_order_that_stays_open_is_not_canceled_by_number() -> None:
    cancels: list[dict[str, str]] = []
    order = mexc_order(OURS) | {"status": "NEW", "executedQty": "0", "cummulativeQuoteQty": "0"}

    def accept(query: dict[str, str]) -> dict[str, Any]:
        cancels.append(query)
        return order

    with pytest.raises(OutcomeUnknown, match="the cancel may still arrive"):
        cancel("mexc", {"DELETE /order": (200, accept), "GET /order": (200, order), "": (200, [])})

    (query,) = cancels
    assert query["origClientOrderId"] == OURS
    assert "orderId" not in query
