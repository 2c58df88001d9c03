"""What a failed call proves of an order: every row of the fault matrix by name."""

from collections.abc import Callable
from typing import Any

import pytest

from exchanges.outcomes import Evidence, Knowledge, error_of, judge_cancel, judge_placement
from messages.errors import NotSent, OutcomeUnknown, Rejected
from tests.exchanges.outcomes.evidence import DUPLICATE, NOT_SENT, REJECTED, UNKNOWN, seen

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
