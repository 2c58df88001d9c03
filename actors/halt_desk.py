"""The kill switch at work: what `decisions.halting` says, done to the ledger and the venue.

One desk belongs to one incarnation of the executor and is used on its thread. A halt bars the
gateway first, so that nothing leaves any more, then is written down, then cancels and asks.
What it repeats it repeats after a pause; what was not proved is tried again by a timer, until
it is. A venue that failed for good halts too, and no more than that: open orders are left as
they are, for there is nobody to ask, and a person's halt on top cancels them. On a recording
it ends the executor: what is decided once is refused for good, also in the next run.
"""

from collections.abc import Callable, Iterable, Mapping

from actors.context import Context
from actors.gateway import Gateway
from actors.halt_at_venue import HaltAtVenue
from actors.halt_shown import doubted, failed_view, halt_view
from actors.kept_halt import KeptHalt
from actors.log import logger
from actors.operator_board import TRADING, Answer, HaltView, OperatorBoard
from actors.order_desk import OrderDesk
from decisions import halting
from decisions.halting import (
    Ask,
    Cancel,
    Drop,
    Effect,
    HaltRecord,
    HaltState,
    Keep,
    ListOpen,
    OrderedBy,
    Step,
)
from messages import lineage
from messages.errors import ActorUnavailable, LedgerUnavailable, VenueFailed
from messages.halting import CancelDone, OpenListed, ResumeTrading
from messages.ids import NS_PER_S, OrderKey
from messages.lifecycle import ActorState, HaltTrading, TimerFired
from messages.order_states import FINAL_STATES, UNSENT_STATES
from messages.orders import LookupDone, OrderReport
from messages.values import OrderState
from persistence.entries import NO_NOTES
from persistence.ledger import Ledger, LedgerEntry

Forgive = Callable[[Callable[[Mapping[str, str]], None]], bool]

PAUSE_NS = NS_PER_S
"""Before a question or a cancel is repeated."""
TRY_AGAIN_NS = 5 * NS_PER_S
"""Before all of a halt that was not proved is tried anew."""

REPEAT = TimerFired(name="repeat what a halt asked for")
TRY_AGAIN = TimerFired(name="try again to prove a halt")


class HaltDesk:
    """`forgive` begins a drawdown anew with what it is given to write, if one stopped anything.

    `on_resumed` is called once trading may go on. `replayed`: the market will be shown again.
    """

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        gateway: Gateway,
        desk: OrderDesk,
        board: OperatorBoard,
        forgive: Forgive,
        on_resumed: Callable[[], None],
        replayed: bool,
    ) -> None:
        self._ctx, self._gateway = ctx, gateway
        self._replayed = replayed
        self._desk, self._board = desk, board
        self._forgive, self._on_resumed = forgive, on_resumed
        self._kept = KeptHalt(ctx, ledger, gateway)
        self._venue = HaltAtVenue(ctx, ledger, gateway, desk)
        self._halt = halting.TRADING
        self._later: list[Effect] = []
        self._will_try = False

    @property
    def halted(self) -> bool:
        """Whether nothing may be sent, for whatever reason."""
        return not self._halt.may_send or bool(self._board.venue_failure)

    # ------------------------------------------------------------ beginning and end

    def recover(self) -> None:
        """Take up the halt that is on disk, or was in this process. Unreadable is halted.

        Raises:
            VenueFailed: as `order` did.
        """
        self._end_with_venue()
        step = self._kept.begin(self._ctx.utc_ns())
        if step[0].record is None and self._board.record is not None:
            step = halting.halt(halting.TRADING, self._board.record)
        self._bar(step[0].record)
        self._take(step)
        self._show()

    def order(self, message: HaltTrading) -> None:
        """Halt: durably at a person's word, for as long as this process lives otherwise.

        Raises:
            VenueFailed: it did, on a recording: no decision may be judged in this process.
        """
        logger.bind(actor=self._ctx.path).critical("trading is halted: {}", message.reason)
        if not message.durable:
            self._board.venue_failure = message.reason
            self._bar(self._halt.record)
            self._show()
            self._end_with_venue()
            return
        by = OrderedBy.PERSON if message.request else OrderedBy.RULE
        record = HaltRecord(reason=message.reason, ordered_by=by, at_ns=self._ctx.utc_ns())
        self._bar(self._halt.record or record)
        step = halting.halt(self._halt, record)
        was_tried = any(type(effect) is Keep for effect in step[1])  # each try may take long
        try:
            self._take(step)
            if not (self._kept.is_there or was_tried):
                self._keep()
                self._show()
        except ActorUnavailable:
            self._ctx.hand_on([message])  # a newer incarnation has taken over
            raise
        self._board.tell(
            message.request, Answer(ok=self._kept.is_there, text=self._board.halt.text)
        )

    def _end_with_venue(self) -> None:
        is_over = self._replayed and self._gateway.shows_again
        if is_over and self._board.venue_failure:
            raise VenueFailed(self._board.venue_failure)

    def resume(self, message: ResumeTrading) -> None:
        """Trade on at a person's word, once the record is gone from the disk."""
        reason = self._halt.record.reason if self._halt.record else ""
        try:
            ok, text = self._resumed(despite_open=message.despite_open)
        except LedgerUnavailable as error:
            ok, text = False, f"the halt is still on disk, and trading stays halted: {error}"
        except ActorUnavailable:
            self._ctx.hand_on([message])
            raise
        if ok and reason:
            logger.bind(actor=self._ctx.path).warning("a person resumed trading: {}", reason)
            text = f"{text} (it was halted: {reason})"
        self._board.tell(message.request, Answer(ok=ok, text=text))

    def _resumed(self, *, despite_open: bool) -> tuple[bool, str]:
        """Resume, or say why not.

        Raises:
            LedgerUnavailable: the record could not be deleted; nothing changed.
            ActorUnavailable: a newer incarnation has taken over; nothing changed.
        """
        by, failed = OrderedBy.PERSON, self._board.venue_failure
        if failed:
            return False, f"the venue failed ({failed}): stop the run and start it again"
        if copied := self._kept.copied():
            return False, lineage.why_not_resume(copied)
        if self._halt.may_send and self._forgive(self._desk.keep):
            return True, "the drawdown begins anew at the present equity"
        why_not = halting.why_not_resume(self._halt, by, despite_open=despite_open)
        if why_not:
            doubt = "" if self._halt.may_send else doubted(self._may_be_open(), self._venue.problem)
            return False, f"{why_not}{doubt}"
        after, _ = halting.resume(self._halt, by, despite_open=despite_open)
        is_forgiven = self._forgive(self._kept.end)
        if not is_forgiven:
            self._kept.end(NO_NOTES)
        self._halt, self._later = after, []
        self._bar(None)
        self._board.halt = TRADING
        self._on_resumed()
        anew = "; the drawdown begins anew at the present equity" if is_forgiven else ""
        return True, f"trading goes on{anew}"

    def _bar(self, record: HaltRecord | None) -> None:
        """Let nothing leave, or everything again: before the disk is asked, and after."""
        self._board.record = record
        reason = record.reason if record else self._board.venue_failure
        self._desk.halt_reason = self._gateway.barred = reason

    # ------------------------------------------------------------ what the venue says

    def saw(self, entry: LedgerEntry) -> None:
        """An order moved: if it is open, or may be, that ends any proof.

        What was refused never reached the venue, which need not be asked for it.
        """
        key = entry.order_key
        if entry.state is OrderState.REFUSED:
            self._take(halting.looked_up(self._halt, key, is_open=False))
        elif entry.state not in FINAL_STATES and entry.state not in UNSENT_STATES:
            self._take(halting.order_seen(self._halt, key))

    def reported(self, reports: Iterable[OrderReport]) -> None:
        """The venue told of orders unasked: one that had ended here and is open there is ours."""
        alive = [one for one in reports if one.state not in FINAL_STATES]
        if alive and not self._halt.may_send:
            ours, _ = self._venue.sort(alive)
            for key in ours:
                self._take(halting.order_seen(self._halt, key))

    def canceled(self, answer: CancelDone) -> None:
        """Take the end of a cancel; what its report says is recorded already."""
        self._venue.heard(answer.problem)
        self._take(halting.cancel_done(self._halt, answer.order_key))

    def looked_up(self, answer: LookupDone) -> None:
        """Take the answer to a question for one order, which the order desk has judged."""
        key = answer.order_key
        if answer.epoch != self._ctx.epoch or key not in self._halt.open:
            return
        is_open = self._venue.is_open(answer)
        self._venue.heard(answer.problem)
        step = halting.looked_up(self._halt, key, is_open=is_open)
        self._take(step, pause=is_open is not False)

    def listed(self, answer: OpenListed) -> None:
        """Take the answer to a question for all that is open."""
        if answer.epoch != self._ctx.epoch:
            return
        ours, foreign = self._venue.sort(answer.reports)
        keys = [*ours, *self._venue.open_here()]
        if answer.problem:
            self._venue.heard(answer.problem)
            fresh = any(key not in self._halt.open for key in keys)
            step = halting.list_failed(self._halt, answer.question, keys)
            self._take(step, pause=not fresh)
            return
        self._venue.foreign, self._venue.problem = foreign, ""
        self._take(halting.listed(self._halt, answer.question, keys))

    # ------------------------------------------------------------ timers

    def repeat(self) -> None:
        """Do what was put off."""
        later, self._later = self._later, []
        for effect in later:
            self._do(effect)

    def try_again(self) -> None:
        """Try anew what was not proved, and to write down what is not on disk."""
        self._will_try = False
        if self._halt.record is not None and not self._kept.is_there:
            self._keep()
        if self._halt.state is HaltState.HALTED_UNPROVED:
            self._take(halting.try_again(self._halt))
        self._show()

    # ------------------------------------------------------------ doing

    def _take(self, step: Step, *, pause: bool = False) -> None:
        """Take the next state, then do what it asks for: at once, or after a pause."""
        before, (self._halt, effects) = self._halt, step
        if self._halt is before and not effects:
            return
        if pause and effects:
            if not self._later:
                self._ctx.after(PAUSE_NS, REPEAT)
            self._later += effects
        else:
            for effect in effects:
                self._do(effect)
        self._show()

    def _do(self, effect: Effect) -> None:
        match effect:
            case Keep():
                self._keep()
            case ListOpen(question) if question == self._halt.question and self._halt.listing:
                self._venue.list_open(question, self._halt.open)
            case Cancel(key) if key in self._halt.open:
                self._cancel(key)
            case Ask(key) if key in self._halt.open:
                self._venue.ask(key)
            case Drop() | ListOpen() | Cancel() | Ask():
                pass  # `resume` drops; the others have been settled meanwhile

    def _keep(self) -> None:
        """Write the record down; a disk that refuses is asked again by the timer."""
        if self._halt.record is not None:
            self._kept.keep(self._halt.record)

    def _cancel(self, key: OrderKey) -> None:
        if not self._venue.cancel(key):  # it is asked for all the same
            self._take(halting.cancel_done(self._halt, key))

    # ------------------------------------------------------------ showing

    def _show(self) -> None:
        """Say in the cell and on the board how far it is."""
        if self._ctx.fenced or not self.halted:
            return
        unproved = self._halt.state is HaltState.HALTED_UNPROVED
        wants = unproved or (self._halt.record is not None and not self._kept.is_there)
        if wants and not self._will_try:
            self._will_try = True
            self._ctx.after(TRY_AGAIN_NS, TRY_AGAIN)
        view, cell = self._view(), self._ctx.cell
        self._board.halt = view
        if (cell.state, cell.problem) != (ActorState.HALTED, view.text):
            self._ctx.show_state(ActorState.HALTED, view.text)

    def _view(self) -> HaltView:
        record, before = self._halt.record, self._board.halt
        if record is None:
            return failed_view(self._board.venue_failure)
        state, proved_at_ns = self._halt.state, None
        if state is HaltState.HALTED_PROVED:
            proved_at_ns = before.proved_at_ns or self._ctx.utc_ns()
        return halt_view(
            self._halt,
            record,
            proved_at_ns=proved_at_ns,
            is_on_disk=self._kept.is_there,
            foreign=self._venue.foreign,
            problem=self._venue.problem,
            may_be_open=self._may_be_open() if state is HaltState.HALTED_UNPROVED else (),
        )

    def _may_be_open(self) -> list[OrderKey]:
        """Give what may be open while a halt is not proved."""
        return sorted(self._halt.open) or self._venue.open_here()
