"""`halt` and `resume` of a run whose process is gone: the same executor, alone, on the same files.

The run directory is held meanwhile, so nobody starts it. The executor finds the halt on disk
and does what it does at any start under a halt: it takes no decisions, cancels what is open and
proves it. Nothing is ever sent from here.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from actors.operator_board import HaltView, OperatorBoard
from actors.risk_books import forgiveness
from actors.thread_runtime import ThreadRuntime
from decisions import halting
from decisions.halting import HaltRecord, HaltState, OrderedBy
from messages import lineage
from messages.errors import ConfigError, RunDirBusy, WatchkeeperError
from messages.ids import NS_PER_S, TimestampNs
from ops.config import Config, IdempotencyBackend, VenueType, load
from ops.config_risk import risk_limits
from ops.last_word import note_halt, note_resumed
from ops.live_consent import UnreadableConsent, check_same_money
from ops.logs import log_settings, set_up_logging
from ops.lost_ledger import said_of_loss
from ops.one_account import check_one_account, check_one_key
from ops.run_dir import RunDir
from ops.secret_values import cleaner, secret_variables, secrets_of
from ops.wiring import executor_alone
from ops.wiring_execution import account_of
from persistence.ledger import Ledger, SqliteLedger
from persistence.ledger_place import place_in
from persistence.secret_files import take_secret_files

if TYPE_CHECKING:
    from ops.lease import HeldAccount

POLL_S = 0.05
START_LIMIT_NS = 60 * NS_PER_S
STOP_LIMIT_NS = 10 * NS_PER_S

View = dict[str, Any]
Told = Callable[[str], object]


def halt_offline(
    run_dir: Path,
    reason: str,
    *,
    timeout_s: float,
    told: Told,
    config_path: Path | None = None,
) -> View:
    """Write the halt down, then prove it as far as the venue can be opened.

    Raises:
        RunDirBusy: a process has it after all, and does not answer.
        LedgerUnavailable: the halt could not be written down; nothing was done.
    """
    deadline = time.monotonic() + timeout_s
    with held_run(run_dir, deadline) as held:
        lost = said_of_loss(run_dir)  # before the ledger is opened, which makes it where it is gone
        record = _record(held, reason)
        note_halt(held.run_dir, unproved(record))  # whatever asking the venue comes to
        told(f"the halt is on disk; the venue is asked now: {record.reason}")
        view = _asked(held, record, deadline, told, config_path)
        if lost:
            view = _with_loss(view, lost)
        note_halt(held.run_dir, view)
        return _fields(view)


def resume_offline(
    run_dir: Path,
    *,
    despite_open: bool,
    timeout_s: float,
    told: Told,
    config_path: Path | None = None,
) -> dict[str, Any]:
    """Delete the record of a halt; before it, prove that nothing is open, unless that is waived.

    A drawdown that was reached begins anew with it, or by itself where nothing is halted.

    Raises:
        RunDirBusy: a process has it after all, and does not answer.
        LedgerUnavailable: the ledger could not be read or written.
    """
    deadline = time.monotonic() + timeout_s
    with held_run(run_dir, deadline) as held:
        if lost := said_of_loss(run_dir):  # for which a start is refused
            return {"ok": False, "text": lost}
        if copied := _copied(held):
            return {"ok": False, "text": lineage.why_not_resume(copied)}
        text = _kept(held)
        if text is None:
            return _forgiven(held, config_path)
        reason = halting.reason_in(text)
        if not despite_open:
            record = HaltRecord(reason=reason, ordered_by=OrderedBy.RULE, at_ns=_now_ns())
            view = proved(held, record, deadline, told, config_path)
            if view["state"] != HaltState.HALTED_PROVED:
                return {"ok": False, "text": f"{view['text']}; wait, or say --despite-open"}
        with closing(held.open_ledger()) as ledger:
            notes = _forgiveness(held, ledger, config_path)
            # A status.json that says that it is halted may outlive this: it may not be writable.
            ledger.clear_halt({**notes, lineage.RESUMED: str(_now_ns())})
        note_resumed(held.run_dir)
        anew = "; the drawdown begins anew" if notes else ""
        return {"ok": True, "text": f"the next start trades{anew} (it was halted: {reason})"}


def _forgiven(held: "Held", config_path: Path | None) -> dict[str, Any]:
    with closing(held.open_ledger()) as ledger:
        notes = _forgiveness(held, ledger, config_path)
        if not notes:
            return {"ok": False, "text": "trading is not halted"}
        ledger.write((), (), 0, notes)
    return {"ok": True, "text": "the drawdown begins anew at the last equity that is known"}


def _forgiveness(held: "Held", ledger: Ledger, config_path: Path | None) -> Mapping[str, str]:
    """Give the note that forgives a drawdown; nothing where no config says what is allowed."""
    try:
        limits = risk_limits(held.config(config_path).risk, replayed=True)
    except ConfigError:
        return {}
    return forgiveness(ledger, limits)


class Held(msgspec.Struct):
    """A run directory whose process is gone, and its ledger."""

    run_dir: RunDir
    open_ledger: Callable[[], Ledger]
    lease: "HeldAccount | None" = None
    """Of the ledger, where others could open it too."""

    def config(self, path: Path | None = None) -> Config:
        """Read what it ran with last, or what is named.

        Raises:
            ConfigError: it cannot be read.
        """
        path = path or self.run_dir.effective_config
        if not path.exists():
            raise ConfigError([f"there is no {path}: say which venue it has by --config CONFIG"])
        config = load(path, {"run_dir": str(self.run_dir.path)})
        if self.lease is not None:
            return config
        file = msgspec.structs.replace(config.idempotency, backend=IdempotencyBackend.SQLITE)
        return msgspec.structs.replace(config, idempotency=file)  # its orders were moved since


@contextmanager
def held_dir(run_dir: Path, deadline: float) -> Iterator[RunDir]:
    """Hold the directory; a process that is on its way out is waited for."""
    held = RunDir(run_dir)
    while True:
        try:
            held.open()
            break
        except RunDirBusy:
            if time.monotonic() >= deadline:
                raise
            time.sleep(POLL_S)
    with closing(held):
        yield held


@contextmanager
def held_run(run_dir: Path, deadline: float) -> Iterator[Held]:
    """Hold the directory and its ledger, wherever that is."""
    with held_dir(run_dir, deadline) as held:
        place = place_in(held.ledger)
        if place is None:
            yield Held(held, partial(SqliteLedger, held.ledger))
            return
        from ops.held_ledger import hold_of, ledger_opener

        with hold_of(place, held) as lease:
            yield Held(held, ledger_opener(place, lease), lease)


def _with_loss(view: HaltView, lost: str) -> HaltView:
    """Say of a ledger that has lost something that what it does not know may be open."""
    text, state = f"halted on disk, NOT proved: {lost}", str(HaltState.HALTED_UNPROVED)
    return msgspec.structs.replace(view, state=state, proved_at_ns=None, problem=lost, text=text)


def _record(held: "Held", reason: str) -> HaltRecord:
    """Write the record, unless there is one; give the one that holds."""
    record = HaltRecord(reason=reason, ordered_by=OrderedBy.PERSON, at_ns=_now_ns())
    with closing(held.open_ledger()) as ledger:
        text = ledger.halt_reason()
        if text is None:
            ledger.set_halt(halting.text_of(record))
            return record
        return msgspec.structs.replace(record, reason=halting.reason_in(text))


def _kept(held: "Held") -> str | None:
    with closing(held.open_ledger()) as ledger:
        return ledger.halt_reason()


def _copied(held: "Held") -> lineage.Copied | None:
    with closing(held.open_ledger()) as ledger:
        return lineage.copied_in(ledger.note(lineage.COPIED))


def proved(
    held: "Held", record: HaltRecord, deadline: float, told: Told, config_path: Path | None = None
) -> View:
    """Let an executor prove it until the time is over; say so where there is no venue.

    Without `config_path` the venue is that of the last start.
    """
    return _fields(_asked(held, record, deadline, told, config_path))


def _fields(view: HaltView) -> View:
    fields: View = msgspec.to_builtins(view)
    return fields


def _asked(
    held: "Held", record: HaltRecord, deadline: float, told: Told, config_path: Path | None
) -> HaltView:
    try:
        with ExitStack() as stack:
            config = held.config(config_path)
            take_secret_files(secret_variables(config))
            _log(config, held, told)
            board = _executor(config, held, stack, told)
            return _followed(board, deadline, told)
    except WatchkeeperError as error:
        text = f"halted on disk, NOT proved, for the venue could not be asked ({error})"
        return unproved(record, problem=str(error), text=f"{text}: {record.reason}")


def unproved(record: HaltRecord, *, problem: str = "", text: str = "") -> HaltView:
    """Show a halt that is on disk, of which the venue was not asked, or in vain."""
    return HaltView(
        state=str(HaltState.HALTED_UNPROVED),
        reason=record.reason,
        ordered_by=str(record.ordered_by),
        at_ns=record.at_ns,
        on_disk=True,
        problem=problem,
        text=text,
    )


def _log(config: Config, held: "Held", told: Told) -> None:
    """Log as a start does; where that is not possible nothing is kept from being canceled."""
    try:
        set_up_logging(
            held.run_dir.log,
            secrets=secrets_of(config),
            settings=log_settings(config.logs),
            screen_level="CRITICAL",
        )
    except OSError as error:
        told(f"nothing is logged of it: {held.run_dir.log}: {error.strerror or error}")


def _executor(config: Config, held: "Held", stack: ExitStack, told: Told) -> OperatorBoard:
    """Start an executor that stays until `stack` ends; give what it leaves to be read.

    Raises:
        WatchkeeperError: the venue cannot be opened, or the executor does not start; or it is
            another account's, where nothing of this ledger would be found.
    """
    live, is_live = None, config.venue.type is VenueType.CCXT
    check_one_account(held.run_dir.ledger, account_of(config, is_live=is_live))
    if is_live:
        _check_money(held, config, told)
        from ops.held_account import live_venue_alone
        from ops.lease_place import place_of
        from ops.live_venue import check_variables

        check_variables(config)
        if held.lease is None:
            check_one_key(held.run_dir.ledger, place_of(config).account)

        live = stack.enter_context(live_venue_alone(config, held.lease))
    elif not held.run_dir.paper_book.exists():
        raise WatchkeeperError(f"there is no paper book {held.run_dir.paper_book}")
    runtime = ThreadRuntime(ttl_enforced=False)
    runtime.clean = cleaner(secrets_of(config))
    cell, board = executor_alone(config, held.run_dir, runtime, live, held.open_ledger)
    started = runtime.start(cell, START_LIMIT_NS)
    if started.problem:
        raise WatchkeeperError(f"its executor does not start: {started.problem}")
    stack.callback(runtime.stop, cell, STOP_LIMIT_NS, drain=True)
    return board


def _check_money(held: "Held", config: Config, told: Told) -> None:
    """Stop where the venue is known to be another's; say it where nobody knows.

    For what is canceled there can be asked for in no other way, and the last start ran on the venue
    that its config names only because the word was read then. The next start asks for it again.
    """
    try:
        check_same_money(held.run_dir.path, config.venue)
    except UnreadableConsent as problem:
        told(f"it is taken to be of {config.venue.exchange}, as the config says: {problem}")


def _followed(board: OperatorBoard, deadline: float, told: Told) -> HaltView:
    while True:
        view = board.halt
        is_proved = view.state == HaltState.HALTED_PROVED
        if not is_proved:  # else it is the result, and is told as such
            told(view.text)
        if is_proved or time.monotonic() >= deadline:
            return view
        time.sleep(POLL_S)


def _now_ns() -> TimestampNs:
    return TimestampNs(time.time_ns())
