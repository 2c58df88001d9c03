"""The account that a live run trades: its lease first, then all that may only be had with it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

from actors.log import logger
from messages.errors import LedgerUnavailable
from messages.ids import TimestampNs
from ops.config import Config, IdempotencyBackend
from ops.held_ledger import end_at_once, ledger_opener
from ops.lease import HeldAccount, Seen, Tell, hold_lease
from ops.live_venue import (
    LiveVenue,
    check_right,
    check_variables,
    open_live_venue,
    warn_of_withdrawal,
)
from ops.one_account import OpenedBy, check_one_key, note_key
from ops.run_dir import RunDir
from ops.waiting import say
from persistence.fence import take_writing
from persistence.ledger import Ledger, SqliteLedger

__all__ = ["Account", "hold_account", "live_venue_alone"]


class Account:
    """What a run holds of its account; used on the main thread."""

    def __init__(self, config: Config, held: HeldAccount, *, patient: bool) -> None:
        self._config, self._held, self._patient = config, held, patient
        self._writer: int | None = None
        self._is_first_key = False
        self._venue: LiveVenue | None = None
        self.run_dir = RunDir(
            config.run_dir,
            claim=held.claim,
            former_claim=held.former_claim,
            on_taken=end_at_once,
        )

    def check_key(self) -> None:
        """Pass a run directory whose orders were sent with this key, or with none so far.

        Raises:
            ConfigError: they were sent with another one.
        """
        if self._config.idempotency.backend is IdempotencyBackend.SQLITE:
            name = self._held.place.account
            self._is_first_key = check_one_key(self.run_dir.ledger, name)

    def open(self, listing: Sequence[dict[str, Any]] = ()) -> None:
        """Take the ledger, then pass the venue's gate with a key that may trade.

        `listing` is what the exchange lists, where that was asked a moment ago.

        Raises:
            LedgerUnavailable: the ledger cannot be written.
            VenueRefused: the gate's one sentence, or that the key may not trade.
        """
        logger.info("the lease of {}: {}", self._held.claim, self._held.got.why)
        if self._config.idempotency.backend is IdempotencyBackend.SQLITE:
            self._writer = self._take_writing()
        self._venue = open_live_venue(self._config, self._held.keeper, listing)
        try:
            check_right(self._venue)
            warn_of_withdrawal(self._venue)
            if self._writer is not None and self._is_first_key:
                self._note_key()  # not before: a key that was refused here is no account's yet
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the venue; the lease is given back only if nothing can be under way."""
        if self._venue is not None:
            self._held.is_quiet = self._venue.close()

    @property
    def venue(self) -> LiveVenue:
        """The open venue."""
        assert self._venue is not None, "opened by open()"
        return self._venue

    @property
    def open_ledger(self) -> "Callable[[], Ledger] | None":
        """Opens the ledger for writing as this process; None: as any other run does."""
        place = self._held.place.ledger
        if place is not None:
            return ledger_opener(place, self._held)
        if self._writer is None:
            return None
        return partial(SqliteLedger, self.run_dir.ledger, self._writer)

    def when_barred(self, act: Callable[[str], object]) -> None:
        """Say what is done when nothing may be sent any more; see `LeaseKeeper.when_barred`."""
        self._held.keeper.when_barred(act)

    def lease(self) -> dict[str, Any]:
        """Say how the lease stands, for `health`."""
        return self._held.keeper.snapshot()

    def _note_key(self) -> None:
        opened = OpenedBy(account=self._held.place.account, since_ns=TimestampNs(time.time_ns()))
        with closing(SqliteLedger(self.run_dir.ledger, self._writer)) as ledger:
            note_key(ledger, opened)

    def _take_writing(self) -> int:
        """Take the ledger; who stands by waits for one who was stopped in the middle of a write."""
        said = False
        while True:
            try:
                return take_writing(self.run_dir.ledger)
            except LedgerUnavailable as error:
                former = self.run_dir.taken_over_from
                if not self._patient or "locked" not in str(error):
                    raise
                if not said:
                    who = f"process {former}" if former else "a process"
                    say(f"{error}: {who} was stopped in the middle of a write; kill -9 it")
                said = True
                time.sleep(0.1)


@contextmanager
def hold_account(
    config: Config, *, standby: bool, seen: Seen = lambda _wait, _at: None, tell: Tell = say
) -> Iterator[Account]:
    """Hold the account of a live config; a `standby` waits for it as long as it takes.

    `seen` and `tell` as in `hold_lease`.

    Raises:
        LeaseError: another process has it, or the lease cannot be used.
        ConfigError: a secret, or the directory of the leases, is missing.
    """
    check_variables(config)
    with hold_lease(config, standby=standby, on_lost=end_at_once, seen=seen, tell=tell) as held:
        yield Account(config, held, patient=standby)


@contextmanager
def live_venue_alone(config: Config, already: HeldAccount | None = None) -> Iterator[LiveVenue]:
    """Open the venue of a run whose process is gone, as the holder of its account.

    `already`: the lease, where it is held for the ledger's sake.

    Raises:
        LeaseError: another process trades the account.
        ConfigError: a secret, or the directory of the leases, is missing.
        VenueRefused: the gate's one sentence.
    """
    check_variables(config)
    with ExitStack() as stack:
        held = already or stack.enter_context(
            hold_lease(config, standby=False, on_lost=end_at_once)
        )
        venue = open_live_venue(config, held.keeper, to_trade=False)
        try:
            yield venue
        finally:
            held.is_quiet = venue.close()
