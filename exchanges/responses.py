"""What an HTTP response says beside its body's meaning: status, code, when to come back."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

_LONGEST_BODY = 1 << 16
_LONGEST_RETRY_S = 4 * 86_400
_CODE_NAMES = ("code", "retCode", "ret_code")


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One response, reduced."""

    http_status: int
    code: str | None
    """The JSON code that exchanges put into a body, as text."""
    retry_after_ms: int | None
    has_json: bool = False
    """The body is a JSON array, or an object with something in it: not HTML, not nothing."""


def response_of(http_status: int, headers: Mapping[str, str], body: str) -> Response:
    """Reduce a response; whatever bytes it has, this does not fail."""
    lower = {name.lower(): value for name, value in headers.items()}
    told = _json(body)
    return Response(
        http_status=http_status,
        code=_code(told),
        retry_after_ms=_retry_after_ms(lower.get("retry-after"), lower.get("date")),
        has_json=isinstance(told, list) or (isinstance(told, dict) and bool(told)),
    )


def _json(body: str) -> object:
    if len(body) > _LONGEST_BODY:
        # Not read twice: a long reply is a list of orders or markets.
        return [] if body.rstrip().endswith("]") else {"": ""} if body.rstrip()[-1:] == "}" else ""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""


def _code(told: object) -> str | None:
    for name in _CODE_NAMES:
        code = told.get(name) if isinstance(told, dict) else None
        if isinstance(code, int | str) and not isinstance(code, bool):
            return str(code)
    return None


def _retry_after_ms(text: str | None, date: str | None) -> int | None:
    """Read seconds, or a date against the response's own date: our clock may be wrong."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        seconds = float(text.strip()[:12])
    else:
        try:
            if date is None:
                return None
            span = parsedate_to_datetime(text) - parsedate_to_datetime(date)
            seconds = span.total_seconds()
        except (TypeError, ValueError, OverflowError):
            return None
    return int(min(max(seconds, 0.0), _LONGEST_RETRY_S) * 1000)
