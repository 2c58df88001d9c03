"""Lets an order through in one step where it is plain that nothing speaks against it.

A backtest judges thousands of orders a second, and nearly all of them are market orders that
enter from flat, or leave, far from every limit. What is near one, or asks for a limit that looks
at more than that, is judged by `refusal`; a test holds that nothing passes here that would not
pass there as it is, and that both count alike.
"""

from decimal import Decimal

from decisions.risk_limits import RiskLimits
from decisions.risk_state import RiskState, count_decided
from messages.exact import EXACT, NOTHING, is_sane
from messages.orders import OrderIntent
from messages.values import BUY, OrderType

_MARKET = OrderType.MARKET
_add, _multiply = EXACT.add, EXACT.multiply


class PlainGate:
    """`fit_exit`, `refusal` without a mark, and `accept`, of what surely passes.

    One for the life of a state that nobody rebuilds. Where `is_of_use` is False it lets nothing
    through.
    """

    def __init__(self, limits: RiskLimits, state: RiskState) -> None:
        self._limits, self._state = limits, state
        looks_further = (
            limits.max_daily_loss
            or limits.max_drawdown
            or limits.cooldown_ms
            or limits.max_market_age_ms is not None
            or limits.max_open_orders is not None
            or limits.max_open_orders_per_symbol is not None
        )
        # What is limited by currency goes the long way: here a limit is one amount.
        order, position = limits.max_order_notional, limits.max_position_notional
        by_currency = isinstance(order, dict) or isinstance(position, dict)
        self._order = None if isinstance(order, dict) else order
        self._position = None if isinstance(position, dict) else position
        knows_more = by_currency or state.open_orders is not None or state.instruments
        self.is_of_use = limits.allow_short and not looks_further and not knows_more

    def lets_through(self, intent: OrderIntent) -> bool:
        """Count an order that surely passes as it is; else False, and nothing is changed."""
        quantity, symbol, price = intent.quantity, intent.symbol, intent.reference_price
        if (
            not self.is_of_use
            or intent.order_type is not _MARKET
            or intent.limit_price is not None
            or not is_sane(quantity)
            or not is_sane(price)
        ):
            return False
        state, place, at_ns = self._state, (intent.strategy_id, symbol), intent.decided_at_ns
        exposure = state.exposure.get(symbol, NOTHING)
        held = state.held_by.get(place, NOTHING)
        if intent.side is BUY:
            enters, leavable, change = exposure >= 0, held.copy_negate(), quantity
        else:
            enters, leavable, change = exposure <= 0, held, quantity.copy_negate()
        if intent.leaves and intent.leaves > leavable:
            return False
        recent = state.decided.get(symbol)
        if enters:
            if not self._may_enter(quantity, price, exposure, 0 if recent is None else len(recent)):
                return False
            latest = state.risk_added_at.get(symbol, at_ns)
            state.risk_added_at[symbol] = at_ns if at_ns >= latest else latest
        elif quantity > exposure.copy_abs():  # a part of it enters, the other way
            return False
        state.exposure[symbol] = _add(exposure, change)
        state.held_by[place] = _add(held, change)
        count_decided(symbol, at_ns, state)
        return True

    def _may_enter(self, quantity: Decimal, price: Decimal, exposure: Decimal, recent: int) -> bool:
        limits = self._limits
        most = self._order
        if most is not None and _multiply(quantity, price) > most:
            return False
        most = self._position
        if most is not None:
            after = _add(exposure.copy_abs(), quantity)
            if _multiply(after, price) > most:
                return False
        per_minute = limits.max_orders_per_minute
        return (per_minute is None or recent < per_minute) and not self._state.unsettled
