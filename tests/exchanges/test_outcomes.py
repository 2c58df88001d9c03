"""What a failed call proves: every row of the fault matrix by name, and all the rest."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.outcomes import (
    CONNECT_ERRORS,
    LOCAL_ERRORS,
    REFUSALS,
    THROTTLES,
    UNSURE_CODES,
    Answer,
    Evidence,
    Knowledge,
    error_of,
    evidence_of,
    judge_cancel,
    judge_placement,
    judge_query,
    names_only,
    problem_with_answer,
)
from messages.errors import NotSent, OutcomeUnknown, Rejected

UNKNOWN, REJECTED, NOT_SENT = Knowledge.UNKNOWN, Knowledge.REJECTED, Knowledge.NOT_SENT
DUPLICATE = 'binance {"code":-2010,"msg":"Duplicate order sent."}'


def seen(error: str, status: int | None = None, code: str | None = None, **more: Any) -> Evidence:
    """One request went out; this came back."""
    return Evidence(error=error, http_status=status, code=code, **({"requests": 1} | more))


# Each row as (name, what the sync and the async client raised, what it proves of the order).
MATRIX: list[tuple[str, Evidence, Knowledge]] = [
    ("hang before or after accept", seen("RequestTimeout", causes=("TimeoutError",)), UNKNOWN),
    ("reset, sync", seen("NetworkError", causes=("ConnectionResetError",)), UNKNOWN),
    (
        "reset or close, async",
        seen("ExchangeNotAvailable", causes=("ServerDisconnectedError",)),
        UNKNOWN,
    ),
    ("reset, async", seen("ExchangeNotAvailable", causes=("ClientOSError", "OSError")), UNKNOWN),
    ("body cut by length, sync", seen("NetworkError", 200), UNKNOWN),
    (
        "body cut by length, async",
        seen("ExchangeError", causes=("ClientPayloadError",)),
        UNKNOWN,
    ),
    ("body cut, chunked", seen("ExchangeError", 200), UNKNOWN),
    ("500 with HTML", seen("ExchangeNotAvailable", 500), UNKNOWN),
    ("502 with HTML", seen("ExchangeNotAvailable", 502), UNKNOWN),
    ("503 with HTML", seen("ExchangeNotAvailable", 503), UNKNOWN),
    ("504", seen("RequestTimeout", 504), UNKNOWN),
    ("408", seen("RequestTimeout", 408), UNKNOWN),
    ("-1007", seen("RequestTimeout", 400, "-1007"), UNKNOWN),
    ("-1000", seen("OperationFailed", 400, "-1000"), UNKNOWN),
    ("-1001", seen("OperationFailed", 400, "-1001"), UNKNOWN),
    ("-1006", seen("OperationFailed", 400, "-1006"), UNKNOWN),
    ("500 with an unknown code", seen("ExchangeError", 500, "-9999"), UNKNOWN),
    ("400 with an unknown code", seen("ExchangeError", 400, "-9999"), UNKNOWN),
    ("-1008, real table", seen("OperationFailed", 503, "-1008"), UNKNOWN),
    ("-1008, loopback table", seen("ExchangeError", 503, "-1008"), UNKNOWN),
    ("429", seen("DDoSProtection", 429, "-1003"), REJECTED),
    ("429 with HTML", seen("DDoSProtection", 429), REJECTED),
    ("418", seen("DDoSProtection", 418, "-1003"), REJECTED),
    ("-1015", seen("DDoSProtection", 400, "-1015"), REJECTED),
    ("429 as RateLimitExceeded", seen("RateLimitExceeded", 429), REJECTED),
    ("403 by a firewall", seen("ExchangeNotAvailable", 403), UNKNOWN),
    ("451", seen("ExchangeNotAvailable", 451), UNKNOWN),
    ("bare 503", seen("ExchangeNotAvailable", 503), UNKNOWN),
    ("401 -2015 after a good call", seen("DDoSProtection", 401, "-2015"), REJECTED),
    ("401 -2015 at first", seen("AuthenticationError", 401, "-2015"), REJECTED),
    ("-1021", seen("InvalidNonce", 400, "-1021"), REJECTED),
    ("maintenance", seen("OnMaintenance", 400, "-1"), UNKNOWN),
    ("-2010 balance", seen("InsufficientFunds", 400, "-2010"), REJECTED),
    ("-2010 post-only", seen("OrderImmediatelyFillable", 400, "-2010"), REJECTED),
    ("-2010 other", seen("InvalidOrder", 400, "-2010"), REJECTED),
    ("-2010 duplicate", seen("InvalidOrder", 400, "-2010", text=DUPLICATE), UNKNOWN),
    ("-1013 LOT_SIZE", seen("InvalidOrder", 400, "-1013"), REJECTED),
    ("-1013 NOTIONAL", seen("BadRequest", 400, "-1013"), REJECTED),
    ("-1121 bad symbol", seen("BadSymbol", 400, "-1121"), REJECTED),
    ("market closed", seen("MarketClosed", 400, "-1013"), REJECTED),
    ("permission denied", seen("PermissionDenied", 403, "-1002"), REJECTED),
    (
        "refused, sync",
        seen("NetworkError", causes=("ConnectionError", "MaxRetryError", "NewConnectionError")),
        NOT_SENT,
    ),
    ("no name, sync", seen("NetworkError", causes=("NameResolutionError",)), NOT_SENT),
    (
        "refused, async",
        seen("ExchangeNotAvailable", causes=("ClientConnectorError", "ClientOSError")),
        NOT_SENT,
    ),
    (
        "no name, async",
        seen("ExchangeNotAvailable", causes=("ClientConnectorDNSError", "ClientConnectorError")),
        NOT_SENT,
    ),
    ("no name, bare", seen("ExchangeNotAvailable", causes=("gaierror", "OSError")), NOT_SENT),
    (
        "no connection in time",
        seen("RequestTimeout", causes=("ConnectionTimeoutError", "TimeoutError")),
        NOT_SENT,
    ),
    (
        "no tunnel, refused by the proxy",
        seen("ExchangeError", causes=("ClientHttpProxyError", "ClientResponseError")),
        NOT_SENT,
    ),
    ("bad symbol, on this machine", seen("BadSymbol", requests=0), NOT_SENT),
    ("missing argument", seen("ArgumentsRequired", requests=0), NOT_SENT),
    ("not supported", seen("NotSupported", requests=0), NOT_SENT),
    ("below a step", seen("InvalidOrder", requests=0), NOT_SENT),
    ("no key", seen("AuthenticationError", requests=0), NOT_SENT),
    ("any other exception", seen("KeyError"), UNKNOWN),
    ("a cancelled task", seen("CancelledError"), UNKNOWN),
    ("a bad response", seen("BadResponse", 200), UNKNOWN),
    ("a null response", seen("NullResponse", 200), UNKNOWN),
]


@pytest.mark.parametrize(
    ("evidence", "knowledge"), [row[1:] for row in MATRIX], ids=[row[0] for row in MATRIX]
)
def test_a_fault_of_the_matrix_proves_this(evidence: Evidence, knowledge: Knowledge) -> None:
    verdict = judge_placement(evidence)

    assert verdict.knowledge is knowledge, verdict.reason
    assert verdict.reason.partition(":")[0].replace("_", "").isalpha()


def test_a_duplicate_means_that_the_order_may_be_live() -> None:
    verdict = judge_placement(seen("InvalidOrder", 400, "-2010", text=DUPLICATE))

    assert (verdict.knowledge, verdict.adopt) == (UNKNOWN, True)


@pytest.mark.parametrize("code", ["51016", "126044", "170141", "10014", "12141"])
def test_the_duplicate_codes_of_other_exchanges_mean_it_too(code: str) -> None:
    assert judge_placement(seen("InvalidOrder", 400, code)).adopt


def test_a_verdict_carries_status_code_and_when_to_come_back() -> None:
    verdict = judge_placement(seen("DDoSProtection", 429, "-1003", retry_after_ms=7_000))
    error = error_of(verdict)

    assert isinstance(error, Rejected)
    assert (error.http_status, error.code, error.retry_after_ms) == (429, "-1003", 7_000)
    assert str(error) == "rate_limited: DDoSProtection, HTTP 429, code -1003"


# ------------------------------------------------------------------ what is no proof


def test_a_connection_error_after_a_second_request_is_no_proof() -> None:
    evidence = seen("ExchangeNotAvailable", causes=("ClientConnectorError",), requests=2)

    assert judge_placement(evidence).knowledge is UNKNOWN


def test_a_connection_error_after_bytes_have_left_is_no_proof() -> None:
    evidence = seen("ExchangeNotAvailable", causes=("ClientConnectorError",), bytes_left=True)

    assert judge_placement(evidence).knowledge is UNKNOWN


@pytest.mark.parametrize(
    "more", [{"requests": 2}, {"requests": None}, {"bytes_left": True}, {"http_status": 502}]
)
def test_a_refused_tunnel_is_no_proof_where_anything_may_have_gone_through_another(
    more: dict[str, Any],
) -> None:
    evidence = seen("ExchangeError", causes=("ClientHttpProxyError",))

    assert judge_placement(msgspec.structs.replace(evidence, **more)).knowledge is UNKNOWN


@pytest.mark.parametrize("error", sorted(LOCAL_ERRORS))
def test_a_local_class_after_a_request_without_an_answer_is_no_proof(error: str) -> None:
    assert judge_placement(seen(error, requests=1)).knowledge is UNKNOWN


@pytest.mark.parametrize("error", sorted(LOCAL_ERRORS))
def test_a_local_class_is_no_proof_when_nobody_counted_requests(error: str) -> None:
    assert judge_placement(seen(error, requests=None)).knowledge is UNKNOWN


@pytest.mark.parametrize("error", sorted(REFUSALS))
@pytest.mark.parametrize("status", [None, 200, 302, 500, 503, 408])
def test_a_refusal_needs_a_4xx(error: str, status: int | None) -> None:
    assert judge_placement(seen(error, status, "-2010")).knowledge is UNKNOWN


@pytest.mark.parametrize("error", sorted(REFUSALS))
def test_a_refusal_needs_a_code(error: str) -> None:
    assert judge_placement(seen(error, 400)).knowledge is UNKNOWN


@pytest.mark.parametrize("code", sorted(UNSURE_CODES))
@pytest.mark.parametrize("error", sorted(REFUSALS))
def test_a_code_that_says_unsure_outweighs_the_class(error: str, code: str) -> None:
    assert judge_placement(seen(error, 400, code)).knowledge is UNKNOWN


class Surprise(Exception):
    """A class that nobody wrote down, whatever it is derived from."""


def derived(name: str, base: str) -> type[Exception]:
    return type(name, (type(base, (Exception,), {}),), {})


@pytest.mark.parametrize("base", sorted({*REFUSALS, *LOCAL_ERRORS, *THROTTLES}))
def test_a_new_subclass_of_a_listed_class_is_no_proof(base: str) -> None:
    error = derived("BrandNewError", base)("new in the next release")

    for requests, status in ((0, None), (1, 400), (1, 429)):
        evidence = evidence_of(error, http_status=status, code="-2010", requests=requests)
        assert judge_placement(evidence).knowledge is UNKNOWN


class_names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=1)
NO_WAY = CONNECT_ERRORS | {"ClientHttpProxyError"}
listed = st.sampled_from(sorted({*REFUSALS, *LOCAL_ERRORS, *THROTTLES, *NO_WAY, "ExchangeError"}))
evidences = st.builds(
    Evidence,
    error=class_names | listed | st.just("OrderNotFound"),
    bases=st.lists(class_names | listed).map(tuple),
    causes=st.lists(class_names | listed).map(tuple),
    text=st.text() | st.just(DUPLICATE),
    http_status=st.none() | st.integers(100, 599),
    code=st.none() | st.integers(-3000, 1).map(str) | st.text(),
    requests=st.none() | st.integers(0, 3),
    bytes_left=st.booleans(),
)


@pytest.mark.slow
@given(evidences)
def test_no_class_outside_the_lists_ever_proves_anything(evidence: Evidence) -> None:
    verdict = judge_placement(evidence)

    if verdict.knowledge is NOT_SENT:
        assert evidence.http_status is None
        assert not evidence.bytes_left
        assert (evidence.requests == 0 and evidence.error in LOCAL_ERRORS) or (
            evidence.requests == 1 and not NO_WAY.isdisjoint(evidence.causes)
        )
    if verdict.knowledge is REJECTED:
        assert evidence.error in REFUSALS or evidence.error in THROTTLES
        assert evidence.http_status is not None
        assert 400 <= evidence.http_status < 500


@pytest.mark.slow
@given(evidences.filter(lambda e: e.error not in {*REFUSALS, *LOCAL_ERRORS, *THROTTLES}))
def test_an_unlisted_class_is_unknown_unless_no_connection_came_about(evidence: Evidence) -> None:
    verdict = judge_placement(evidence)

    assert verdict.knowledge is UNKNOWN or not NO_WAY.isdisjoint(evidence.causes)


@given(st.text(), st.none() | st.integers(100, 599))
def test_whatever_the_venue_says_the_sentence_is_one_printable_line(
    text: str, status: int | None
) -> None:
    reason = judge_placement(evidence_of(Surprise(text), http_status=status)).reason

    assert reason.isprintable()
    assert len(reason) < 400


# ------------------------------------------------------------------ from exceptions to names


def test_the_whole_chain_of_causes_is_named() -> None:
    def connect() -> None:
        raise ConnectionRefusedError(111, "refused")

    def request() -> None:
        try:
            connect()
        except OSError as error:
            raise Surprise("could not") from error

    try:
        request()
    except Surprise as error:
        evidence = evidence_of(error, requests=1)

    assert evidence.error == "Surprise"
    assert "ConnectionRefusedError" in evidence.causes
    assert "OSError" in evidence.causes


def test_a_suppressed_context_is_no_cause() -> None:
    error = Surprise()
    error.__context__, error.__suppress_context__ = ConnectionRefusedError(), True

    assert evidence_of(error).causes == ()


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = Surprise("a"), Surprise("b")
    first.__cause__, second.__cause__ = second, first

    assert evidence_of(first).causes.count("Surprise") <= 2


# ------------------------------------------------------------------ replies without an error

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


# ------------------------------------------------------------------ cancels


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


# ------------------------------------------------------------------ questions


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


@pytest.mark.parametrize(
    ("judge", "evidence", "kind"),
    [
        (judge_placement, seen("BadSymbol", requests=0), NotSent),
        (judge_placement, seen("InsufficientFunds", 400, "-2010"), Rejected),
        (judge_placement, seen("RequestTimeout"), OutcomeUnknown),
        (judge_cancel, seen("OrderNotFound", 400, "-2011"), OutcomeUnknown),
    ],
)
def test_a_verdict_becomes_the_error_of_its_name(
    judge: Callable[[Evidence], Any], evidence: Evidence, kind: type[Exception]
) -> None:
    assert type(error_of(judge(evidence))) is kind
