"""Executions that are owed: of orders that ended with more filled than is known of.

A stream tells of an order first and of its trades after it, a REST answer often of the order
alone. Until they are known, fees and profit are not. So they are asked for, over restarts too.
"""

from collections.abc import Callable, Sequence

from actors.context import Context
from actors.gateway import Gateway
from actors.open_orders import LACKING_MAX, Move, OpenOrders
from actors.order_records import new_order
from messages.ids import NS_PER_S
from messages.lifecycle import TimerFired
from messages.orders import LookupDone
from persistence.ledger import Ledger

ASK_FILLS = TimerFired(name="ask for executions")
PAUSE_NS = 30 * NS_PER_S
"""How long a stream may take; each round of asking doubles it, up to an hour."""
DOUBLINGS = 7
MOST_ASKED = 50
"""Orders that one round asks for."""


class Executions:
    """One incarnation's; `record` makes moves durable. On the executor's thread."""

    def __init__(
        self,
        ctx: Context,
        gateway: Gateway,
        orders: OpenOrders,
        record: Callable[[Sequence[Move]], None],
    ) -> None:
        self._ctx, self._gateway, self._orders, self._record = ctx, gateway, orders, record
        self._rounds = 0
        self._will_ask = False

    def recover(self, ledger: Ledger) -> None:
        """Take up what an earlier process was still owed, and ask for it."""
        for entry in ledger.lacking(LACKING_MAX):
            self._orders.take_lacking(entry, ledger.fills_of(entry.order_key))
        self.ask()

    def ask(self) -> None:
        """Ask for what is owed; where that is too much for one round, of the newest orders."""
        self._will_ask = False
        owing = self._orders.lacking()[-MOST_ASKED:]
        for entry in owing:
            order, sent_at_ns = new_order(entry), entry.updated_at_ns
            self._gateway.find(self._ctx.epoch, entry.order_key, order, sent_at_ns=sent_at_ns)
        if owing:
            self._ask_later()
        self._rounds = min(self._rounds + 1, DOUBLINGS)

    def owed(self) -> None:
        """Learn that an order has just ended so: wait first, since mostly the stream tells it."""
        self._rounds = 0
        self._ask_later()

    def looked_up(self, answer: LookupDone) -> None:
        """Take the answer; an order that nothing is owed of is not changed by it."""
        entry = self._orders.lacks_executions(answer.order_key)
        if entry is not None and answer.report is not None:
            moves = self._orders.moves_of(entry, (), answer.report, self._ctx.utc_ns())
            self._record(moves)

    def _ask_later(self) -> None:
        if not self._will_ask:
            self._will_ask = True
            self._ctx.after(PAUSE_NS << self._rounds, ASK_FILLS)
