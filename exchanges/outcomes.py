"""What a failed call to an exchange proves about the order. Pure: it judges by names.

An allow-list: an order is `NOT_SENT` or `REJECTED` only on the evidence written down here, and
whatever is not on a list proves nothing. Errors are judged by their own class, never by a base
class: a class that ccxt adds later proves nothing until it is written down too.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from messages.errors import NotSent, OutcomeUnknown, Rejected, VenueError

_LONGEST_TEXT = 200
_LONGEST_CHAIN = 16


class Knowledge(StrEnum):
    """What is known after a call that did not simply succeed."""

    NOT_SENT = "not_sent"
    """Proved: the request never left, or never reached a server."""
    REJECTED = "rejected"
    """Proved: the venue understood the request and refused it."""
    UNKNOWN = "unknown"
    """Nothing is proved; ask by client order id."""


class Answer(StrEnum):
    """What a failed question about an order says."""

    NO_SUCH_ORDER = "no_such_order"
    """The venue has none that it shows now. Proof only once the visibility window is over."""
    NOTHING = "nothing"
    """The question itself failed."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one failed call, without the exception itself."""

    error: str
    """The exception's own class name."""
    bases: tuple[str, ...] = ()
    """The names of its base classes."""
    causes: tuple[str, ...] = ()
    """The class names along its causes, base classes included."""
    text: str = ""
    http_status: int | None = None
    """Of the last response; None when there was none."""
    code: str | None = None
    """The JSON code of the last response."""
    requests: int | None = None
    """How many requests this call handed to the network; None when nobody counted."""
    bytes_left: bool = False
    """Whether any request was seen to begin leaving."""
    retry_after_ms: int | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence proves, in a sentence that begins with a word for machines."""

    knowledge: Knowledge
    reason: str
    http_status: int | None
    code: str | None
    retry_after_ms: int | None
    adopt: bool = False
    """The venue says that it has an order of this id: find it and make it ours."""


# Raised by ccxt on this machine before any request: nothing can have left.
LOCAL_ERRORS = {
    "ArgumentsRequired": "invalid_order",
    "AuthenticationError": "authentication",
    "BadRequest": "invalid_order",
    "BadSymbol": "bad_symbol",
    "ExchangeClosedByUser": "closed",
    "ExchangeError": "invalid_order",
    "InvalidOrder": "invalid_order",
    "InvalidProxySettings": "proxy",
    "NotSupported": "not_supported",
}

# Somewhere below ccxt's error: no connection came about, so no request was written.
CONNECT_ERRORS = frozenset(
    {
        "ClientConnectorCertificateError",
        "ClientConnectorDNSError",
        "ClientConnectorError",
        "ClientConnectorSSLError",
        "ConnectionRefusedError",
        "ConnectionTimeoutError",
        "NameResolutionError",
        "NewConnectionError",
        "gaierror",
    }
)
# A proxy said no to the tunnel, which is asked for before the request is written.
_TUNNEL_REFUSED = "ClientHttpProxyError"
_CONNECT_OUTER = frozenset({"ExchangeNotAvailable", "NetworkError", "RequestTimeout"})

# With an HTTP 4xx and a JSON code: the venue understood the request and refused it.
REFUSALS = {
    "AuthenticationError": "authentication",
    "BadRequest": "invalid_order",
    "BadSymbol": "bad_symbol",
    "InsufficientFunds": "insufficient_funds",
    "InvalidNonce": "clock",
    "InvalidOrder": "invalid_order",
    "MarketClosed": "market_closed",
    "OrderImmediatelyFillable": "post_only",
    "PermissionDenied": "authentication",
}
# With HTTP 429 or 418, whatever the body: the gate in front of the venue let nothing through.
THROTTLES = frozenset({"DDoSProtection", "RateLimitExceeded"})
_THROTTLE_STATUSES = frozenset({418, 429})
_THROTTLE_CODES = frozenset({"-1003", "-1015"})
# A key that was revoked while it was in use comes as DDoSProtection.
_REVOKED_KEY_CODES = frozenset({"-2014", "-2015"})
# The venue itself says that it does not know, whatever class they are mapped to.
UNSURE_CODES = frozenset({"-1000", "-1001", "-1006", "-1007", "-1008", "-1099"})
_UNSURE_STATUSES = frozenset({408, 425, 499})
# Says "try again later", or that the request was there before, and ccxt calls it a bad request:
# KuCoin's network timeout; MEXC's 513 and 603.
_AGAIN_CODES = frozenset({"408000", "513", "603"})
_DUPLICATE_CODES = frozenset({"51016", "126044", "170141", "10014", "12141", "REPEATED_CREATION"})
_DUPLICATE_TEXT = re.compile(r"duplicate|already exist", re.IGNORECASE)

# ccxt writes the whole address into its errors, signature and all.
_QUERY = re.compile(r"(https?://[^\s?]*)\?\S*")

_ABSENT_ERRORS = frozenset({"OrderNotFound"})
# MEXC says so in Binance's number, for which ccxt has no class there.
_ABSENT_CODES = frozenset({"-2013"})
# The same, to a cancel that was perhaps the second: MEXC's and Gate's, by classes of refusals.
_GONE_CODES = frozenset({"-2011", "ORDER_CLOSED", "ORDER_CANCELLED", "ORDER_FINISHED"})
_NO_CLASS = "ExchangeError"
# KuCoin's, of which one meaning is that parameters were wrong: only its words say which it was.
_MANY_MEANINGS = {"100001": re.compile(r"not.?exist", re.IGNORECASE)}


def evidence_of(
    error: BaseException,
    *,
    http_status: int | None = None,
    code: str | None = None,
    requests: int | None = None,
    bytes_left: bool = False,
    retry_after_ms: int | None = None,
) -> Evidence:
    """Reduce an exception and what was recorded beside it to names."""
    return Evidence(
        error=type(error).__name__,
        bases=_names(error)[1:],
        causes=tuple(name for cause in _causes(error) for name in _names(cause)),
        text=_one_line(str(error)),
        http_status=http_status,
        code=code,
        requests=requests,
        bytes_left=bytes_left,
        retry_after_ms=retry_after_ms,
    )


def judge_placement(evidence: Evidence) -> Verdict:
    """Say what a failed placement proves about the order."""
    if _is_duplicate(evidence):
        told = "duplicate: the venue says that it has an order of this id; ask for it"
        return _verdict(evidence, Knowledge.UNKNOWN, told, adopt=True)
    word = _not_sent(evidence, repeated_by_client=False)
    if word:
        return _verdict(evidence, Knowledge.NOT_SENT, f"{word}: {_what(evidence)}")
    word = _refused(evidence)
    if word:
        return _verdict(evidence, Knowledge.REJECTED, f"{word}: {_what(evidence)}")
    return _unknown(evidence)


def judge_cancel(evidence: Evidence) -> Verdict:
    """Say what a failed cancel proves about the cancel; only a query proves what is of the order.

    A lost reply proves nothing, and the HTTP client may silently have sent a DELETE twice: then
    "no such order", or any refusal, may be the answer to the second one. So a refusal counts
    only where one request was counted, and "no such order" never counts.
    """
    word = _not_sent(evidence, repeated_by_client=True)
    if word:
        return _verdict(evidence, Knowledge.NOT_SENT, f"{word}: {_what(evidence)}")
    if evidence.error in _ABSENT_ERRORS or evidence.code in _ABSENT_CODES | _GONE_CODES:
        told = "gone: it may be filled, canceled by us a moment ago, or unknown; ask for it"
        return _verdict(evidence, Knowledge.UNKNOWN, told)
    word = _refused(evidence) if evidence.requests == 1 else ""
    if word:
        return _verdict(evidence, Knowledge.REJECTED, f"{word}: {_what(evidence)}")
    return _unknown(evidence)


def judge_query(evidence: Evidence) -> Answer:
    """Say what a failed question about an order says."""
    understood = evidence.http_status is not None and 200 <= evidence.http_status < 500
    absent = evidence.error in _ABSENT_ERRORS and _means_absent(evidence)
    absent = absent or (evidence.error == _NO_CLASS and evidence.code in _ABSENT_CODES)
    if absent and understood and evidence.code not in UNSURE_CODES:
        return Answer.NO_SUCH_ORDER
    return Answer.NOTHING


def _means_absent(evidence: Evidence) -> bool:
    words = _MANY_MEANINGS.get(evidence.code or "")
    return words is None or bool(words.search(evidence.text))


def problem_with_answer(answer: Mapping[str, object] | object, client_order_id: str) -> str:
    """Say why a reply without an error is no acceptance; empty when it is one.

    ccxt makes an order of half a JSON, of HTML and of nothing: one without id and status.
    """
    if not isinstance(answer, Mapping):
        return "no_answer: the reply is not an order"
    if not answer.get("id") or not answer.get("status"):
        return "no_answer: the reply has no order id or no status"
    told = answer.get("clientOrderId")
    if told is not None and told != client_order_id:
        return f"other_order: the reply is about {_one_line(str(told))}"
    return ""


def names_only(answer: object, client_order_id: str) -> bool:
    """Whether a reply gives the order's id and ours and tells no more, as some venues do."""
    if not isinstance(answer, Mapping) or answer.get("status"):
        return False
    return bool(answer.get("id")) and answer.get("clientOrderId") == client_order_id


def gives_an_id_only(answer: object) -> bool:
    """Whether a reply gives an id of the venue's and names no order of anybody's, as some do."""
    if not isinstance(answer, Mapping) or answer.get("status"):
        return False
    return bool(answer.get("id")) and not answer.get("clientOrderId")


def refuses_the_key(verdict: Verdict) -> bool:
    """Whether it is proved that the key is no good for this, and nothing else was wrong."""
    return verdict.knowledge is Knowledge.REJECTED and verdict.reason.startswith("authentication:")


def error_of(verdict: Verdict, *, ask_again_ns: int | None = None) -> VenueError:
    """Make the error that says this verdict."""
    kind = {
        Knowledge.NOT_SENT: NotSent,
        Knowledge.REJECTED: Rejected,
        Knowledge.UNKNOWN: OutcomeUnknown,
    }[verdict.knowledge]
    return kind(
        verdict.reason,
        http_status=verdict.http_status,
        code=verdict.code,
        retry_after_ms=verdict.retry_after_ms,
        ask_again_ns=ask_again_ns,
    )


def _is_duplicate(evidence: Evidence) -> bool:
    # Only what a venue has said: our own InvalidOrder may well mention a duplicate.
    if evidence.error == "DuplicateOrderId" or evidence.code in _DUPLICATE_CODES:
        return True
    return evidence.http_status is not None and bool(_DUPLICATE_TEXT.search(evidence.text))


def _not_sent(evidence: Evidence, *, repeated_by_client: bool) -> str:
    """Give the word for a proof that nothing reached the venue; empty without one."""
    if evidence.http_status is not None or evidence.bytes_left:
        return ""
    if evidence.requests == 0:
        return "" if evidence.causes else LOCAL_ERRORS.get(evidence.error, "")
    # A DELETE that was lost may be repeated inside the HTTP client and then find no server.
    if evidence.requests != 1 or repeated_by_client:
        return ""
    if _TUNNEL_REFUSED in evidence.causes and evidence.error == "ExchangeError":
        return "proxy"
    failed_to_connect = not CONNECT_ERRORS.isdisjoint(evidence.causes)
    return "no_connection" if failed_to_connect and evidence.error in _CONNECT_OUTER else ""


def _refused(evidence: Evidence) -> str:
    """Give the word for a proved refusal; empty without one."""
    status, code = evidence.http_status, evidence.code
    if status is None or not 400 <= status < 500:
        return ""
    if evidence.error in THROTTLES and status in _THROTTLE_STATUSES:
        return "rate_limited"
    if code is None or code in UNSURE_CODES | _AGAIN_CODES or status in _UNSURE_STATUSES:
        return ""
    if evidence.error in THROTTLES:
        if code in _REVOKED_KEY_CODES:
            return "authentication"
        return "rate_limited" if code in _THROTTLE_CODES else ""
    return REFUSALS.get(evidence.error, "")


def _unknown(evidence: Evidence) -> Verdict:
    told = f"no_proof: {_what(evidence)}; ask by client order id"
    return _verdict(evidence, Knowledge.UNKNOWN, told)


def _verdict(
    evidence: Evidence, knowledge: Knowledge, reason: str, *, adopt: bool = False
) -> Verdict:
    return Verdict(
        knowledge=knowledge,
        reason=reason,
        http_status=evidence.http_status,
        code=evidence.code,
        retry_after_ms=evidence.retry_after_ms,
        adopt=adopt,
    )


def _what(evidence: Evidence) -> str:
    status = f", HTTP {evidence.http_status}" if evidence.http_status is not None else ""
    code = f", code {evidence.code}" if evidence.code is not None else ""
    text = f": {evidence.text}" if evidence.text else ""
    return f"{evidence.error}{status}{code}{text}"


def _names(error: BaseException) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in type(error).__mro__ if kind is not object)


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    below = _below(error)
    while below is not None and below not in found and len(found) < _LONGEST_CHAIN:
        found.append(below)
        below = _below(below)
    return found


def _below(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__


def _one_line(text: str) -> str:
    """Make a venue's text fit for a line of a log: it may be hostile, and is often HTML."""
    text = _QUERY.sub(r"\1", text)
    return cut(" ".join("".join(c if c.isprintable() else " " for c in text).split()))


def cut(text: str) -> str:
    """Cut a text that is too long, and say so.

    Who takes secrets out of it knows by its end that the beginning of one may stand there.
    """
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."
