"""What the machine brings: Python, SQLite, the clock, and the libraries that are extras."""

import ctypes
import platform
import sqlite3
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

from messages.extras import how_to_install
from ops.doctor_finding import Finding, ok, problem, warning
from ops.moments import utc

_PYTHON = (3, 11)
_WAL_RESET_FIXED = (3, 51, 3)
_STRICT = (3, 37)
EXTRAS = {
    "exchange": ("ccxt", "aiohttp"),
    "parquet": ("pyarrow",),
    "alerts": ("apprise",),
    "dashboard": ("starlette", "uvicorn"),
    "orchestrate": ("psutil",),
    "optimize": ("optuna",),
    "ray": ("ray",),
    "postgres": ("psycopg",),
    "nats": ("nats", "cryptography"),
}
"""What each extra of the distribution brings, by the names under which it is imported."""
_RELEASED_S = 1_760_000_000
"""A clock that is before this (October 2025) is before the code it runs."""
_NOT_SYNCHRONIZED = 5
"""TIME_ERROR of adjtimex(2): nothing disciplines the clock."""
_TIMEX_BYTES = 512


def machine_findings() -> Iterator[Finding]:
    """Look at all of it; nothing of it is touched."""
    yield python_finding(sys.version_info[:3])
    yield sqlite_finding(sqlite3.sqlite_version_info)
    yield from clock_findings(time.time(), _clock_state())
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if find_spec(name) is None]
        if missing:
            text = f"{extra} is not installed ({', '.join(missing)})"
            yield ok("extra", f"{text}; if you need it: {how_to_install(extra)}")
        else:
            yield ok("extra", f"{extra} is installed ({', '.join(modules)})")


def python_finding(version: tuple[int, ...]) -> Finding:
    """Say whether this Python will do."""
    text = f"{platform.python_implementation()} {'.'.join(map(str, version))}"
    if version < _PYTHON:
        return problem("python", f"{text} is too old", "install Python 3.11 or newer")
    return ok("python", text)


def sqlite_finding(version: tuple[int, ...]) -> Finding:
    """Say whether this SQLite has the bug in resetting its log, and why it does no harm here."""
    text = ".".join(map(str, version))
    if version >= _WAL_RESET_FIXED:
        return ok("sqlite", text)
    return ok(
        "sqlite",
        f"{text} has the WAL-reset bug (until 3.51.3), which takes two connections that both"
        " checkpoint; here one does, and every reader is read-only",
    )


def clock_findings(now_s: float, state: int | None) -> Iterator[Finding]:
    """Say whether the clock can be right; `state` is adjtimex's, None where it does not tell."""
    text = f"{utc(int(now_s * 1e9))} UTC"
    if now_s < _RELEASED_S:
        yield problem("clock", f"{text} is in the past", "set the clock, with NTP")
    elif state == _NOT_SYNCHRONIZED:
        yield warning("clock", f"{text}; the kernel says that nothing keeps it right", "run NTP")
    else:
        yield ok(
            "clock", text if state is not None else f"{text}; whether NTP keeps it is not told"
        )


def _clock_state() -> int | None:
    """Ask the kernel; a zeroed request changes nothing."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return int(state) if state >= 0 else None
