"""Orders that a strategy ends or replaces, in a backtest.

A concern keeps its name: `actors.cancel_desk` is the executor's, by the same verdicts.
"""

from decisions.executor import Claim, EndFirst, Refuse, judge_intents
from decisions.risk import RiskState
from decisions.risk_limits import RiskLimits
from exchanges.paper_plain import PlainVenue, Worked
from messages.ids import OrderKey, TimestampNs
from messages.order_states import FINAL_STATES
from messages.orders import CancelIntent, Intent, OrderIntent
from research.backtest.order import Order, first_of, for_venue


class CancelDesk:
    """Ends orders at the venue, and judges what is to take their place."""

    def __init__(self, venue: PlainVenue, limits: RiskLimits, risk: RiskState) -> None:
        self._venue, self._limits, self._risk = venue, limits, risk
        self._sent: dict[OrderKey, Order] = {}
        self.wanted: list[Intent] = []
        """What is to be ended, or replaced, and by what."""

    def sent(self, order: Order) -> None:
        """Know an order that may be ended or replaced."""
        self._sent[order.intent.order_key] = order

    def ended(self, now_ns: TimestampNs) -> list[tuple[Intent, Order | None, Worked | None]]:
        """End all that is wanted; give of each its order, and what the venue made of that."""
        changes = self.wanted.copy()
        self.wanted.clear()
        ended = []
        for intent in changes:
            key = intent.cancels if isinstance(intent, CancelIntent) else intent.replaces
            order = None if key is None else self._sent.get(key)
            worked = None
            if order is not None and order.state not in FINAL_STATES:
                worked = self._venue.cancel(for_venue(order, None), now_ns)
            ended.append((intent, order, worked))
        return ended

    def judged(self, intent: OrderIntent) -> Claim | Refuse | None:
        """Judge a replacement as the executor does; None: the first order is to be ended first.

        It would be allowed without that, and is wanted then.
        """
        first = None if intent.replaces is None else self._sent.get(intent.replaces)
        replaced = {} if first is None else {first.intent.order_key: first_of(first)}
        limits, risk = self._limits, self._risk
        (verdict,) = judge_intents([intent], {}, _no_name, limits, risk, {}, replaced=replaced)
        if isinstance(verdict, EndFirst):
            self.wanted.append(intent)
            return None
        assert isinstance(verdict, Claim | Refuse), "its key is new"
        return verdict


def _no_name(intent: OrderIntent) -> str:  # noqa: ARG001 - nothing is decided twice here
    return ""
