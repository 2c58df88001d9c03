"""Bring a ledger's schema in PostgreSQL to that of this version, or refuse it.

See `persistence.migrate`, which does the same for a file. Two processes that open a new ledger at
once take turns, by a lock of the server's that a dead one lets go of.
"""

from pathlib import Path

from messages.errors import LedgerTooNew, LedgerUnavailable
from persistence.postgres.session import Session

MIGRATIONS = Path(__file__).with_name("migrations")

_HAS_HISTORY = "SELECT to_regclass('schema_migration') IS NOT NULL"
_APPLIED = "SELECT name FROM schema_migration"
_HAS_SCHEMA = "SELECT count(*) FROM pg_namespace WHERE nspname = $1"
_ALONE = "SELECT pg_advisory_xact_lock(hashtext('watchkeeper'), hashtext($1))"


def upgrade(session: Session, *, makes: bool) -> list[str]:
    """Apply what is missing, all of it or nothing, and give the names.

    `makes`: whether a ledger that is not there is made. Where one was, an empty one in its place
    would let every decision be made a second time.

    Raises:
        LedgerUnavailable: it is not there; or a newer version wrote it, and it is untouched.
    """
    if not pending(session):
        return []
    if not makes and not is_there(session):
        raise LedgerUnavailable(
            f"{session.place} is gone: its schema was dropped or renamed, or"
            f" {session.place.url_env} leads to another database"
        )
    from playhouse.migrations import Runner

    schema = session.place.schema
    with session.errors(), session.database.atomic():
        session.say(_ALONE, (schema,))
        if not session.say(_HAS_SCHEMA, (schema,))[0][0]:
            quoted = schema.replace('"', '""')
            session.say(f'CREATE SCHEMA "{quoted}"')
        if not pending(session):
            return []
        return list(Runner(session.database, str(MIGRATIONS)).up())


def is_there(session: Session) -> bool:
    """Whether there is a ledger, of whatever version."""
    return bool(session.say(_HAS_HISTORY)[0][0])


def check_current(session: Session) -> None:
    """Pass a ledger that has exactly the schema of this version; writes nothing.

    Raises:
        LedgerUnavailable: there is none, or an older or a newer one; the text says which.
    """
    if pending(session):
        raise LedgerUnavailable(
            f"{session.place} is not there, or is of an older version of watchkeeper: start its"
            " run once with this version"
        )


def pending(session: Session) -> bool:
    """Whether a known script is not applied yet.

    Raises:
        LedgerTooNew: an unknown one is.
    """
    applied: set[str] = set()
    if is_there(session):
        applied = {name for (name,) in session.say(_APPLIED)}
    known = {path.stem for path in MIGRATIONS.glob("[0-9]*.py")}
    if unknown := sorted(applied - known):
        raise LedgerTooNew(
            f"{session.place} was written by a newer version of watchkeeper"
            f" (schema {unknown[-1]}): install that version to use this ledger"
        )
    return len(applied) < len(known)
