"""A run directory is of one account: what one holds, owes and has sent is no other's."""

from pathlib import Path

from messages.errors import ConfigError, LedgerUnavailable
from messages.ids import AccountId
from persistence import statements as sql
from persistence.reader import LedgerReader


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
