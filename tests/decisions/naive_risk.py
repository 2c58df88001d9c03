"""The gate's answers computed from all that happened.

`Naive` keeps every order and every price for ever, and computes each answer from all of it,
in fractions, without looking at the state under test.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import msgspec

from decisions.risk import RiskLimits
from decisions.risk_limits import limit_of
from messages.ids import Symbol
from messages.orders import Fill, OrderIntent
from messages.values import Side
from tests.decisions.risk_orders import BTC, ETH, at

SYMBOLS = (BTC, ETH)
DAY = 86_400


class Order(msgspec.Struct):
    """One accepted order, as the naive computation keeps it."""

    intent: OrderIntent
    added: bool
    fills: list[Fill] = msgspec.field(default_factory=list)
    ended: bool = False
    unknown: bool = False

    @property
    def filled(self) -> Fraction:
        return sum((Fraction(f.quantity) for f in self.fills), Fraction(0))

    @property
    def signed_filled(self) -> Fraction:
        return self.intent.side.sign * self.filled

    @property
    def unfilled(self) -> Fraction:
        return Fraction(0) if self.is_done else Fraction(self.intent.quantity) - self.filled

    @property
    def is_done(self) -> bool:
        return self.ended or self.filled == Fraction(self.intent.quantity)


class Naive:
    """All that happened, and the rules read literally."""

    def __init__(self, limits: RiskLimits) -> None:
        self.limits = limits
        self.orders: list[Order] = []
        self.marks: dict[Symbol, tuple[int, Decimal]] = {}
        self.prices: dict[Symbol, tuple[int, Decimal]] = {}
        self.worths: list[tuple[int, Fraction]] = [(0, Fraction(0))]

    def on(self, symbol: Symbol) -> list[Order]:
        return [order for order in self.orders if order.intent.symbol == symbol]

    def position(self, symbol: Symbol) -> Fraction:
        return sum((order.signed_filled for order in self.on(symbol)), Fraction(0))

    def waiting(self, symbol: Symbol, side: Side) -> Fraction:
        return sum((o.unfilled for o in self.on(symbol) if o.intent.side is side), Fraction(0))

    def exposure(self, symbol: Symbol) -> Fraction:
        waiting = self.waiting(symbol, Side.BUY) - self.waiting(symbol, Side.SELL)
        return self.position(symbol) + waiting

    def most(self, symbol: Symbol) -> tuple[Fraction, Fraction]:
        """The longest and the shortest position that the open orders could make."""
        held = self.position(symbol)
        return held + self.waiting(symbol, Side.BUY), self.waiting(symbol, Side.SELL) - held

    def added(self, order: OrderIntent) -> Fraction:
        before = self.exposure(order.symbol)
        after = before + order.side.sign * Fraction(order.quantity)
        if before * after >= 0:
            return max(abs(after) - abs(before), Fraction(0))
        return abs(after)

    def worth(self) -> Fraction:
        total = Fraction(0)
        for symbol in SYMBOLS:
            fills = [(o.intent.side.sign, f) for o in self.on(symbol) for f in o.fills]
            price = self.priced(symbol)
            for sign, f in fills:
                total += sign * Fraction(f.quantity) * (price - Fraction(f.price)) - Fraction(f.fee)
        return total

    def priced(self, symbol: Symbol) -> Fraction:
        return Fraction(self.prices[symbol][1]) if symbol in self.prices else Fraction(100)

    def saw_price(self, symbol: Symbol, second: int, price: Decimal, *, is_mark: bool) -> None:
        """A mark is a price, and an execution that is newer than any."""
        known = self.prices.get(symbol)
        if is_mark or known is None or second > known[0]:
            self.prices[symbol] = (second, price)

    def note_worth(self, second: int) -> None:
        self.worths.append((second, self.worth()))

    def reasons(self, order: OrderIntent, now: int) -> set[str]:
        """Everything that speaks against an order."""
        return set(self._against(order, now))

    def _against(self, order: OrderIntent, now: int) -> Iterator[str]:
        limits, symbol, sign = self.limits, order.symbol, order.side.sign
        added = self.added(order)
        mark = Fraction(self.marks[symbol][1]) if symbol in self.marks else None
        last = mark or Fraction(order.reference_price)
        price = Fraction(order.limit_price or order.reference_price)
        collared = order.limit_price is not None or added > 0
        if collared and abs(price / last - 1) * 10_000 > Fraction(limits.price_collar_bps or 0):
            yield "price_collar_bps"
        end = sign * self.position(symbol) + self.waiting(symbol, order.side)
        end += Fraction(order.quantity)
        too_large = end * (mark or price) > Fraction(
            limit_of(limits.max_position_notional, symbol) or 0
        )
        if too_large and (added > 0 or sign * self.position(symbol) > 0):
            yield "max_position_notional"
        if added > 0:
            yield from self._against_new_risk(order, now, added, max(price, mark or price))

    def _against_new_risk(
        self, order: OrderIntent, now: int, added: Fraction, price: Fraction
    ) -> Iterator[str]:
        limits, symbol = self.limits, order.symbol
        price = Fraction(order.limit_price) if order.limit_price else price
        if added * price > Fraction(limit_of(limits.max_order_notional, symbol) or 0):
            yield "max_order_notional"
        if any(o.unknown and not o.is_done for o in self.on(symbol)):
            yield "unknown_outcome"
        if self.drawdown() >= limits.max_drawdown["USDT"]:
            yield "max_drawdown"
        if self.lost_today(now) >= limits.max_daily_loss["USDT"]:
            yield "max_daily_loss"
        if symbol not in self.marks or now - self.marks[symbol][0] > 100:
            yield "max_market_age_ms"
        open_orders = [o for o in self.orders if not o.is_done]
        if len(open_orders) >= (limits.max_open_orders or 0):
            yield "max_open_orders"
        here = [o for o in open_orders if o.intent.symbol == symbol]
        if len(here) >= (limits.max_open_orders_per_symbol or 0):
            yield "max_open_orders_per_symbol"
        moments = [o.intent.decided_at_ns for o in self.on(symbol)]
        recent = [moment for moment in moments if moment > at(now - 60)]
        if len(recent) >= (limits.max_orders_per_minute or 0):
            yield "max_orders_per_minute"
        adding = [o.intent.decided_at_ns for o in self.on(symbol) if o.added]
        if any(moment > at(now - 1) for moment in adding):
            yield "cooldown_ms"

    def drawdown(self) -> Fraction:
        worths = [worth for _, worth in self.worths]
        return max(max(worths[: end + 1]) - worths[end] for end in range(len(worths)))

    def lost_today(self, now: int) -> Fraction:
        before = [worth for second, worth in self.worths if second // DAY < now // DAY]
        today = [worth for second, worth in self.worths if second // DAY == now // DAY]
        opening = before[-1] if before else Fraction(0)
        return max([opening - worth for worth in today], default=Fraction(0))
