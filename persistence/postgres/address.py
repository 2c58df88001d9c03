"""The address of a ledger's database, passed before anybody waits for who is there.

What is wrong with it is told without showing a value: a password with an odd character that is
not written as %xx ends in the host, the port or the name.
"""

from collections.abc import Mapping
from typing import Any

from messages.errors import LedgerUnavailable
from messages.extras import how_to_install
from persistence.ledger_place import LedgerPlace

MISSING = f"a ledger in PostgreSQL needs psycopg: {how_to_install('postgres')}"

_NOWHERE = "/nowhere-at-all"
"""A directory of sockets that is not there: whoever is led to it has read all of the address."""


def parameters_of(place: LedgerPlace) -> dict[str, Any]:
    """Take the address apart. Nothing is connected to.

    Raises:
        LedgerUnavailable: the variable is not set, or holds what PostgreSQL's library refuses.
    """
    url = place.url
    try:
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise LedgerUnavailable(MISSING) from None
    import psycopg

    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        given = {}
    wrong = _wrong_part(given) if given else "address"
    if wrong:
        which = "" if wrong == "address" else f": not with that {wrong}"
        raise LedgerUnavailable(
            f"the variable {place.url_env} holds no address of a PostgreSQL database{which}; it is"
            " written as in postgresql://user:password@host:5432/name, and in the password @ as"
            " %40, / as %2F, : as %3A, ? as %3F, # as %23, % as %25"
        )
    return given


def _wrong_part(given: Mapping[str, Any]) -> str:
    """Name the part that the library would refuse; empty: none."""
    from psycopg import pq
    from psycopg.conninfo import make_conninfo

    for torn in ("host", "hostaddr", "dbname"):  # the library takes what follows a stray /
        if "@" in str(given.get(torn) or ""):
            return torn
    hosts = str(given.get("host") or "")
    nowhere = ",".join(_NOWHERE for _ in hosts.split(","))
    words = make_conninfo(**{**given, "host": nowhere, "hostaddr": ""})
    tried = pq.PGconn.connect_start(words.encode())
    refused, said = tried.status == pq.ConnStatus.BAD, tried.error_message.decode(errors="replace")
    tried.finish()
    if not refused or _NOWHERE in said:
        return ""
    return next((name for name, value in given.items() if f'"{value}"' in said), "address")
