"""Why the engine refuses a request; each venue has its own code and words for it."""

from enum import Enum


class Reason(Enum):
    """The closed set of refusals."""

    BAD_SYMBOL = "the symbol is not traded here"
    MARKET_CLOSED = "the symbol does not trade now"
    DUPLICATE_ID = "an open order has this client id"
    BAD_CLIENT_ID = "the client id has other characters, or more, than are allowed"
    INSUFFICIENT_BALANCE = "the account has less than the order needs"
    WOULD_TAKE = "a post-only order would have traded at once"
    UNKNOWN_ORDER = "there is no such order"
    NOT_OPEN = "the order to cancel is not open"
    TOO_PRECISE = "a number has more digits than the asset"
    PRICE_FILTER = "the price is out of range or off the tick"
    PERCENT_PRICE = "the price is too far from the market"
    LOT_SIZE = "the quantity is out of range or off the step"
    NOTIONAL = "price times quantity is out of range"
    MAX_NUM_ORDERS = "too many orders are open in this symbol"


class Refused(Exception):
    """The engine did nothing. `parameter` names the number that was too precise."""

    def __init__(self, reason: Reason, parameter: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.parameter = parameter
