"""What a reply without an error, a failed cancel and a failed question prove."""

import pytest

from exchanges.outcomes import (
    Answer,
    Evidence,
    Knowledge,
    judge_cancel,
    judge_placement,
    judge_query,
    names_only,
    problem_with_answer,
)
from tests.exchanges.outcomes.evidence import NOT_SENT, REJECTED, UNKNOWN, seen

FINE = {"id": "1", "status": "open", "clientOrderId": "wk1"}


def test_a_reply_with_id_status_and_our_id_is_an_acceptance() -> None:
    assert problem_with_answer(FINE, "wk1") == ""


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "<html>",
        {},
        FINE | {"id": None},
        FINE | {"id": ""},
        FINE | {"status": None},
        FINE | {"clientOrderId": "wk2"},
    ],
    ids=["nothing", "text", "empty", "no id", "empty id", "no status", "another order"],
)
def test_a_reply_without_proof_is_no_acceptance(answer: object) -> None:
    assert problem_with_answer(answer, "wk1")


def test_some_venues_only_name_the_order() -> None:
    assert names_only(FINE | {"status": None}, "wk1")


@pytest.mark.parametrize(
    "answer",
    [None, {}, FINE, FINE | {"status": None, "clientOrderId": None}, FINE | {"id": None}],
)
def test_a_reply_that_does_not_name_our_order_names_nothing(answer: object) -> None:
    assert not names_only(answer, "wk1")


CANCELS: list[tuple[str, Evidence, Knowledge]] = [
    ("the reply was lost", seen("ExchangeNotAvailable", causes=("ClientOSError",)), UNKNOWN),
    ("no such order, once", seen("OrderNotFound", 400, "-2011"), UNKNOWN),
    ("no such order, on this machine", seen("OrderNotFound", requests=0), UNKNOWN),
    ("no connection", seen("ExchangeNotAvailable", causes=("ClientConnectorError",)), UNKNOWN),
    ("timed out", seen("RequestTimeout"), UNKNOWN),
    ("too fast", seen("DDoSProtection", 429), REJECTED),
    ("too fast, and sent twice", seen("DDoSProtection", 429, requests=2), UNKNOWN),
    ("the clock", seen("InvalidNonce", 400, "-1021"), REJECTED),
    ("no argument", seen("ArgumentsRequired", requests=0), NOT_SENT),
]


@pytest.mark.parametrize(
    ("evidence", "knowledge"), [row[1:] for row in CANCELS], ids=[row[0] for row in CANCELS]
)
def test_a_failed_cancel_proves_this_of_the_cancel(
    evidence: Evidence, knowledge: Knowledge
) -> None:
    assert judge_cancel(evidence).knowledge is knowledge


def test_a_connection_error_is_no_proof_for_a_cancel_that_may_have_been_repeated() -> None:
    """The HTTP client repeats a lost DELETE by itself, and the second may find no server."""
    evidence = seen("ExchangeNotAvailable", causes=("ClientConnectorError",))

    assert judge_placement(evidence).knowledge is NOT_SENT
    assert judge_cancel(evidence).knowledge is UNKNOWN


@pytest.mark.parametrize(
    ("evidence", "answer"),
    [
        (seen("OrderNotFound", 400, "-2013"), Answer.NO_SUCH_ORDER),
        (seen("OrderNotFound", 200, "51603"), Answer.NO_SUCH_ORDER),
        (seen("OrderNotFound", 503, "-2013"), Answer.NOTHING),
        (seen("OrderNotFound", None), Answer.NOTHING),
        (seen("OrderNotFound", 400, "-1007"), Answer.NOTHING),
        (seen("InvalidOrder", 400, "-2013"), Answer.NOTHING),
        (seen("RequestTimeout"), Answer.NOTHING),
        (seen("DDoSProtection", 429), Answer.NOTHING),
        (seen("ExchangeError", 200), Answer.NOTHING),
    ],
)
def test_only_the_venues_own_word_says_that_there_is_no_such_order(
    evidence: Evidence, answer: Answer
) -> None:
    assert judge_query(evidence) is answer
