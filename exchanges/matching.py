"""What one market event gives to one order: pure, and blind to every other order.

Every order sees the same market, as if alone: two orders may take the same volume. That
keeps the fate of an order a function of itself and of the market data.

==========  ======================================  ================================
event       market order                            limit order
==========  ======================================  ================================
candle      open, slipped against the taker         its limit, if the bar reached it
trade       the trade's price                       its limit, if the trade reached it
tick        ask (buy) or bid (sell)                 its limit, if ask or bid reached it
==========  ======================================  ================================

On the first event that it meets, a limit order that crosses already gets the market's price,
as taker: a candle's open, a trade's price, the other side of a tick. Later it is the maker.
A stop's exit gets, in the candle that it acted in, the price that it acted at, slipped.
Candles and trades give at most `participation` of their volume; a tick gives everything.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from functools import cached_property

import msgspec

from exchanges.protocol import NewOrder
from messages.exact import EXACT, NOTHING
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.values import BUY, Instrument, Liquidity, Side, guessed_tick

BPS = Decimal("0.0001")


class Terms(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What the venue charges and gives in one symbol. Rates are fractions, not bps.

    What follows from them alone is reckoned once.
    """

    instrument: Instrument
    maker_fee_rate: Decimal
    taker_fee_rate: Decimal
    slippage_rate: Decimal
    participation: Decimal
    is_guess: bool = False
    """Whether nobody told the instrument's grid: then it must not be what makes a price worse."""

    def fee_rate(self, liquidity: Liquidity) -> Decimal:
        """The fraction of the notional that a fill costs."""
        return self.maker_fee_rate if liquidity is Liquidity.MAKER else self.taker_fee_rate

    @cached_property
    def base(self) -> str:
        """The currency that is bought and sold."""
        return self.instrument.base

    @cached_property
    def quote(self) -> str:
        """The currency that is paid."""
        return self.instrument.quote

    @cached_property
    def dearer(self) -> Decimal:
        """What slippage makes of a price of 1 for who buys."""
        return 1 + self.slippage_rate

    @cached_property
    def cheaper(self) -> Decimal:
        """What slippage makes of a price of 1 for who sells."""
        return 1 + -1 * self.slippage_rate

    @cached_property
    def taker_cost(self) -> Decimal:
        """What 1 of notional costs with the taker's fee."""
        return 1 + self.taker_fee_rate

    @cached_property
    def taker_lock(self) -> Decimal:
        """What must be free for 1 of notional: a rebate is not there before the trade."""
        return 1 + max(self.taker_fee_rate, NOTHING)

    @cached_property
    def grid(self) -> Decimal:
        """A zero with so many decimals that prices with no more of them have no finer ticks."""
        tick = self.instrument.price_tick
        exponent = tick.adjusted() + (tick != Decimal((0, (1,), tick.adjusted())))
        return Decimal((0, (0,), exponent))


class Offer(msgspec.Struct, frozen=True, gc=False):
    """Up to `quantity` may be had at `price`; None is as much as wanted."""

    price: Decimal
    quantity: Decimal | None
    liquidity: Liquidity


def offer(order: NewOrder, event: MarketEvent, terms: Terms, *, first: bool) -> Offer | None:
    """Say what `event` gives; None when its price does not reach the order."""
    if order.limit_price is None:
        return Offer(taker_price(order, event, terms), volume_for(event, terms), Liquidity.TAKER)
    at_once = _opening_price(order, event)
    if first and _reaches(order.side, at_once, order.limit_price):
        return Offer(at_once, volume_for(event, terms), Liquidity.TAKER)
    if _reaches(order.side, _best_price(order, event), order.limit_price):
        return Offer(order.limit_price, volume_for(event, terms), Liquidity.MAKER)
    return None


def taker_price(order: NewOrder, event: MarketEvent, terms: Terms) -> Decimal:
    """Give what a market order pays or gets per unit, on the instrument's ticks."""
    price = _opening_price(order, event)
    if not isinstance(event, Candle):
        return price
    return slipped(price, order.side, terms)


def round_down(quantity: Decimal, step: Decimal) -> Decimal:
    """Give the largest multiple of `step` that is not more than `quantity`."""
    return (quantity / step).to_integral_value(ROUND_DOWN) * step


def slipped(price: Decimal, side: Side, terms: Terms) -> Decimal:
    """Give a price made worse for the taker by the slippage, on the instrument's ticks."""
    tick = _tick_at(price, terms)
    if side is BUY:
        steps = (price * terms.dearer / tick).to_integral_value(ROUND_CEILING)
    else:
        steps = (price * terms.cheaper / tick).to_integral_value(ROUND_FLOOR)
    return max(steps * tick, tick)


def _tick_at(price: Decimal, terms: Terms) -> Decimal:
    tick = terms.instrument.price_tick
    if not (price + terms.grid).same_quantum(terms.grid):
        # A tick coarser than the market's own prices would be refuted by the data; but zeros at
        # the end, which some recordings write and others do not, are no digits.
        tick = min(tick, Decimal((0, (1,), int(price.normalize(EXACT).as_tuple().exponent))))
    if terms.is_guess:
        # One price alone does not tell: of ticks of 0.0001, one in a hundred is a round 0.17.
        tick = min(tick, guessed_tick(price))
    return tick


def _opening_price(order: NewOrder, event: MarketEvent) -> Decimal:
    """The price that stands when the event begins."""
    if isinstance(event, Candle):
        if order.touched_price is not None and event.ts_event_ns == order.decided_at_ns:
            return order.touched_price
        return event.open
    if isinstance(event, Trade):
        return event.price
    return event.ask_price if order.side is Side.BUY else event.bid_price


def _best_price(order: NewOrder, event: MarketEvent) -> Decimal:
    """The best price for the order at any time within the event."""
    if isinstance(event, Candle):
        return event.low if order.side is Side.BUY else event.high
    return _opening_price(order, event)


def _reaches(side: Side, price: Decimal, limit: Decimal) -> bool:
    return price <= limit if side is Side.BUY else price >= limit


def volume_for(event: MarketEvent, terms: Terms) -> Decimal | None:
    """Give how much one order may take of an event; None is as much as wanted."""
    if isinstance(event, Tick):
        return None
    volume = event.volume if isinstance(event, Candle) else event.quantity
    return round_down(volume * terms.participation, terms.instrument.quantity_step)
