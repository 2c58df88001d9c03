"""What an account may do at most, and what is said when it may not.

Each limit is named as in the configuration, with its unit at the end of the name where the
unit is not the quote currency or a plain count.
"""

from decimal import Decimal

import msgspec

from messages.ids import Symbol, quote_of

Notional = Decimal | dict[str, Decimal]
"""One amount for every quote currency, or an amount for each of them."""


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account may do; None (or no entry) is no limit. Money is in quote currency.

    An order *adds risk* with the part of its quantity that does not bring |exposure| down;
    an order without such a part is an *exit*. Of the limits below an exit meets the collar,
    when it is a limit order, and the position that it could turn into if the orders against
    it never fill. No other limit holds it back, though it is counted where that is said.

    Raises:
        ValueError: a limit is negative or no number: it would hold nothing back.
    """

    max_order_notional: Notional | None = None
    """Of the part that adds risk, at the limit price, else the higher of reference and mark."""
    max_position_notional: Notional | None = None
    """Per symbol, long or short, with every open order that would enlarge it counted as filled
    and, where open orders are known, every order against it counted as never filled."""
    max_open_orders: int | None = None
    """Over all symbols. Open exits are counted."""
    max_open_orders_per_symbol: int | None = None
    """Open exits are counted."""
    max_orders_per_minute: int | None = None
    """Per symbol, in any 60 s of the market's clock. Exits are counted."""
    price_collar_bps: Decimal | None = None
    """How far a limit price (else the price decided at) may be from the last mark, either way."""
    max_daily_loss: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """By quote currency: realized and unrealized, below the equity at 00:00 UTC."""
    max_drawdown: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """By quote currency: below the highest equity since the beginning, or since a resume."""
    max_market_age_ms: int | None = None
    """Of the symbol's newest market event, on the clock that the executor is given."""
    cooldown_ms: int = 0
    """Between two decisions that add risk on one symbol, on the market's clock."""
    allow_short: bool = True
    """False at a real spot venue: what was not bought here is somebody's, and is not sold."""

    def __post_init__(self) -> None:
        """Refuse a limit that is no number, or below 0."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            for number in value.values() if isinstance(value, dict) else (value,):
                if number is not None and not (Decimal(number).is_finite() and number >= 0):
                    raise ValueError(f"{name}: {number} is no limit")


def limit_of(limit: Notional | None, symbol: Symbol) -> Decimal | None:
    """Give what a limit comes to in the quote currency of a symbol."""
    return limit.get(quote_of(symbol)) if isinstance(limit, dict) else limit


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order was not claimed."""

    code: str
    """One word for machines: the limit's own name where it is a limit."""
    text: str
    """One sentence for people, with the numbers."""
