"""What the database that a config's ledger stands in is good for. Nothing is written there."""

from collections.abc import Iterator, Mapping

from messages.errors import WatchkeeperError
from ops.config_schema import Config, IdempotencyBackend
from ops.doctor_finding import Finding, ok, problem, warning
from persistence.ledger_place import LedgerPlace

_ABOUT = "database"
_TODO = "correct it in the server's settings: a claim must survive a loss of power"


def database_findings(config: Config) -> Iterator[Finding]:
    """Ask the server how durable a commit is; nothing where the ledger is a file."""
    if config.idempotency.backend is not IdempotencyBackend.POSTGRES:
        return
    from persistence.postgres.session import server_settings  # a driver that few need

    name = config.idempotency.database_url_env or ""
    try:
        found = server_settings(LedgerPlace(schema="public", url_env=name))
    except WatchkeeperError as error:
        yield problem(_ABOUT, str(error), f"see to the server, and to what {name} holds")
        return
    yield from durable_findings(found)


def durable_findings(found: Mapping[str, str]) -> Iterator[Finding]:
    """Judge a server's settings."""
    if found["fsync"] != "on":
        yield problem(_ABOUT, "fsync is off: a commit is lost with the power", _TODO)
    if found["full_page_writes"] != "on":
        yield warning(_ABOUT, "full_page_writes is off: a loss of power can damage it", _TODO)
    if found["in_recovery"] == "true":
        yield problem(_ABOUT, "it is a copy that takes no writes", "connect to the primary")
    copies = found["synchronous_standby_names"]
    text = f"PostgreSQL {found['server_version']}; a commit waits for its disk"
    yield ok(_ABOUT, text + (f" and for {copies}" if copies else "; it has no synchronous copy"))
