"""One symbol's market as the loop goes through it, and the strategies that trade it."""

from collections.abc import Collection, Sequence
from decimal import Decimal, localcontext
from typing import cast

from decisions.strategy import (
    StrategyLike,
    reference_price,
)
from exchanges.event_blocks import Block, EventBlock
from messages.exact import EXACT
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.values import BUY, Side
from research.backtest.driver import Driver, Seat
from research.backtest.equity import EquityMeter
from research.backtest.order import Execution
from research.backtest.plan import MarketPlan
from strategies.protocol import Strategy

_HANDLERS: tuple[tuple[str, type[MarketEvent]], ...] = (
    ("on_candle", Candle),
    ("on_bar", Candle),
    ("on_trade", Trade),
    ("on_book", Tick),
    ("on_tick", Tick),
)


class Track:
    """The market of one symbol; `place` is its turn among the markets at one moment."""

    def __init__(
        self, place: int, market: MarketPlan, drivers: Sequence[Driver | Seat], meter: EquityMeter
    ) -> None:
        self.place, self.symbol, self.drivers = place, market.symbol, drivers
        self.by_closes = False
        """Whether the block is of candles, and each of them may be shown closes alone."""
        self.alone: Driver | None = None
        """The only strategy here, where it is shown closes alone."""
        self._blocks, self._meter = market.blocks(), meter
        self.block: Block = EventBlock(())
        """The present block; `load` gives the first."""
        self.is_candles = True
        """Whether it is of candles alone."""
        self.kinds: set[type[MarketEvent]] = set()
        """Of what kinds the blocks so far were."""
        self.size = 0
        self.at = 0
        """The place in the block of the next event that somebody must see."""
        self.seen = 0
        self.last_ns = 0
        """Of the last event of the blocks that are done with; 0 before there is one."""
        """Events in the blocks before this one."""
        self.held_events = 0
        """So many of them ended with a position."""
        self.first_price = self.last_price = Decimal(0)
        self.quantity = self.cash = self.fees = self.turnover = Decimal(0)
        self._profits: list[float] = []
        self._held = bytearray()
        """Of each event of the block that is reckoned: 1 where it ended with a position, else 0."""
        self.trades: list[tuple[int, Side, Sequence[Execution]]] = []

    def load(self) -> bool:
        """Leave this block for the next one; False when there is none."""
        if self.size:
            self.settle()
            self._reckon(self.size, self.quantity, self.cash)
            held = bytes(self._held)
            self.held_events += held.count(1)
            self._meter.take(self.place, self.block.times_ns, self._profits, held)
            self.last_price = reference_price(self.block.event(self.size - 1))
            self.seen += self.size
            self.last_ns = self.block.times_ns[-1]
        block = next(self._blocks, None)
        if block is None:
            self._meter.end(self.place)
            return False
        if not self.seen:
            self.first_price = reference_price(block.event(0))
        self.block, self.is_candles = block, block.closes is not None
        self.size, self.at, self._profits = len(block.times_ns), 0, []
        self._held.clear()
        self.by_closes = self.is_candles and all(driver.by_closes for driver in self.drivers)
        self.alone = None
        if self.by_closes and len(self.drivers) == 1:
            self.alone = cast("Driver", self.drivers[0])
        if self.is_candles:
            self.kinds.add(Candle)
        else:
            self.kinds.update(type(block.event(place)) for place in range(self.size))
        for driver in self.drivers:
            driver.begin(block)
        return True

    def next_shown(self) -> int:
        """Give the place of the next event that one of the strategies must be shown."""
        if len(self.drivers) == 1:
            return self.drivers[0].at
        return min((driver.at for driver in self.drivers), default=self.size)

    def shown_at(self, place: int) -> Sequence[Driver | Seat]:
        """Give the strategies that must be shown an event."""
        if len(self.drivers) == 1:
            return self.drivers if self.drivers[0].at == place else ()
        return [driver for driver in self.drivers if driver.at == place]

    def next_ns(self) -> int:
        """When the next event comes that somebody must see; where none does, the block's last."""
        return self.block.times_ns[min(self.at, self.size - 1)]

    def trade(self, side: Side, fills: Sequence[Execution]) -> None:
        """Note executions of the present event; `settle` counts them."""
        self.trades.append((self.at, side, fills))

    def settle(self) -> None:
        """Count what was executed since the last time: held from the close of its event on.

        Fees are in the quote. No digit is lost.
        """
        if not self.trades:
            return
        trades, self.trades = self.trades, []
        held, cash, fees, turnover = self.quantity, self.cash, self.fees, self.turnover
        with localcontext(EXACT):
            for at, side, fills in trades:
                self._reckon(at, held, cash)
                for fill in fills:
                    quantity, fee = fill.quantity, fill.fee
                    value = quantity * fill.price
                    if side is BUY:
                        held += quantity
                        cash = cash - value - fee
                    else:
                        held -= quantity
                        cash = cash + value - fee
                    fees += fee
                    turnover += value
        self.quantity, self.cash, self.fees, self.turnover = held, cash, fees, turnover

    def _reckon(self, stop: int, held: Decimal, cash: Decimal) -> None:
        """Reckon the profit at each event before `stop` that it is not reckoned for yet."""
        profits = self._profits
        start = len(profits)
        if start >= stop:
            return
        money, quantity = float(cash), float(held)
        self._held += (b"\1" if held else b"\0") * (stop - start)
        if not held:
            profits += [money] * (stop - start)
        else:
            profits += [money + quantity * price for price in self._prices(start, stop)]

    def _prices(self, start: int, stop: int) -> Sequence[float]:
        closes = self.block.closes
        if closes is not None:
            return closes[start:stop]
        return [float(reference_price(self.block.event(place))) for place in range(start, stop)]


def never_called(strategy: StrategyLike, kinds: Collection[type[MarketEvent]]) -> tuple[str, ...]:
    """Give the market handlers of its own that a strategy has and events of these kinds miss."""
    own = {name: getattr(type(strategy), name, None) for name, _ in _HANDLERS}
    return tuple(
        name
        for name, kind in _HANDLERS
        if kind not in kinds and own[name] not in (None, getattr(Strategy, name))
    )
