"""Live processes on one account, and how one is stopped without a lock in its hand."""

import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.system.bots import Bot
from tests.system.live_bots import ENVIRONMENT

Start = Callable[..., Bot]


def live(start: Start, config: Path, *more: str) -> Bot:
    return start(config, "--i-understand-live", *more, environment=ENVIRONMENT)


def lease_file(folder: Path) -> Path:
    (path,) = (folder / "leases").glob("*.db")
    return path


def freeze_with_the_locks_free(bot: Bot, *locks: sqlite3.Connection) -> None:
    """Stop it between two writes, and take the locks; the test gives them back."""
    for _ in range(20):
        bot.freeze()
        try:
            for lock in locks:
                lock.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:  # it was stopped while it wrote
            for lock in locks:
                lock.rollback()
            bot.send(signal.SIGCONT)
            threading.Event().wait(0.05)
        else:
            return
    raise AssertionError("it never stops between two writes")


def freeze_between_writes(bot: Bot, folder: Path) -> None:
    """Stop it with neither the ledger's nor the lease's lock in its hand."""
    with (
        closing(sqlite3.connect(folder / "run" / "ledger.db", isolation_level=None)) as ledger,
        closing(sqlite3.connect(lease_file(folder), isolation_level=None)) as lease,
    ):
        freeze_with_the_locks_free(bot, ledger, lease)
        ledger.rollback()
        lease.rollback()
