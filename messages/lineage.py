"""Whether a ledger is a copy of another, and what a person has said about that.

A copy does not know what its original sent after it was taken. So it bears a mark from the moment
it is made, wherever it goes and whoever puts it into place: a ledger with the mark trades nothing.
The mark goes by a person's word, once the venue was asked; and from then on no decision is taken
whose moment is before that word, for the original may have taken it and sent its order.
"""

from datetime import UTC, datetime

import msgspec

from messages.ids import NS_PER_S, TimestampNs
from messages.learning import learn

COPIED, ACCEPTED, RESUMED = "copied", "accepted", "resumed"
"""The names of the ledger's notes."""
NEVER_NS = TimestampNs((1 << 63) - 1)
MARGIN_NS = NS_PER_S
"""How far the exchange's clock, which stamps decisions, may be ahead of this machine's."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """Of a copy: when it was taken, and of what."""

    copied_at_ns: TimestampNs | None
    """None where nobody knows any more."""
    orders: int = 0
    newest_key: str = ""
    run_dir: str = ""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word that a copy may be gone on with, and what it rests on."""

    copied_at_ns: TimestampNs | None
    accepted_at_ns: TimestampNs
    not_before_ns: TimestampNs
    """No decision of before this moment is taken."""
    evidence: str


learn(Copied, Accepted)


UNKNOWN = Copied(copied_at_ns=None)


def copied_in(text: str | None) -> Copied | None:
    """Read the mark; one that makes no sense is a mark all the same, and empty it is no more."""
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Copied)
    except (msgspec.MsgspecError, UnicodeError):
        return UNKNOWN


def resumed_at_ns_in(text: str | None) -> int:
    """Read when a halt was last ended by a person, UTC in ns; 0 where none was."""
    return int(text) if text and text.isascii() and text.isdigit() else 0


def not_before_in(text: str | None) -> TimestampNs:
    """Read from when on decisions are taken; where it makes no sense, none ever is."""
    if not text:
        return TimestampNs(0)
    try:
        return msgspec.json.decode(text, type=Accepted).not_before_ns
    except (msgspec.MsgspecError, UnicodeError):
        return NEVER_NS


def accepted_at_ns_in(text: str | None) -> int:
    """Read when a person accepted the ledger as it is; 0 where nobody can be seen to have."""
    try:
        return msgspec.json.decode(text, type=Accepted).accepted_at_ns if text else 0
    except (msgspec.MsgspecError, UnicodeError):
        return 0


def text_of(mark: Copied | Accepted) -> str:
    """Give it as it is kept."""
    return msgspec.json.encode(mark).decode()


def reason(copied: Copied) -> str:
    """Say why a ledger with this mark trades nothing."""
    if copied.copied_at_ns is None:
        return "this ledger is a copy: what was sent after it was taken is not in it"
    return f"this ledger is a copy of {_moment(copied)}: what was sent since then is not in it"


def why_not_resume(copied: Copied) -> str:
    """Say what a person must do before trading goes on."""
    return (
        f"{reason(copied)}; stop the run, then: watchkeeper ledger accept RUN --evidence TEXT,"
        " which asks the venue"
    )


def _moment(copied: Copied) -> str:
    at_s = (copied.copied_at_ns or 0) // NS_PER_S
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
