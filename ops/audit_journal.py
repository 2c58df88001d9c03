"""Holds what the journal recorded of orders against the ledger and the summary, both ways.

A report that the executor took must be in the ledger; an execution of the ledger must have had
its report, where the journal covers the whole time of its order. What it does not cover (it is
off, a tail is torn, old segments are gone, a disk was full) is said, and is no difference.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from decisions.audit_journal import (
    PERSON,
    PERSONS_FILL,
    identity_problem,
    outcome_problem,
)
from messages.codec import from_msgpack
from messages.errors import CodecError
from messages.halting import CancelDone, ResolveOrder
from messages.ids import EXECUTOR, ClientOrderId, OrderKey, TradeId
from messages.order_states import FINAL_STATES
from messages.orders import LookupDone, MarketReports, OrderReport, SubmitDone
from messages.outside import Origin
from messages.values import OrderState
from ops.audit_check import Check
from ops.run_files import JOURNAL
from ops.run_state import RunState
from persistence.audited import (
    all_executed,
    fills_by_key,
    has_step_by,
    keys_of,
    newest_step_ns,
)
from persistence.entries import LedgerEntry
from persistence.frames import Frame
from persistence.journal import segments
from persistence.journal_cover import CoverReader
from persistence.reader import LedgerReader

_TOGETHER = 2_000
_KEYS_KEPT = 50_000
_ORIGINS = (Origin.VENUE, Origin.COMMAND)


class Told(msgspec.Struct, frozen=True):
    """One report, as the executor took it."""

    at_ns: int
    report: OrderReport
    key: OrderKey | None
    """The order that it is an answer for; None of a stream."""
    is_ours: bool
    """Whether there must be such an order; a stream is of the whole account."""


class JournalAudit:
    """`summary` was read before the ledger is. Memory grows with the executions of the journal."""

    def __init__(
        self, run_dir: Path, summary: Mapping[str, Any], state: RunState, *, is_paper: bool
    ) -> None:
        self._cover = CoverReader(run_dir / JOURNAL, EXECUTOR)
        self._is_there = bool(segments(run_dir / JOURNAL))
        self._summary, self._state, self._is_paper = summary, state, is_paper
        self._keys: dict[ClientOrderId, OrderKey | None] = {}
        self._executions: set[int] = set()
        self._filled: set[int] = set()
        self._resolves = False
        self._in_hand = self._newest_ns = 0
        self.journal = Check("journal", "what the venue told, as the journal has it, is kept")
        self.reports = Check("reports", "each execution was told of, where the journal covers it")

    def run(self, ledger: LedgerReader) -> tuple[Check, Check]:
        """Make both checks.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        if not self._is_there:
            self.journal.note = self.reports.note = "there is no journal: nothing is covered"
            return self.journal, self.reports
        self._newest_ns = newest_step_ns(ledger)  # before the journal: see _may_be_in_hand
        together: list[Told] = []
        for told in self._told():
            together.append(told)
            if len(together) >= _TOGETHER:
                self._compare(ledger, together)
                together = []
        self._compare(ledger, together)
        for found in self._cover.damages:
            name, damage = found.segment.name, found.damage
            self.journal.differs(f"{name} from byte {damage.offset} on: {damage.reason}")
        if self._in_hand:
            self.journal.note = f"{self._in_hand} may have been in hand when it ended, or are now"
        self._check_summary()
        self._check_executions(ledger)
        return self.journal, self.reports

    # ------------------------------------------------------------ what the journal tells

    def _told(self) -> Iterator[Told]:
        for frame in self._cover.frames():
            if frame.origin not in _ORIGINS:
                continue
            try:
                message = from_msgpack(frame.payload)
            except (CodecError, msgspec.MsgspecError) as error:
                self._cover.unreadable()
                self.journal.differs(f"a message of {frame.at_ns} cannot be read: {error}")
                continue
            self._resolves |= isinstance(message, ResolveOrder)
            yield from _reports(frame, message)

    def _compare(self, ledger: LedgerReader, together: list[Told]) -> None:
        self._find(ledger, together)
        keys = {key for told in together if (key := self._key(told)) is not None}
        entries = ledger.lookup(sorted(keys))
        fills = fills_by_key(ledger, sorted(keys))
        for told in together:
            self._note(told)
            key = self._key(told)
            entry = None if key is None else entries.get(key)
            if entry is not None:
                self._judge(ledger, told, entry, fills.get(entry.order_key, {}))
            elif told.is_ours:
                name = key or told.report.client_order_id
                self.journal.see(name, "is told of in the journal, and is no order")

    def _find(self, ledger: LedgerReader, together: Iterable[Told]) -> None:
        """Learn which order a report of a stream is of; most are known from their answer."""
        for name in list(islice(self._keys, max(len(self._keys) - _KEYS_KEPT, 0))):
            del self._keys[name]
        self._keys |= {one.report.client_order_id: one.key for one in together if one.key}
        names = {told.report.client_order_id for told in together if told.key is None}
        if unknown := names - self._keys.keys():
            self._keys |= dict.fromkeys(unknown) | keys_of(ledger, unknown)

    def _key(self, told: Told) -> OrderKey | None:
        return told.key or self._keys.get(told.report.client_order_id)

    def _note(self, told: Told) -> None:
        name = told.report.client_order_id
        self._executions |= {_mark(name, fill.trade_id) for fill in told.report.fills}

    def _judge(
        self, ledger: LedgerReader, told: Told, entry: LedgerEntry, fills: Mapping[TradeId, Any]
    ) -> None:
        problem = identity_problem(entry, told.report)
        if problem is None:
            problem = outcome_problem(entry, fills, told.report)
            if problem is not None and self._may_be_in_hand(told, entry):
                self._in_hand += 1
                return
            if problem is not None and has_step_by(ledger, entry.order_key, PERSON):
                problem = None  # a person settled it otherwise, and answers for that
        self.journal.see(entry.order_key, problem)
        started_ns = self._summary.get("started_at_ns")
        is_filled = told.report.state is entry.state is OrderState.FILLED
        if is_filled and isinstance(started_ns, int) and entry.updated_at_ns >= started_ns:
            self._filled.add(hash(entry.order_key))

    def _may_be_in_hand(self, told: Told, entry: LedgerEntry) -> bool:
        """Whether it may be on its way into the ledger, or was when the process was killed.

        The executor works one thing off after the other, so what it took before the newest step
        is done; but an order that is not final is asked for at the next start.
        """
        if self._state.ended_in_order:
            return False
        return told.at_ns >= self._newest_ns or entry.state not in FINAL_STATES

    # ------------------------------------------------------------ the other way round

    def _check_executions(self, ledger: LedgerReader) -> None:
        uncovered = 0
        for one in all_executed(ledger):
            if one.trade_id.startswith(PERSONS_FILL):
                continue
            if _mark(one.client_order_id, one.trade_id) in self._executions:
                self.reports.see(one.order_key, None)
            elif self._covers(one.claimed_at_ns, one.updated_at_ns):
                problem = f"no report in the journal tells of execution {one.trade_id}"
                self.reports.see(one.order_key, problem)
            else:
                uncovered += 1
        if uncovered:
            self.reports.note = f"{uncovered} more are of a time that the journal does not cover"

    def _covers(self, claimed_at_ns: int | None, updated_at_ns: int) -> bool:
        """Whether all that the ledger heard of an order is there.

        At an exchange an execution may come alone, when the order has ended long since.
        """
        if claimed_at_ns is None:
            return False
        if self._is_paper:
            return self._cover.covers(claimed_at_ns, updated_at_ns)
        started_ns = self._state.started_at_ns
        if not self._state.ended_in_order or started_ns is None:
            return False
        ended_ns = self._state.ended_at_ns
        if ended_ns is not None and updated_at_ns > ended_ns:
            return False  # settled without a process since, and so without a journal
        return self._cover.covers_to_end(claimed_at_ns, started_ns)

    def _check_summary(self) -> None:
        """Hold the filled orders that the summary counts against those the journal tells of."""
        started_ns, told = self._summary.get("started_at_ns"), self._summary.get("filled")
        restarts = self._summary.get("restarts")
        if not (isinstance(started_ns, int) and isinstance(told, int)):
            return
        if not self._state.ended_in_order or self._resolves or restarts:
            return
        if self._cover.covers_process(started_ns):
            made = len(self._filled)
            problem = None if told == made else f"{told} are told, the journal makes {made}"
            self.journal.see("filled orders of the summary", problem)


def _reports(frame: Frame, message: object) -> Iterator[Told]:
    match message:
        case SubmitDone() | LookupDone() | CancelDone() if message.report is not None:
            yield Told(frame.at_ns, message.report, message.order_key, is_ours=True)
        case MarketReports():  # the paper venue has no orders but ours
            for report in message.reports:
                yield Told(frame.at_ns, report, None, is_ours=True)
        case OrderReport():
            yield Told(frame.at_ns, message, None, is_ours=False)


def _mark(name: ClientOrderId, trade_id: TradeId) -> int:
    """Give what stands for an execution in a set: a hundred bytes less than its names."""
    return hash((name, trade_id))
