"""Which attempts to connect say that a server of PostgreSQL is only away.

Where nobody was let in the driver gives no code, only text: its own and the library's, which are
never translated here, around the operating system's words; or the server's, which may be. An
allow-list: a server that speaks another language is not waited for, and told at once.
"""

import os
import re
from errno import (
    ECONNREFUSED,
    ECONNRESET,
    EHOSTDOWN,
    EHOSTUNREACH,
    ENETDOWN,
    ENETUNREACH,
    ENOENT,
    ETIMEDOUT,
)

_ATTEMPT = re.compile(r"connection to server (?:at|on) .*? failed: (.*)")
_NO_NAME = re.compile(r"failed to resolve host|could not translate host name")
_LATE = "timeout expired"
_ABSENT = (
    *(os.strerror(number) for number in (ECONNREFUSED, ECONNRESET, EHOSTDOWN, EHOSTUNREACH)),
    *(os.strerror(number) for number in (ENETDOWN, ENETUNREACH, ETIMEDOUT)),
    os.strerror(ENOENT),  # of the socket's file, which a server makes when it starts
    _LATE,
    "server closed the connection unexpectedly",
    "FATAL:  the database system is ",  # starting up, shutting down, in recovery mode
    "FATAL:  sorry, too many clients already",
    "FATAL:  remaining connection slots are reserved",
)


def is_away(said: str) -> bool:
    """Whether each attempt that a failed connect tells of met nobody, or a server not ready yet."""
    attempts = _ATTEMPT.findall(said)
    if not all(attempt.startswith(_ABSENT) for attempt in attempts):
        return False
    return bool(attempts or _NO_NAME.search(said) or _LATE in said)
