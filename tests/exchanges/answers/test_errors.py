"""What an error of an exchange proves of an order."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_call import recorded
from exchanges.conditions import Sign, sign_of_question
from exchanges.outcomes import Answer, Knowledge, judge_cancel, judge_placement, judge_query
from tests.exchanges.answers.answering import answering
from tests.exchanges.test_request_shapes import BTC

pytestmark = pytest.mark.slow


def evidence(exchange: str, status: int, answer: dict[str, Any]) -> Any:
    """Give what is seen of a question that is answered so."""
    client = answering(exchange, {"": (status, answer)})
    client.options |= {"uta": False, "unifiedAccount": False, "hf": True}

    async def ask() -> Any:
        with recorded() as call:
            try:
                await client.fetch_order("1", BTC)
            except Exception as error:  # noqa: BLE001 - what it proves is the question
                return call.evidence(error)
            finally:
                await client.close()
        raise AssertionError("no error")

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("exchange", "status", "answer", "knowledge"),
    [
        ("kucoin", 400, {"code": "408000", "msg": "Network timeout"}, Knowledge.UNKNOWN),
        ("mexc", 400, {"code": 513, "msg": "Invalid request, try again"}, Knowledge.UNKNOWN),
        ("mexc", 400, {"code": 603, "msg": "Repeated request"}, Knowledge.UNKNOWN),
        ("gate", 400, {"label": "REPEATED_CREATION", "message": "x"}, Knowledge.UNKNOWN),
        ("gate", 400, {"label": "INTERNAL", "message": "x"}, Knowledge.UNKNOWN),
        ("gate", 400, {"label": "BALANCE_NOT_ENOUGH", "message": "x"}, Knowledge.REJECTED),
        ("gate", 401, {"label": "INVALID_KEY", "message": "x"}, Knowledge.REJECTED),
        ("bitget", 400, {"code": "43012", "msg": "Insufficient balance"}, Knowledge.REJECTED),
        ("kraken", 200, {"error": ["EOrder:Insufficient funds"]}, Knowledge.UNKNOWN),
    ],
)
def test_an_error_at_this_exchange_proves_this(
    exchange: str, status: int, answer: dict[str, Any], knowledge: Knowledge
) -> None:
    assert judge_placement(evidence(exchange, status, answer)).knowledge is knowledge


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("error.getOrder.orderNotExist", Answer.NO_SUCH_ORDER),
        ("There are invalid parameters", Answer.NOTHING),
    ],
)
def test_a_code_of_kucoins_with_two_meanings_is_known_by_its_words(
    message: str, answer: Answer
) -> None:
    seen = evidence("kucoin", 200, {"code": "100001", "msg": message})

    assert judge_query(seen) is answer


@pytest.mark.parametrize(
    ("exchange", "answer"),
    [
        ("mexc", {"code": -2011, "msg": "Unknown order sent."}),
        ("gate", {"label": "ORDER_CANCELLED", "message": "order cancelled"}),
        ("gate", {"label": "ORDER_CLOSED", "message": "order closed"}),
    ],
)
def test_a_cancel_that_found_the_order_gone_was_perhaps_the_second(
    exchange: str, answer: dict[str, Any]
) -> None:
    """The HTTP client repeats a lost DELETE by itself."""
    assert judge_cancel(evidence(exchange, 400, answer)).knowledge is Knowledge.UNKNOWN


def test_a_request_that_is_too_old_for_gate_is_no_sign_of_a_bad_key() -> None:
    seen = evidence("gate", 403, {"label": "REQUEST_EXPIRED", "message": "gap exceeds 60"})

    assert sign_of_question(seen, is_page=False) is Sign.CLOCK
