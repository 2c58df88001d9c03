"""What a `ledger migrate` that was killed has left to do, in notes beside the ledger."""

from ops.run_dir import RunDir
from ops.run_files import LEDGER
from persistence.ledger_place import LedgerPlace, place_in, words_of

ENTERED = f"{LEDGER}.migrating"
"""The place in a database that the first try has begun to fill: a second one goes on there."""
LEFT = f"{LEDGER}.leaving"
"""The place in a database whose ledger is to be put out of use: the file has taken its place."""


def noted(held: RunDir, name: str) -> LedgerPlace | None:
    """Give what a note names; None: there is none.

    Raises:
        LedgerUnavailable: a newer version wrote it.
    """
    return place_in(held.path / name)


def note(held: RunDir, name: str, place: LedgerPlace) -> None:
    """Write one, to outlive this process."""
    held.atomic_write(name, words_of(place))


def forget(held: RunDir, name: str) -> None:
    """Take it away: that is done."""
    (held.path / name).unlink(missing_ok=True)
