"""What long-or-flat strategies share: a signal from the candles alone, a buy, a sale of all."""

from collections.abc import Sequence
from decimal import Decimal

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument, Side
from strategies.protocol import Decision, Strategy, market_order
from strategies.sizing import quantity_for_notional

ENTER, STAY, LEAVE = 1, 0, -1
_LEVEL = 1e-12


class LongFlat(Strategy):
    """Buys on ENTER with no position, sells all of it on LEAVE. Never short, one buy at a time.

    `signal` is a function of the last `warmup_events` candles and of nothing else, above all
    not of the position or of the price paid: one that is built anew after a crash knows
    neither what it thought nor what it paid, and must decide as the old one would have.
    """

    def __init__(self, symbol: Symbol, order_notional: Decimal, instrument: Instrument) -> None:
        self.symbol = symbol
        self._order_notional = order_notional
        self._instrument = instrument
        tick = instrument.price_tick.normalize().as_tuple().exponent
        self._digits = max(0, -int(tick))

    def signal(self, candle: Candle) -> int:
        """Take the next candle and give ENTER, STAY or LEAVE. Once per candle."""
        raise NotImplementedError

    def why(self) -> str:
        """Say what the last signal was given for, with its numbers."""
        raise NotImplementedError

    def quantity(self, close: Decimal) -> Decimal:
        """Give how much to buy, base currency: what `order_notional` buys."""
        return quantity_for_notional(self._order_notional, close, self._instrument)

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        """Trade when the signal asks for what is not so yet."""
        signal = self.signal(candle)
        if signal == ENTER and position == 0:
            quantity = self.quantity(candle.close)
            return (market_order(Side.BUY, quantity, self.why()),) if quantity else ()
        if signal == LEAVE and position > 0:
            return (market_order(Side.SELL, position, self.why()),)
        return ()

    def price_text(self, price: float) -> str:
        """Give a computed price with the market's digits."""
        return f"{price:.{self._digits}f}"


def above(a: float, b: float) -> bool:
    """Whether a price is above a computed level; false where one is nan.

    Nearer than one part in 10**12 is level: an indicator that has seen another past may be a
    rounding away, and a market at rest, or one that swings between two prices, sits exactly
    on its bands.
    """
    return a - b > _LEVEL * abs(b)
