"""A stop at a person's word: it ends, durably, and no order comes of it."""

from datetime import UTC, datetime

from actors.context import Context
from actors.log import logger
from actors.operator_board import Answer, OperatorBoard
from actors.order_desk import OrderDesk
from decisions.stop_ending import ended_by_hand, why_not_end
from messages.halting import EndStop
from messages.ids import NS_PER_S, TimestampNs
from messages.stops import Stop, StopState
from persistence.entries import NO_NOTES
from persistence.ledger import Ledger


class StopsByHand:
    """One incarnation's, used on its thread."""

    def __init__(
        self, *, ctx: Context, ledger: Ledger, desk: OrderDesk, board: OperatorBoard
    ) -> None:
        self._ctx, self._ledger, self._desk, self._board = ctx, ledger, desk, board

    def end(self, message: EndStop) -> None:
        """End it, unless an order of it is open: what that comes to is not known.

        Raises:
            LedgerError: it could not be written down; the stop goes on with the next incarnation.
        """
        stop = self._desk.stops.stops.get(message.order_key)
        if stop is None:
            self._board.tell(message.request, no_such(self._ledger, message))
            return
        ended = end_in(self._ledger, stop, message, self._ctx.utc_ns())
        if isinstance(ended, Stop):
            self._desk.stops.end(ended)
            self._desk.keep(NO_NOTES)
            log = logger.bind(actor=self._ctx.path, order_key=stop.entry_key)
            log.warning("a stop of {} on {}: {}", stop.strategy_id, stop.symbol, ended.why)
            ended = told(ended)
        self._board.tell(message.request, ended)


def end_in(ledger: Ledger, stop: Stop, message: EndStop, now_ns: TimestampNs) -> Stop | Answer:
    """Give a stop as it ends at a person's word, to be written; or why it cannot."""
    orders = ledger.lookup([stop.entry_key, *stop.exits])
    if why_not := why_not_end(stop, orders):
        return Answer(ok=False, text=why_not, state=str(stop.state))
    at = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return ended_by_hand(stop, orders, by=message.by, at=at, reason=message.reason)


def told(stop: Stop) -> Answer:
    """Give what a person is told of a stop that has ended so."""
    return Answer(ok=True, text=f"the stop is done: {stop.why}", state=str(stop.state))


def no_such(ledger: Ledger, message: EndStop) -> Answer:
    """Give what a person is told of a stop that is not kept."""
    key = message.order_key
    known = [stop for stop in ledger.stops(done_too=True) if stop.entry_key == key]
    if not known:
        return Answer(ok=False, text=f"no stop was declared with {key}")
    done = known[0].state is StopState.DONE
    return Answer(ok=done, text=f"it had ended already: {known[0].why}", state=str(known[0].state))
