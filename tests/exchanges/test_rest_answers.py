"""What REST has answered of orders is remembered by their names, where they were told."""

from exchanges.ccxt_parse import report_of
from exchanges.rest_answers import RestAnswers
from messages.ids import ClientOrderId, Symbol, VenueOrderId

BTC, SEVEN = Symbol("BTC/USDT"), VenueOrderId("7")


def test_an_order_whose_name_no_list_has_told_may_be_ours() -> None:
    answers = RestAnswers()
    order = {"id": "7", "symbol": "BTC/USDT", "status": "open", "amount": "1", "filled": "0"}

    answers.heard(report_of(order, evidence="open_orders"))
    assert not answers.is_other(BTC, SEVEN, ClientOrderId("wk1"))
    answers.heard(report_of(order | {"clientOrderId": "web"}, evidence="open_orders"))
    assert answers.is_other(BTC, SEVEN, ClientOrderId("wk1"))
