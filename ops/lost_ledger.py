"""A ledger that lacks what it held: deleted, emptied, without its log, or an older copy.

Nothing in it tells. So `status.json`, which a living run replaces each second, names an order that
was durable by then, and no ledger forgets one. A run whose ledger does not know it is not started:
what is lost besides may be open at the venue, and would be decided, and sent, once more.
"""

from contextlib import closing
from pathlib import Path
from shlex import quote

from messages.errors import LedgerUnavailable
from messages.ids import OrderKey
from messages.lineage import ACCEPTED, COPIED, accepted_at_ns_in, copied_in
from ops.run_files import LEDGER, STATUS
from ops.run_state import read_object
from persistence.database import has_tables
from persistence.ledger_place import place_in
from persistence.reader import LedgerReader

NEWEST_CLAIM = "newest_claim"
"""The order's name in `status.json`."""


def check_not_lost(run_dir: Path) -> OrderKey | None:
    """Pass a run whose ledger knows what it is known to have held; give that order.

    None: nothing is known, or a person has accepted what the ledger is since. To be asked by the
    holder of the directory, before anything of a new run is written.

    Raises:
        LedgerUnavailable: it lacks it; or a database with it cannot be asked now.
    """
    status = read_object(run_dir / STATUS)
    key, seen_ns = status.get(NEWEST_CLAIM), status.get("captured_at_ns")
    if not isinstance(key, str) or not key:
        return None
    ledger = run_dir / LEDGER
    place = place_in(ledger)
    if place is None and not has_tables(ledger):
        raise _lost(run_dir, key)
    try:
        reading = LedgerReader(ledger)
    except LedgerUnavailable:
        if place is not None:
            raise
        return None  # its writer brings an older one up, and says what is wrong with any other
    with closing(reading):
        if reading.lookup([OrderKey(key)]):
            return OrderKey(key)
        if copied_in(reading.note(COPIED)) is not None:
            return None  # it starts halted
        if accepted_at_ns_in(reading.note(ACCEPTED)) >= (seen_ns or 0):
            return None
    raise _lost(run_dir, key)


def said_of_loss(run_dir: Path) -> str:
    """Say of a ledger that lacks what it held what to do; empty where nothing is known to lack."""
    try:
        check_not_lost(run_dir)
    except LedgerUnavailable as error:
        return str(error)
    return ""


def names_orders(run_dir: Path) -> bool:
    """Whether the last process of a run has said that its ledger held any order."""
    return bool(read_object(run_dir / STATUS).get(NEWEST_CLAIM))


def _lost(run_dir: Path, key: str) -> LedgerUnavailable:
    run = quote(str(run_dir))
    return LedgerUnavailable(
        f"{run_dir}: its ledger does not know order {key}, which it held: it was deleted, has lost"
        " its -wal file, or is an older copy, and what it lacks may be open at the venue. Put a"
        f" copy back with `watchkeeper ledger restore COPY {run} --replace`; without one,"
        f" `watchkeeper ledger mark {run}` begins the way to go on; to begin anew, give another"
        " run_dir"
    )
