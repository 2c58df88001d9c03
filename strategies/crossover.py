"""What all crossovers share: their two periods, and what a crossing makes them do."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Protocol

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.values import BUY, SELL, Instrument, Side
from strategies.protocol import Decision, Strategy, market_order
from strategies.sizing import quantity_for_notional


class Mean(Protocol):
    """What a crossover is of."""

    @property
    def missing(self) -> int:
        """So many more values it must see before it has one."""
        ...

    def update(self, value: float, /) -> float:
        """Take the next value and give the mean; nan until there is one."""
        ...


class CrossParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The periods of the two means, in candles."""

    fast: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    slow: Annotated[int, msgspec.Meta(ge=2, le=10_000)]

    def __post_init__(self) -> None:
        """Refuse periods that cannot cross, with all that is wrong in one text."""
        problems = []
        if self.fast < 1:
            problems.append(f"fast must be at least 1, not {self.fast}")
        if self.slow <= self.fast:
            problems.append(f"slow must be greater than fast ({self.fast}), not {self.slow}")
        if problems:
            raise ValueError("; ".join(problems))


class Crossover(Strategy):
    """Buys `order_notional` when fast comes above slow with no position, then sells all below.

    Means that are level are neither above nor below: leaving level upward is a crossing to
    above, whichever side it was reached from. Never short, never more than one buy at a time.

    A position below is sold though no crossing is seen: it crossed while nobody ran. One that was
    never away holds nothing below, so that the crossing alone decides (`pass_closes` relies on it).
    """

    Params = CrossParams
    mean_name = "mean"

    def __init__(
        self, params: CrossParams, symbol: Symbol, order_notional: Decimal, instrument: Instrument
    ) -> None:
        self.params = params
        self.symbol = symbol
        self._order_notional = order_notional
        self._instrument = instrument
        self._relation: int | None = None
        exponent = int(instrument.price_tick.normalize().as_tuple().exponent)
        price, name = f"%.{max(0, -exponent)}f", self.mean_name.replace("%", "%%")
        self._reasons = {
            side: f"{name}{params.fast} {price} crossed {way} {name}{params.slow} {price}"
            for side, way in ((BUY, "above"), (SELL, "below"))
        }

    def on_close(self, close: Decimal, position: Decimal) -> Sequence[Decision]:
        """Decide on a candle, of which nothing but the close counts."""
        raise NotImplementedError

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        """Take a close; most of them only move the means."""
        return self.on_close(candle.close, position)

    def warm_up(self, fast: Mean, slow: Mean, closes: Sequence[float], start: int) -> int:
        """Take closes until the next one gives the slow mean its first value; give its place."""
        warming = closes[start : start + slow.missing - 1]
        for close in warming:
            fast.update(close)
            slow.update(close)
        return start + len(warming)

    def cross(
        self, now: int, close: Decimal, position: Decimal, fast: float, slow: float
    ) -> Sequence[Decision]:
        """Decide on a relation that changed (1 above, 0 level, -1 below), and keep it."""
        before, self._relation = self._relation, now
        if before is None:
            return ()
        if now > 0 and position == 0:
            quantity = quantity_for_notional(self._order_notional, close, self._instrument)
            return self._order(BUY, quantity, fast, slow)
        if now < 0 and position > 0:
            return self._order(SELL, position, fast, slow)
        return ()

    def _order(self, side: Side, quantity: Decimal, fast: float, slow: float) -> Sequence[Decision]:
        if not quantity:
            return ()
        return (market_order(side, quantity, self._reasons[side] % (fast, slow)),)
