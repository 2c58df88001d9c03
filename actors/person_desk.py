"""One order at a person's word: canceled and proved, or settled on the person's own evidence.

Both ask the venue in the end, and only then answer. One desk belongs to one incarnation of the
executor and is used on its thread; whoever waits for an answer from a dead one asks again.
"""

from decimal import Decimal

from actors.context import Context
from actors.gateway import Gateway
from actors.log import logger
from actors.open_orders import Move
from actors.operator_board import Answer, OperatorBoard
from actors.order_desk import OrderDesk
from actors.order_records import new_order
from decisions.order_wishes import BY_A_PERSON
from decisions.resolving import Resolution, resolve, why_not_resolve
from exchanges.protocol import NEVER_PROOF, NOT_SEEN
from messages.halting import CancelDone, CancelOrder, ResolveOrder
from messages.ids import OrderKey, TradeId, quote_of
from messages.order_states import FINAL_STATES, UNSENT_STATES
from messages.orders import Fill, LookupDone
from messages.values import Liquidity
from persistence.ledger import Ledger, LedgerEntry, Step

ASKS_MAX = 5
"""How often the venue is asked before a person is told that there is no proof yet."""

_GONE = (
    "the venue has no such order any more, which does not say how it ended: look at the exchange,"
    " then `watchkeeper orders resolve`"
)

Request = CancelOrder | ResolveOrder


class PersonDesk:
    """See the module."""

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        gateway: Gateway,
        desk: OrderDesk,
        board: OperatorBoard,
    ) -> None:
        self._ctx, self._ledger, self._gateway = ctx, ledger, gateway
        self._desk, self._board = desk, board
        self._waiting: dict[OrderKey, Request] = {}
        self._asks: dict[OrderKey, int] = {}
        self._problems: dict[OrderKey, str] = {}
        """What the venue said of a cancel that it did not do."""
        self._under_way: set[OrderKey] = set()
        """Cancels that are not answered yet."""
        self._too_early: set[OrderKey] = set()
        """Orders for which a question was under way when their cancel was answered."""

    # ------------------------------------------------------------ what is wanted

    def cancel(self, message: CancelOrder) -> None:
        """Cancel one order, whatever else goes on; it is not sent again either."""
        entry = self._entry(message)
        if entry is None:
            return
        if entry.state in FINAL_STATES:
            self._tell(message, entry, ok=True, text=f"it had ended already: {_end(entry)}")
            return
        self._desk.never_again(entry, BY_A_PERSON)
        self._wait_for(message)
        if entry.state in UNSENT_STATES:
            self._desk.asking.ask_for(entry)
        else:
            self._under_way.add(entry.order_key)
            self._gateway.cancel(self._ctx.epoch, entry.order_key, new_order(entry))

    def resolve(self, message: ResolveOrder) -> None:
        """Ask the venue first: only what it does not settle is settled by a person."""
        entry = self._entry(message)
        if entry is None:
            return
        if why_not := self._why_not(entry, message):
            self._tell(message, entry, ok=False, text=why_not)
            return
        self._desk.unwanted[entry.order_key] = "a person settles it"
        self._wait_for(message)
        self._desk.asking.ask_for(entry)

    def _why_not(self, entry: LedgerEntry, message: ResolveOrder) -> str:
        to, now_ns = message.to, self._ctx.utc_ns()
        return why_not_resolve(entry, to, message.filled_quantity, message.price, now_ns)

    def _wait_for(self, message: Request) -> None:
        before = self._waiting.get(message.order_key)
        if before is not None:
            self._board.tell(before.request, Answer(ok=False, text="another request replaced it"))
        self._waiting[message.order_key], self._asks[message.order_key] = message, 0

    # ------------------------------------------------------------ what the venue says

    def canceled(self, answer: CancelDone) -> None:
        """Take the end of a cancel: whatever it says, the order is asked for."""
        if answer.epoch != self._ctx.epoch:
            return  # our own, if any, is under way still
        key = answer.order_key
        self._under_way.discard(key)
        if isinstance(self._waiting.get(key), CancelOrder):
            self._problems[key] = answer.problem
            if key in self._desk.orders.asked:
                self._too_early.add(key)
            self._desk.asking.ask_for(self._ledger.lookup([key])[key])

    def looked_up(self, answer: LookupDone) -> None:
        """Take the venue's answer, which the order desk has recorded."""
        message = self._waiting.get(answer.order_key)
        if message is None or answer.epoch != self._ctx.epoch:
            return
        entry = self._ledger.lookup([answer.order_key])[answer.order_key]
        if isinstance(message, CancelOrder):
            self._prove(message, entry, answer)
        else:
            self._settle(message, entry, answer)

    def _prove(self, message: CancelOrder, entry: LedgerEntry, answer: LookupDone) -> None:
        shown = answer.report
        if entry.state in FINAL_STATES:
            text = _end(entry)
            if answer.problem:
                text += f"; asked once more it said nothing ({answer.problem})"
            self._answer(message, entry, ok=True, text=text)
        elif not answer.problem and entry.order_key in self._under_way:
            return  # the cancel's own answer is on its way, and newer than what was seen
        elif shown is not None and entry.order_key in self._too_early:
            self._too_early.discard(entry.order_key)
            self._desk.asking.ask_for(entry)
        elif shown is not None:
            said = self._problems.get(message.order_key)
            why = shown.reason or said or "the venue did not say why"
            text = f"it is still open at the venue ({shown.state}): {why}"
            self._answer(message, entry, ok=False, text=text)
        elif not answer.problem and entry.order_key not in self._desk.orders.unsettled:
            self._answer(message, entry, ok=False, text=_GONE)  # and nobody asks again
        elif self._asked_often(answer):
            text = f"nothing is proved, and it goes on being asked for: {answer.problem}"
            self._answer(message, entry, ok=False, text=text)

    def _asked_often(self, answer: LookupDone) -> bool:
        self._asks[answer.order_key] += 1
        return self._asks[answer.order_key] >= ASKS_MAX

    def _settle(self, message: ResolveOrder, entry: LedgerEntry, answer: LookupDone) -> None:
        if entry.state in FINAL_STATES:
            text = f"the venue settled it, so nothing was resolved: {_end(entry)}"
            self._answer(message, entry, ok=entry.state is message.to, text=text)
        elif answer.report is not None and answer.report.state not in FINAL_STATES:
            text = f"the venue shows it open ({answer.report.state}): cancel it instead"
            self._answer(message, entry, ok=False, text=text)
        elif why_not := self._unresolvable(message, entry, answer):
            self._answer(message, entry, ok=False, text=why_not)
        else:
            self._write(message, entry)

    def _unresolvable(self, message: ResolveOrder, entry: LedgerEntry, answer: LookupDone) -> str:
        unproved = _unproved(answer.problem, unasked=message.unasked)
        return unproved or self._why_not(entry, message)

    def _write(self, message: ResolveOrder, entry: LedgerEntry) -> None:
        end = resolve(entry, message.to, message.filled_quantity, message.price)
        log = logger.bind(actor=self._ctx.path)
        log.warning("a person resolves {} as {}: {}", entry.order_key, message.to, message.evidence)
        self._desk.commit(self._moves(message, entry, end), ())
        after = self._ledger.lookup([entry.order_key])[entry.order_key]
        self._answer(message, after, ok=True, text=f"resolved: {_end(after)}")

    def _moves(self, message: ResolveOrder, entry: LedgerEntry, end: Resolution) -> list[Move]:
        moves: list[Move] = []
        for place, to in enumerate(end.steps, 1):
            is_last = place == len(end.steps)
            step = Step(
                order_key=entry.order_key,
                to=to,
                at_ns=self._ctx.utc_ns(),
                reason="resolved by a person",
                evidence=f"person: {message.evidence}",
                filled_quantity=end.filled_quantity if is_last else None,
                average_price=end.average_price if is_last else None,
                fills=self._fills(message, entry, end) if is_last else (),
            )
            moves.append(self._desk.orders.ahead(entry, step))
            entry = moves[-1].after
        return moves

    def _fills(
        self, message: ResolveOrder, entry: LedgerEntry, end: Resolution
    ) -> tuple[Fill, ...]:
        """Make one execution of what the ledger did not know, so that sums and profit hold."""
        if not end.more or message.price is None:
            return ()
        return (
            Fill(
                trade_id=TradeId(f"person-{entry.client_order_id}"),
                price=message.price,
                quantity=end.more,
                fee=Decimal(0),
                fee_currency=quote_of(entry.symbol),
                liquidity=Liquidity.TAKER,
                ts_event_ns=self._ctx.utc_ns(),
            ),
        )

    # ------------------------------------------------------------ answering

    def _entry(self, message: Request) -> LedgerEntry | None:
        entry = self._ledger.lookup([message.order_key]).get(message.order_key)
        if entry is None:
            text = f"the ledger has no order {message.order_key}"
            self._board.tell(message.request, Answer(ok=False, text=text))
        return entry

    def _answer(self, message: Request, entry: LedgerEntry, *, ok: bool, text: str) -> None:
        del self._waiting[message.order_key], self._asks[message.order_key]
        self._problems.pop(message.order_key, None)
        self._too_early.discard(message.order_key)
        if isinstance(message, ResolveOrder) and entry.state not in FINAL_STATES:
            self._desk.recall_unwanted(message.order_key)
        self._tell(message, entry, ok=ok, text=text)

    def _tell(self, message: Request, entry: LedgerEntry, *, ok: bool, text: str) -> None:
        self._board.tell(message.request, Answer(ok=ok, text=text, state=str(entry.state)))


def _unproved(problem: str, *, unasked: bool) -> str:
    """Say why a failed question is not a person's to make good; empty when it is."""
    if not problem or NEVER_PROOF in problem:
        return ""
    if NOT_SEEN in problem:
        return f"the venue will prove it itself ({problem}): wait for it"
    return "" if unasked else f"the venue could not be asked ({problem}): try again, or --unasked"


def _end(entry: LedgerEntry) -> str:
    return f"{entry.state}, {entry.filled_quantity} of {entry.quantity} filled"
