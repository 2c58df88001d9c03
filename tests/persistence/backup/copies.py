"""What the tests of copies have in common: a moment, a halt's words, and what is in a ledger."""

from pathlib import Path

from messages.ids import NS_PER_S, TimestampNs
from messages.lineage import Copied, reason
from persistence.ledger import SqliteLedger
from tests.persistence.conftest import T0, make_claim

NOW = TimestampNs(T0 + 5 * NS_PER_S)


def halt(copied: Copied) -> str:
    return f"halted: {reason(copied)}"


def halted(path: Path) -> str | None:
    return noted(path, None)


def noted(path: Path, name: str | None) -> str | None:
    ledger = SqliteLedger(path)
    try:
        return ledger.halt_reason() if name is None else ledger.note(name)
    finally:
        ledger.close()


def later(path: Path, number: int) -> None:
    """Let the original go on after its copy was taken."""
    ledger = SqliteLedger(path)
    ledger.claim([make_claim(number)], T0)
    ledger.close()
