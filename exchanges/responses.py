"""What an HTTP response says beside its body's meaning: status, code, when to come back."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache

import msgspec

_LONGEST_RETRY_S = 4 * 86_400
_CODE_NAMES = ("code", "retCode", "ret_code", "label", "err-code")
"""Gate's code is a word, its label, and so is HTX's."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One response, reduced."""

    http_status: int
    code: str | None
    """The JSON code that exchanges put into a body, as text."""
    retry_after_ms: int | None
    has_json: bool = False
    """The body is a JSON array, or an object with something in it: not HTML, not nothing."""
    is_empty_object: bool = False
    """The body is ``{}``: a whole answer that has nothing to say."""
    is_page: bool = False
    """The body is HTML: written for people, by something in front of the exchange."""


def response_of(http_status: int, headers: Mapping[str, str], body: str) -> Response:
    """Reduce a response; whatever bytes it has, this does not fail."""
    lower = {name.lower(): value for name, value in headers.items()}
    told = _json(body)
    return Response(
        http_status=http_status,
        code=_code(told),
        retry_after_ms=_retry_after_ms(lower.get("retry-after"), lower.get("date")),
        has_json=isinstance(told, list) or bool(told),
        is_empty_object=isinstance(told, dict) and not told,
        is_page=body.lstrip()[:1] == "<",
    )


def _json(body: str) -> list[msgspec.Raw] | dict[str, msgspec.Raw] | None:
    """Check all of the body and read its outermost layer only: some are megabytes."""
    try:
        return _decoder().decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


@cache
def _decoder() -> "msgspec.json.Decoder[list[msgspec.Raw] | dict[str, msgspec.Raw]]":
    return msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])


def _code(told: list[msgspec.Raw] | dict[str, msgspec.Raw] | None) -> str | None:
    for name in _CODE_NAMES:
        raw = told.get(name) if isinstance(told, dict) else None
        code = msgspec.json.decode(raw) if raw is not None else None
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
