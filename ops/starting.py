"""All that a run holds before it begins: its account, its market, its directory, its log."""

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from actors.log import logger, open_log
from ops.config import Config, IdempotencyBackend, VenueType
from ops.effective import effective_text
from ops.ledger_choice import settle_place
from ops.live_consent import check_consent, note_consent, note_consent_of_standby
from ops.log_context import LogContext
from ops.logs import LogCounts, log_from_now_on, log_settings, unhandled_are_logged
from ops.lost_ledger import check_not_lost, last_claim
from ops.market_gate import market_of
from ops.one_account import check_one_account
from ops.options import StartOptions
from ops.run_dir import RunDir
from ops.run_end import how_it_ended
from ops.run_files import EFFECTIVE_CONFIG, LOG
from ops.waiting import Waiting
from ops.wiring_execution import account_of

if TYPE_CHECKING:
    from exchanges.feed_connection import FeedConnection
    from messages.ids import OrderKey
    from ops.held_account import Account
    from ops.lease import HeldAccount
    from ops.standby import Handed
    from persistence.ledger_place import LedgerPlace


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What a run holds; `holding` lets go of it, in the right order."""

    holding: ExitStack
    run_dir: RunDir
    account: "Account | None"
    """Of a live run."""
    ledger: "HeldAccount | None"
    """Of a paper run whose ledger others could open too."""
    opened: "FeedConnection | None"
    """Of a market that comes over a connection."""
    counts: LogCounts
    context: LogContext
    newest_claim: "OrderKey | None"
    """An order that its ledger held when the process before this one was last seen."""
    before: str
    """How the process before this one ended, where it did not in order."""


class Start:
    """One start, however often it is tried until all is there that it needs."""

    def __init__(
        self, options: StartOptions, config: Config, secrets: list[str], waiting: Waiting
    ) -> None:
        self._options, self._config, self._secrets = options, config, secrets
        self._waiting = waiting
        self._before = ""
        """Only the first try that holds the directory can see it."""

    def attempt(self) -> Ready:
        """Take all of it, or nothing.

        Raises:
            WatchkeeperError: something is not as it should be, or is away.
        """
        with ExitStack() as stack:
            return self._taken(stack)

    def _taken(self, stack: ExitStack) -> Ready:
        config, context = self._config, LogContext()
        is_live = config.venue.type is VenueType.CCXT
        account, warm = self._account(stack)
        opened = stack.enter_context(market_of(config, warm.feed if warm else None))
        run_dir = stack.enter_context(account.run_dir if account else RunDir(config.run_dir))
        if account is not None:  # again, for another one may have had the directory since
            check_consent(run_dir.path, config.venue, given=self._options.i_understand_live)
        place = settle_place(config, run_dir)
        check_one_account(run_dir.ledger, account_of(config, is_live=is_live))
        is_kept = config.idempotency.backend is not IdempotencyBackend.MEMORY
        newest_claim = check_not_lost(run_dir.path) if is_kept else last_claim(run_dir.path)[0]
        if account is not None:
            account.check_key()
        counts = self._log(stack, run_dir, context)
        self._before = self._before or how_it_ended(run_dir)
        if run_dir.taken_over_from:
            logger.warning("taking over from process {}", run_dir.taken_over_from)
        run_dir.atomic_write(EFFECTIVE_CONFIG, effective_text(config).encode())
        if account is not None:
            account.open(warm.listing if warm else ())
            stack.callback(account.close)
            if self._options.i_understand_live:
                note_consent(run_dir, config.venue)
        return Ready(
            run_dir=run_dir,
            account=account,
            ledger=self._ledger(stack, place, run_dir) if account is None else None,
            opened=opened,
            counts=counts,
            context=context,
            newest_claim=newest_claim,
            before=self._before,
            holding=stack.pop_all(),
        )

    def _account(self, stack: ExitStack) -> "tuple[Account | None, Handed | None]":
        """Hold the account of a live run; of one that stood by for it, also what was warm then."""
        config, tell = self._config, self._waiting.say_once
        if config.venue.type is not VenueType.CCXT:
            return None, None
        from ops.held_account import hold_account  # an exchange's parts

        if self._options.standby:
            from ops.takeover import taken_over

            with self._waiting.not_counting():
                return taken_over(config, stack, tell, self._note_while_waiting)
        return stack.enter_context(hold_account(config, standby=False, tell=tell)), None

    def _note_while_waiting(self) -> None:
        if self._options.i_understand_live:
            note_consent_of_standby(self._config.run_dir, self._config.venue)

    def _ledger(
        self, stack: ExitStack, place: "LedgerPlace | None", run_dir: RunDir
    ) -> "HeldAccount | None":
        if place is None:
            return None
        from ops.held_ledger import hold_ledger

        tell = self._waiting.say_once
        return stack.enter_context(hold_ledger(place, run_dir.path, standby=False, tell=tell))

    def _log(self, stack: ExitStack, run_dir: RunDir, context: LogContext) -> LogCounts:
        stack.enter_context(unhandled_are_logged(self._secrets))
        is_quiet = sys.stdout.isatty() and not self._options.json_lines
        counts = log_from_now_on(
            run_dir.path / LOG,
            secrets=self._secrets,
            settings=log_settings(self._config.logs),
            screen_level="CRITICAL" if is_quiet else "WARNING",
            context=context.fields,
        )
        if "asyncio" in sys.modules:  # an exchange's libraries are there, with loggers of their own
            open_log()
        return counts
