"""What a failed connect to PostgreSQL says: the words of driver, library and server."""

import pytest

from persistence.postgres.away import is_away

AT = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '
NOBODY = (
    f"{AT}Connection refused\n"
    "\tIs the server running on that host and accepting TCP/IP connections?"
)
NO_SOCKET = (
    'connection is bad: connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed:'
    " No such file or directory\n\tIs the server running locally and accepting connections on that"
    " socket?"
)
WRONG_WORD = f'{AT}FATAL:  password authentication failed for user "bot"'
STARTING = f"{AT}FATAL:  the database system is starting up"


def both(first: str, second: str) -> str:
    """Two hosts in one address."""
    head = "Multiple connection attempts failed. All failures were:"
    return f"{second}\n{head}\n- host: 'a', port: '1': {first}\n- host: 'b', port: '1': {second}"


@pytest.mark.parametrize(
    "said",
    [
        NOBODY,
        NO_SOCKET,
        STARTING,
        "failed to resolve host 'db': [Errno -3] Temporary failure in name resolution",
        'could not translate host name "db" to address: Name or service not known',
        "connection timeout expired",
        f"{AT}timeout expired",
        f"{AT}No route to host\n\tIs the server running on that host",
        f"{AT}Network is unreachable",
        f"{AT}server closed the connection unexpectedly\n\tThis probably means the server",
        f"{AT}FATAL:  the database system is shutting down",
        f"{AT}FATAL:  the database system is not yet accepting connections",
        f"{AT}FATAL:  sorry, too many clients already",
        both(NOBODY, STARTING),
    ],
)
def test_nobody_was_there_or_not_yet(said: str) -> None:
    assert is_away(said)


@pytest.mark.parametrize(
    "said",
    [
        WRONG_WORD,
        f'{AT}FATAL:  database "nodb" does not exist',
        f"{AT}fe_sendauth: no password supplied",
        f"{AT}server does not support SSL, but SSL was required",
        f"{AT}received invalid response to SSL negotiation: H",
        f'{AT}FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "bot"',
        f"{AT}FATAL:  das Datenbanksystem startet",
        "something that the driver says some day",
        "",
        both(NOBODY, WRONG_WORD),
        both(WRONG_WORD, NOBODY),
    ],
)
def test_what_a_person_has_to_mend_or_nobody_knows_is_not_waited_for(said: str) -> None:
    assert not is_away(said)
