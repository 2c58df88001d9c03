"""What the executor does with orders once it is decided: write, hand over, send again or never.

One desk belongs to one incarnation and is used on its thread. Nothing reaches the gateway
before the commit that says so has returned.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from actors.asking import BY_ASKING, Asking
from actors.context import Context
from actors.doubled_orders import DoubledOrders
from actors.executions import Executions
from actors.gateway import Gateway
from actors.late_fills import LateFills
from actors.log import logger
from actors.open_orders import Move, OpenOrders
from actors.order_records import follow_open, new_order
from actors.risk_books import RiskBooks
from actors.tidying import Tidying
from decisions.order_wishes import UNWANTED
from decisions.risk import RiskState
from decisions.sending import PAUSES_NS, REFUSED_PAUSES_NS, Again, after_absence
from decisions.stop_book import StopBook
from messages.errors import ActorUnavailable, LedgerUnavailable
from messages.ids import OrderKey, TimestampNs
from messages.order_states import FINAL_STATES
from messages.orders import Fill, LookupDone, SendAgain
from messages.values import OrderState
from persistence.ledger import Claim, Ledger, LedgerEntry, Step

OnClaimed = Callable[[Claim, TimestampNs, int], None]
"""The last two say when it was durable, by the wall's clock and by the monotonic one."""
OnMoved = Callable[[LedgerEntry, Sequence[Fill], bool], None]
"""The last says whether only the executions are new."""


class Noting(Protocol):
    """Who keeps something in a note, and has it written with the commit that comes next."""

    def taken_notes(self) -> Mapping[str, str]:
        """Give what is to be written; nothing where that is written already."""

    def notes_failed(self) -> None:
        """Give again, next time, what was taken last: it is not sure that it was written."""


class OrderDesk:
    """`max_age_ns` is None where decisions do not age. The two callbacks tell the others.

    `keeps_equity`: see `RiskBooks`.
    """

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        gateway: Gateway,
        risk: RiskState,
        max_age_ns: int | None,
        keeps_equity: bool,
        on_claimed: OnClaimed,
        on_moved: OnMoved,
        stops: StopBook,
    ) -> None:
        self._ctx, self._ledger, self._gateway = ctx, ledger, gateway
        self._risk, self.stops = risk, stops
        self._max_age_ns = max_age_ns
        self._on_claimed, self._on_moved = on_claimed, on_moved
        self.orders = OpenOrders(ledger.open_entries())
        self.books = RiskBooks(
            ledger=ledger,
            risk=risk,
            orders=self.orders,
            stops=stops,
            keeps_equity=keeps_equity,
            keep=self.keep,
            now_ns=lambda: None if max_age_ns is None else ctx.utc_ns(),
        )
        self.late = LateFills(ctx, ledger, self.keep)
        self.doubled = DoubledOrders(ctx, ledger, self.keep)
        self.orders.on_final = self.late.saw
        self.orders.on_another = self.doubled.saw
        self.executions = Executions(ctx, gateway, self.orders, self._record)
        self.asking = Asking(
            ctx=ctx,
            gateway=gateway,
            orders=self.orders,
            executions=self.executions,
            risk=risk,
            record=self._record,
            on_absent=lambda entry: self._not_sent(entry, asked=True),
            on_difference=self.differs,
            on_final=self._looked_up,
        )
        self.noting: list[Noting] = []
        """Who has something to write with the next commit; each is asked once for each."""
        self.halt_reason = ""
        """While it is not empty, nothing is sent."""
        self.unwanted: dict[OrderKey, str] = {}
        """Orders that are not sent again whatever is proved, and why."""
        self._recall_unwanted()
        self.telling: set[OrderKey] = set()
        """Orders of which a step is being made durable, until it is told."""
        self._differing: dict[OrderKey | None, str] = {}
        self.tidying = Tidying(ctx, ledger, self.books.keep_marks)
        self.books.recover()

    def _recall_unwanted(self) -> None:
        for entry in self.orders.being_asked_for():
            self.recall_unwanted(entry.order_key)

    def recall_unwanted(self, key: OrderKey) -> None:
        """Take an order as unwanted if that is written, and not otherwise."""
        self.unwanted.pop(key, None)
        if why := self._ledger.note(UNWANTED + key):
            self.unwanted[key] = why

    # ------------------------------------------------------------ writing and handing over

    def commit(self, moves: Sequence[Move], claims: Sequence[Claim]) -> None:
        """Make all of it durable at once; then hand over what is to be sent, then tell.

        Raises:
            LedgerError: nothing of it was promised, or the ledger contradicts it.
            ActorUnavailable: a newer incarnation writes the ledger now.
        """
        if not moves and not claims:
            return
        notes = self.books.count(moves, claims)
        told = {move.step.order_key for move in moves}
        told.update(claim.intent.order_key for claim in claims if claim.refused is not None)
        self.telling |= told
        after = self._write([move.step for move in moves], claims, notes)
        durable_ns, durable_at_ns = self._ctx.utc_ns(), self._ctx.monotonic_ns()
        self._hand_over(claims)
        if len(claims) == 1 and claims[0].sent and not self._ctx.waited_for:
            self._gateway.see_off()  # with more than one the rate counts, not when the first leaves
        self.tidying.later()
        for claim in claims:
            self._on_claimed(claim, durable_ns, durable_at_ns)
        for move, entry in zip(moves, after, strict=True):
            self._moved(entry, move, asked=move.step.evidence == BY_ASKING)
        if not self._ctx.fenced:  # else nobody has heard of it: the next one tells
            self.telling -= told

    def _record(self, moves: Sequence[Move]) -> None:
        self.commit(moves, ())

    def _write(
        self, steps: Sequence[Step], claims: Sequence[Claim], notes: Mapping[str, str]
    ) -> list[LedgerEntry]:
        """Write, unless this incarnation was given up: even its notes would be stale.

        What it changes of stops goes with it: no entry is durable without the stop that it brings.
        """
        with self._gateway.holding(self._ctx.epoch):
            if self._ctx.fenced:  # given up already, though nobody has taken over yet
                raise ActorUnavailable(f"{self._ctx.path} {self._ctx.epoch} was given up")
            self.tidying.rows += len(steps) + len(claims)
            stops = self.stops.taken_changes()
            noting = []
            for one in self.noting:
                if more := one.taken_notes():
                    notes = {**notes, **more}
                    noting.append(one)
            try:
                return self._ledger.write(steps, claims, self._ctx.utc_ns(), notes, stops)
            except LedgerUnavailable:  # who goes on all the same has it to write still
                self.stops.put_back(stops)
                for one in noting:
                    one.notes_failed()
                raise

    def _follow(self, entry: LedgerEntry) -> None:
        was_unsettled = entry.order_key in self.orders.unsettled
        self.orders.follow(entry)
        if entry.state in FINAL_STATES:
            self.unwanted.pop(entry.order_key, None)
        if self.orders.lacks_executions(entry.order_key) is not None:
            self.executions.owed()
        if was_unsettled and entry.order_key not in self.orders.unsettled:
            self._risk.unsettled = self.orders.unsettled_symbols()
        if self._risk.open_orders is not None:
            follow_open(entry, self._risk)

    def _hand_over(self, claims: Sequence[Claim]) -> None:
        keys = [claim.intent.order_key for claim in claims if claim.sent]
        entries = self._ledger.lookup(keys) if keys else {}
        for claim in claims:
            if claim.sent:
                self._submit(entries[claim.intent.order_key], claim.intent.ts_created_ns)

    def _submit(self, entry: LedgerEntry, created_ns: int) -> None:
        good_until_ns = None if self._max_age_ns is None else created_ns + self._max_age_ns
        order = new_order(entry, self.stops.touched(entry.order_key, entry.decided_at_ns))
        self._gateway.submit(
            self._ctx.epoch,
            entry.order_key,
            order,
            sent_at_ns=entry.updated_at_ns,
            good_until_ns=good_until_ns,
        )
        # Any answer is a message, and handled after this. Risk has counted it as open already.
        self.orders.follow(entry)
        sends, key = self.orders.sends, entry.order_key
        sends[key] = sends.get(key, 0) + 1

    def _moved(self, entry: LedgerEntry, move: Move, *, asked: bool) -> None:
        """Follow one order that took a step, and do what its new state asks for."""
        self._follow(entry)
        is_late = move.is_late
        if self._differing and not is_late:
            self._differing.pop(entry.order_key, None)
        self._on_moved(entry, move.fills, is_late)
        if is_late:
            return
        if entry.state is OrderState.UNKNOWN:
            self.asking.unknown(entry)
        elif entry.state is OrderState.NOT_SENT:
            self._not_sent(entry, asked=asked)

    # ------------------------------------------------------------ what is proved not to be there

    def _not_sent(self, entry: LedgerEntry, *, asked: bool) -> None:
        """The venue does not have it: once more, after a pause, or never again.

        `asked`: the venue said so, and not our own failure to send.
        """
        if self._ledger.lookup([entry.order_key])[entry.order_key].state is not entry.state:
            return  # a report of the same group knew better
        if why := self._why_never_again(entry.order_key):
            self._refuse(entry, why)
            return
        now_ns = self._ctx.utc_ns()
        sends = self.orders.sends[entry.order_key]
        pauses_ns = PAUSES_NS if asked else REFUSED_PAUSES_NS
        verdict = after_absence(sends, entry.decided_at_ns, now_ns, self._max_age_ns, pauses_ns)
        if not isinstance(verdict, Again):
            self._refuse(entry, verdict.reason)
        elif verdict.after_ns:
            self._ctx.after(verdict.after_ns, SendAgain(order_key=entry.order_key))
        else:
            self.send_again(entry.order_key)

    def send_again(self, key: OrderKey) -> None:
        """Send an order once more, if it is still proved that the venue does not have it."""
        entry = self._ledger.lookup([key]).get(key)
        if entry is None or entry.state is not OrderState.NOT_SENT:
            return
        if why := self._why_never_again(key):
            self._refuse(entry, why)
            return
        self._step(entry, OrderState.SENT, "", "")
        self._submit(self._ledger.lookup([key])[key], entry.decided_at_ns)

    def _why_never_again(self, key: OrderKey) -> str:
        return f"halted: {self.halt_reason}" if self.halt_reason else self.unwanted.get(key, "")

    def never_again(self, entry: LedgerEntry, why: str) -> None:
        """See to it, over restarts too, that an order is not sent again.

        Raises:
            LedgerError: it could not be written down.
        """
        self._write((), (), {UNWANTED + entry.order_key: why})
        self.unwanted[entry.order_key] = why

    def _refuse(self, entry: LedgerEntry, reason: str) -> None:
        self._step(entry, OrderState.REFUSED, reason, "executor")

    def _step(self, entry: LedgerEntry, to: OrderState, reason: str, evidence: str) -> None:
        at_ns = self._ctx.utc_ns()
        step = Step(order_key=entry.order_key, to=to, at_ns=at_ns, reason=reason, evidence=evidence)
        self._record([self.orders.ahead(entry, step)])

    # ------------------------------------------------------------ housekeeping

    def _looked_up(self, answer: LookupDone) -> None:
        """Take an answer about an order that nothing is owed of, as it may have ended."""
        entry = self._ledger.lookup([answer.order_key]).get(answer.order_key)
        if answer.report is not None and entry is not None:
            self.doubled.saw(entry, answer.report)
            self.late.saw(entry, answer.report)

    @property
    def difference(self) -> str:
        """What venue and ledger do not agree on, for a person; the last such thing."""
        return next(reversed(self._differing.values()), "")

    def differs(self, problem: str, of: OrderKey | None = None) -> None:
        """Do nothing about it and ask nobody again: a person must look.

        Until the order that it is of, if it is of one, takes a step: an answer may have been old.
        """
        if problem == self._differing.get(of):
            return
        self._differing[of] = problem
        logger.bind(actor=self._ctx.path).error("the venue and the ledger differ: {}", problem)

    def look_at_ledger(self) -> bool:
        """Say it, where the ledger's file was taken away; True where that is news."""
        before = self.difference
        if gone := self._ledger.taken_away():
            self.differs(gone)
        return self.difference != before

    def keep(self, notes: Mapping[str, str]) -> None:
        """Note something durably, unless this incarnation was given up."""
        self._write((), (), notes)
