"""How much of a position can be sold: fees taken in what was bought leave less of it."""

import msgspec

from decisions.exact import EXACT, NOTHING
from decisions.risk_limits import RiskLimits
from decisions.risk_state import RiskState, sellable
from messages.orders import OrderIntent
from messages.values import Side


def fit_exit(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> OrderIntent:
    """Give an exit of no more than what fees have left; any other order as it is.

    A strategy sells what it bought. Where the venue took its fee in the bought currency, that
    is more than there is, and would be rejected, or sell coins that the run did not buy. Only
    at a real spot account, whose executions tell their fees.
    """
    if limits.allow_short or intent.side is not Side.SELL:
        return intent
    grid, fees = state.instruments.get(intent.symbol), NOTHING
    if state.flows is not None:
        fees = max(state.flows.base_fees.get(intent.symbol, NOTHING), NOTHING)
    held = sellable(intent.symbol, state)
    left = EXACT.subtract(held, fees)
    if grid is None or not left < intent.quantity <= held:
        return intent
    fits = EXACT.multiply(EXACT.divide_int(left, grid.quantity_step), grid.quantity_step)
    if fits <= NOTHING:
        return intent
    reason = f"{intent.reason}; of {intent.quantity}, fees have left {fits.normalize():f}"
    return msgspec.structs.replace(intent, quantity=fits, reason=reason)
