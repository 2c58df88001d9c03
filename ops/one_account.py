"""A run directory is of one account: what one holds, owes and has sent is no other's."""

from pathlib import Path

import msgspec

from messages.errors import ConfigError, LedgerUnavailable
from messages.ids import AccountId, TimestampNs
from messages.learning import learn
from ops.run_files import typed
from persistence import statements as sql
from persistence.ledger import Ledger
from persistence.reader import LedgerReader

OPENED_BY = "opened_by"
"""The name of the ledger's note that says which key its orders were sent with."""


class OpenedBy(msgspec.Struct, frozen=True, kw_only=True):
    """What a key opens, as leases name it (`lease_identity`); of a renewed one a person's word."""

    account: str
    since_ns: TimestampNs
    why: str = ""


learn(OpenedBy)


def check_one_account(ledger: Path, account: AccountId) -> None:
    """Pass a ledger that is not there, is empty, or has orders of this account alone.

    Played orders in a ledger that goes live would be positions that the account does not have,
    to be sold of its owner's coins; and one that was under way would be asked for at the real
    venue, found absent, and sent there.

    Raises:
        ConfigError: it has orders of another account.
    """
    if not ledger.exists():
        return
    try:
        with LedgerReader(ledger) as reader:
            found = {str(row[0]) for row in reader.rows(sql.SELECT_ACCOUNTS)}
    except LedgerUnavailable:
        return  # who opens it to write says what is wrong with it
    if others := ", ".join(sorted(found - {account})):
        text = (
            f"run_dir: {ledger.parent} holds the orders of another account ({others}), and this"
            f" run would trade {account}: give it a run_dir of its own"
        )
        raise ConfigError([text])


def check_one_key(ledger: Path, account: str) -> bool:
    """Pass a ledger of this key's account; give whether nothing was noted of it yet.

    What was sent with the key of another account would be asked for with this one, found absent,
    and sent again; and what was bought there be sold here.

    Raises:
        ConfigError: its orders were sent with another key.
    """
    if not ledger.exists():
        return True
    try:
        with LedgerReader(ledger) as reader:
            text = reader.note(OPENED_BY)
    except LedgerUnavailable:
        return True  # who opens it to write says what is wrong with it
    if not text:
        return True
    noted = _opened_by(text)
    if noted == account:
        return False
    raise ConfigError(
        [
            f"run_dir: the orders of {ledger.parent} were sent with another key ({noted}; now"
            f" {account}): give this run a run_dir of its own, or, if it is a new key of the very"
            f' same account, watchkeeper account {typed(ledger.parent)} --renewed-key "WHY" once'
        ]
    )


def note_key(ledger: Ledger, opened: OpenedBy) -> None:
    """Note durably with which key the orders of a ledger are sent.

    Raises:
        LedgerUnavailable: it cannot be written; nothing is noted then.
    """
    ledger.write((), (), 0, {OPENED_BY: msgspec.json.encode(opened).decode()})


def _opened_by(text: str) -> str:
    try:
        return msgspec.json.decode(text, type=OpenedBy).account
    except (msgspec.MsgspecError, UnicodeError):
        return "nobody can tell which"
