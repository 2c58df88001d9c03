"""Where a run is split into what a strategy was made on, and what it had never seen. Pure."""

from datetime import UTC, datetime

from messages.ids import DAY_NS

_FEWEST_DAYS = 10
"""Of a longer run the split is moved to a midnight, so that no day is in both parts."""


def split_ns(asked: str, from_ns: int, until_ns: int) -> int:
    """Give the last moment of the first part: of ``0.7``, ``2024-03-01`` or ``2024-03-01T12:00``.

    Raises:
        ValueError: with a sentence; it is neither, or not inside of what there is.
    """
    try:
        share = float(asked)
    except ValueError:
        moment_ns = _moment_ns(asked)
    else:
        if not 0 < share < 1:
            raise ValueError(f"{asked!r} is no share of the run: give more than 0 and less than 1")
        moment_ns = _at_midnight(from_ns + int((until_ns - from_ns) * share), from_ns, until_ns)
    if not from_ns <= moment_ns < until_ns:
        inside = f"{_said(from_ns)} and before {_said(until_ns)}"
        raise ValueError(f"{asked!r} is outside of the data: give a moment from {inside}")
    return moment_ns


def _at_midnight(moment_ns: int, from_ns: int, until_ns: int) -> int:
    midnight_ns = (moment_ns + DAY_NS // 2) // DAY_NS * DAY_NS
    is_long = until_ns - from_ns >= _FEWEST_DAYS * DAY_NS
    return midnight_ns if is_long and from_ns < midnight_ns < until_ns else moment_ns


def _moment_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        example = "0.7, or a date such as 2024-03-01"
        raise ValueError(f"{text!r} is neither a share nor a date: give {example}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000


def _said(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M}"
