"""Orders whose outcome is not known, asked for until the venue says what became of them.

One incarnation's, on the executor's thread. The gateway asks off it; an answer comes back as a
message.
"""

from collections.abc import Callable, Sequence

from actors.context import Context
from actors.executions import Executions
from actors.gateway import Gateway, Question
from actors.log import logger
from actors.open_orders import Move, OpenOrders
from actors.order_records import new_order
from decisions.doubled import is_another
from decisions.executor import difference, settle
from decisions.risk import RiskState
from messages.ids import NS_PER_S, OrderKey
from messages.lifecycle import TimerFired
from messages.order_states import FINAL_STATES
from messages.orders import LookupDone
from messages.values import OrderState
from persistence.ledger import LedgerEntry, Step

BY_ASKING = "find"
"""The evidence of what the venue said when it was asked for an order."""

ASK_AGAIN = TimerFired(name="ask the venue again")
ASK_AGAIN_NS = NS_PER_S
"""The pause before a failed question is asked again."""
_AWAY = 30
"""More failed rounds than the proof of an absence takes at most exchanges: nobody is there."""
ASK_AWAY_NS = 5 * NS_PER_S
"""The pause after `_AWAY` such rounds."""


class Asking:
    """`record` makes moves durable, and does what the new states ask for.

    `on_absent` is called where an order that was proved absent still is, `on_difference` with what
    a person must look at. `on_final` is given what is said of an order that is not being asked for,
    as most have ended.
    """

    def __init__(
        self,
        *,
        ctx: Context,
        gateway: Gateway,
        orders: OpenOrders,
        executions: Executions,
        risk: RiskState,
        record: Callable[[Sequence[Move]], None],
        on_absent: Callable[[LedgerEntry], None],
        on_difference: Callable[[str, OrderKey], None],
        on_final: Callable[[LookupDone], None],
    ) -> None:
        self._ctx, self._gateway, self._risk = ctx, gateway, risk
        self._orders, self._executions = orders, executions
        self._record, self._on_absent = record, on_absent
        self._on_difference, self._on_final = on_difference, on_final
        self._will_ask = False
        self._rounds_failed = 0
        """How often in a row the venue was asked and told of no order."""
        self._said = ""
        """What it said then."""

    def ask_all(self) -> None:
        """Ask the venue for every order whose outcome is not known."""
        self._will_ask = False
        self._ask(*self._orders.being_asked_for())

    def ask_for(self, entry: LedgerEntry) -> None:
        """Ask what became of an order: now, and again and again until the venue says it.

        One that is final here is asked for once, and the answer moves nothing.
        """
        if entry.state in FINAL_STATES:
            sent_at_ns, order = entry.updated_at_ns, new_order(entry)
            self._gateway.find(self._ctx.epoch, entry.order_key, order, sent_at_ns=sent_at_ns)
        elif entry.order_key not in self._orders.unsettled:
            self.unknown(entry)

    def unknown(self, entry: LedgerEntry) -> None:
        """Ask for an order whose outcome is not known since now; it blocks new risk meanwhile."""
        self._orders.unsettled[entry.order_key] = entry.client_order_id
        self._risk.unsettled.add(entry.symbol)
        self._ask(entry)

    def _ask(self, *entries: LedgerEntry) -> None:
        """Ask for orders, but not for one for which a question is under way."""
        questions, asked = [], self._orders.asked
        for entry in entries:
            if entry.order_key not in asked:
                asked[entry.order_key] = self._orders.sends[entry.order_key]
                # Of an order in any later state this is later than its send, which only waits
                # longer.
                questions.append(
                    Question(entry.order_key, new_order(entry), sent_at_ns=entry.updated_at_ns)
                )
        self._gateway.find_all(self._ctx.epoch, questions)

    def looked_up(self, answer: LookupDone) -> None:
        """Take the venue's answer; a question that failed is asked again later.

        That there is no such order is proof only if it was asked after the last send: an
        answer from before it, or from before a restart, is void.
        """
        orders, key = self._orders, answer.order_key
        ours = answer.epoch == self._ctx.epoch
        sends_then = orders.asked.pop(key, None) if ours else None
        entry = orders.asked_for(key)
        if entry is None:
            self._executions.looked_up(answer)
            self._told_again(answer)
            self._on_final(answer)
            return
        if answer.problem:
            self._said = answer.problem
            self._ask_later()
            return
        self._rounds_failed, self._said = 0, ""
        if answer.report is None and sends_then != orders.sends[key]:
            if ours:
                self._ask(entry)
            return
        del orders.unsettled[key]
        self._risk.unsettled = orders.unsettled_symbols()
        self._settle(entry, answer)

    def _told_again(self, answer: LookupDone) -> None:
        """Take what is newer of an open order that another answer, an earlier one, has settled.

        One that a process before us asked for may come while our own question is under way; and
        the venue, which has told of the order's end with ours, tells it only once.
        """
        if answer.report is not None:
            moves = self._orders.moves([answer.report], self._ctx.utc_ns())
            if moves:
                self._record(moves)

    def _settle(self, entry: LedgerEntry, answer: LookupDone) -> None:
        steps, report = settle(entry, answer), answer.report
        if report is not None:
            moves = self._orders.moves_of(entry, steps, report, self._ctx.utc_ns())
        else:
            moves = [self._orders.ahead(entry, self._absence(entry, to)) for to in steps]
        self._record(moves)
        if report is not None:
            self._orders.on_another(entry, report)
        if moves or (report is not None and is_another(entry, report)):
            return
        if entry.state is OrderState.NOT_SENT:
            self._on_absent(entry)
        elif problem := difference(entry.order_key, entry, report):
            self._on_difference(problem, entry.order_key)

    def _absence(self, entry: LedgerEntry, to: OrderState) -> Step:
        return Step(
            order_key=entry.order_key,
            to=to,
            at_ns=self._ctx.utc_ns(),
            reason="the venue has no such order",
            evidence=BY_ASKING,
        )

    def unanswered(self) -> str:
        """Say how many orders the venue says nothing of, and why; empty where it was not asked."""
        count = len(self._orders.unsettled)
        if not count or not self._said:
            return ""
        return f"the venue does not say what became of {count} order(s): {self._said}"

    def _ask_later(self) -> None:
        if not self._will_ask:
            self._will_ask = True
            self._rounds_failed += 1
            if self._rounds_failed == _AWAY:
                logger.bind(actor=self._ctx.path).warning("{}", self.unanswered())
            pause_ns = ASK_AWAY_NS if self._rounds_failed > _AWAY else ASK_AGAIN_NS
            self._ctx.after(pause_ns, ASK_AGAIN)
