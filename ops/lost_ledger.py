"""A ledger that lacks what it held: deleted, emptied, without its log, or an older copy.

Nothing in it tells. So `status.json`, which a living run replaces each second, names an order that
was durable by then, and no ledger forgets one. A run whose ledger does not know it is not started:
what is lost besides may be open at the venue, and would be decided, and sent, once more. The same
holds for a halt that was on disk: it would be over, and nobody has resumed it.
"""

from contextlib import closing
from pathlib import Path

from messages.errors import LedgerLost, LedgerUnavailable
from messages.ids import NS_PER_S, OrderKey
from messages.lineage import (
    ACCEPTED,
    COPIED,
    RESUMED,
    accepted_at_ns_in,
    copied_in,
    resumed_at_ns_in,
)
from ops.run_files import LEDGER, STATUS, typed
from ops.run_state import read_object
from persistence.database import has_tables
from persistence.ledger_place import place_in
from persistence.reader import LedgerReader

NEWEST_CLAIM = "newest_claim"
"""The order's name in `status.json`."""
RESUMING_NS = 10 * NS_PER_S
"""How long the commit that ends a halt may take."""


def check_not_lost(run_dir: Path) -> OrderKey | None:
    """Pass a run whose ledger knows what it is known to have held; give what the next must know.

    None: it holds no order, or none that a person has not accepted the loss of. To be asked by
    the holder of the directory, before anything of a new run is written.

    Raises:
        LedgerUnavailable: it lacks it; or a database with it cannot be asked now.
    """
    key, seen_ns = last_claim(run_dir)
    ledger, was_halted = run_dir / LEDGER, _was_halted(run_dir)
    if place_in(ledger) is None and not has_tables(ledger):
        if key is not None or was_halted:
            raise _lost(run_dir, key)
        return None
    try:
        reading = LedgerReader(ledger)
    except LedgerLost:
        raise
    except LedgerUnavailable:
        return key  # its writer brings an older one up, and says what is wrong with any other
    with closing(reading):
        is_there = key is None or reading.lookup([key])
        if is_there and not (was_halted and _lacks_halt(reading, seen_ns)):
            return key or _newest(reading)
        if copied_in(reading.note(COPIED)) is not None:
            return key  # it starts halted, and whoever takes it away takes the mark, too
        if accepted_at_ns_in(reading.note(ACCEPTED)) >= seen_ns:
            return _newest(reading)
    raise _lost(run_dir, None if is_there else key)


def last_claim(run_dir: Path) -> tuple[OrderKey | None, int]:
    """Give the order that the last process has named, and when; None where it named none."""
    status = read_object(run_dir / STATUS)
    key, seen_ns = status.get(NEWEST_CLAIM), status.get("captured_at_ns")
    named = OrderKey(key) if isinstance(key, str) and key and key.isascii() else None
    return named, seen_ns if isinstance(seen_ns, int) else 0


def _was_halted(run_dir: Path) -> bool:
    """Whether the last process has said that its ledger holds a halt."""
    halt = read_object(run_dir / STATUS).get("halt")
    return isinstance(halt, dict) and halt.get("on_disk") is True


def _lacks_halt(reading: LedgerReader, seen_ns: int) -> bool:
    """Whether a halt that was seen there is not there, and no person has ended it since."""
    resumed_ns = resumed_at_ns_in(reading.note(RESUMED))
    # While that was written, which may take long, `status.json` said that it is halted.
    return not reading.halt_reason() and resumed_ns < seen_ns - (RESUMING_NS if resumed_ns else 0)


def _newest(reading: LedgerReader) -> OrderKey | None:
    """Give the newest order that a ledger holds, where nobody has named any."""
    return next((entry.order_key for entry in reading.newest_orders()), None)


def said_of_loss(run_dir: Path) -> str:
    """Say of a ledger that lacks what it held what to do; empty where nothing is known to lack."""
    try:
        check_not_lost(run_dir)
    except LedgerUnavailable as error:
        return str(error)
    return ""


def names_orders(run_dir: Path) -> bool:
    """Whether the last process of a run has said that its ledger held any order."""
    return last_claim(run_dir)[0] is not None


def had_ledger(run_dir: Path) -> bool:
    """Whether the last process of a run has said that its ledger held an order, or a halt."""
    return names_orders(run_dir) or _was_halted(run_dir)


def _lost(run_dir: Path, key: OrderKey | None) -> LedgerUnavailable:
    run, what = typed(run_dir), f"order {key}" if key else "the halt"
    return LedgerUnavailable(
        f"{run_dir}: its ledger does not know {what}, which it held: it was deleted, has lost"
        " its -wal file, or is an older copy, and what it lacks may be open at the venue. Put a"
        f" copy back with `watchkeeper ledger restore COPY {run} --replace`; without one,"
        f" `watchkeeper ledger mark {run}` begins the way to go on; to begin anew, give another"
        " run_dir"
    )
