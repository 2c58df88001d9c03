"""What a strategy is: memory and no reach. It sees events and says what it would trade."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec

from messages.ids import OrderKey, Symbol, TimestampNs
from messages.market import Candle, Tick, Trade
from messages.order_changes import Cancel, OrderChange, Replace
from messages.orders import Fill, OrderUpdate
from messages.values import Instrument, OrderType, Side, Target, TimeInForce

__all__ = ["Cancel", "Decision", "Decisions", "Replace", "Strategy", "Target", "market_order"]


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One wish to trade. Quantity in base currency, unsigned, already on the venue's grid.

    `limit_price` is None for a market order. `reason` is a sentence for a person. `symbol` is one
    of the strategy's; None is that of the event decided on.
    """

    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    reason: str
    symbol: Symbol | None = None
    stop_loss: Decimal | None = None
    """Kept by the executor, as are the next two, of what this adds; see docs/strategies.md."""
    take_profit: Decimal | None = None
    trailing: Decimal | None = None


Decisions = Sequence[Decision | Target | OrderChange] | Decision | Target | OrderChange | None
"""What a handler gives: one, several in their order, or nothing.

The handlers below say Any, so that one that gives a sequence of decisions alone may say so.
"""

_MARKET, _GTC = OrderType.MARKET, TimeInForce.GTC
_OPTIONAL = ("on_trade", "on_tick", "on_book", "on_fill", "snapshot", "restore")


class Strategy:
    """Inherit and override what you need; each handler says what to trade, by default nothing.

    Handlers run one at a time in their actor's thread and get their time from the event.
    The same events must give the same decisions: no clock, no chance, no files. One that
    raises loses that event for good and is built anew from the events before it.

    `position` is what this strategy's own decisions so far would hold if all of them
    filled, in base currency, negative when short, less what its stops have left. It never
    depends on how fast a venue is. An exit is sent as what is really held of it.
    It is that of the event's symbol; a timer's is that of the first. On a live market it begins
    with what earlier processes of the run have left, filled or open.
    """

    warmup_events: int = 0
    """How many events before now a fresh object must see to decide as an old one would, of all
    kinds together that it has a handler for. A live market's history is of candles alone."""
    warmup_bars: Mapping[str, int] = {}
    """The same in bars of its timeframes, ``{"15m": 40}``; the greater of the two counts."""
    timeframes: tuple[str, ...] = ()
    """The bars that `on_bar` is told, built from the feed's candles: ``("15m", "4h")``."""
    uses_stops: bool = False
    """Whether its decisions may have a `stop_loss`, a `take_profit` or a `trailing`."""
    manages_orders: bool = False
    """Whether it gives `Cancel` and `Replace`. Then it has `open_orders`, and its `position` is
    what its orders have filled or may yet fill: of one that ends, the rest counts no more."""
    timer_s: int = 0
    """How often `on_timer` is called, on the market's clock; 0 is never."""

    symbols: tuple[Symbol, ...] = ()
    """Those of the config; set before the constructor runs, the first one being its `symbol`."""
    instruments: Mapping[Symbol, Instrument] = {}
    """The grid of each of `symbols`; set before the constructor runs."""
    positions: Mapping[Symbol, Decimal] = {}
    """By symbol what `position` is; set after the constructor has run, read only, always as now."""

    open_orders: Mapping[OrderKey, OrderUpdate] = {}
    """Its orders that are open at the venue or on their way, as they were told last, the oldest
    first; of one that `manages_orders`, read only, always as now. One of which nothing was told
    yet is `claimed`. It begins with what earlier processes of the run have left open."""

    overrides: ClassVar[frozenset[str]] = frozenset()
    """Which optional handlers the class has of its own; set by itself."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Note what is overridden: the rest need not be called."""
        super().__init_subclass__(**more)
        own = (name for name in _OPTIONAL if getattr(cls, name) is not getattr(Strategy, name))
        cls.overrides = frozenset(own)

    def on_candle(self, candle: Candle, position: Decimal) -> Any:  # noqa: ARG002 - for those who override it
        """Decide on a bar of the feed that has just closed."""
        return ()

    def on_bar(self, bar: Candle, timeframe: str, position: Decimal) -> Any:  # noqa: ARG002 - for those who override it
        """Decide on a bar of one of `timeframes`; `on_candle` gets the candle that closed it next.

        Its candles are those that the market told: over a gap fewer, and none is no bar.
        """
        return ()

    def on_trade(self, trade: Trade, position: Decimal) -> Any:  # noqa: ARG002 - for those who override it
        """Decide on somebody's trade."""
        return ()

    def on_tick(self, tick: Tick, position: Decimal) -> Any:
        """Decide on a new best bid and ask. The older name of `on_book`, which it calls."""
        return self.on_book(tick, position)

    def on_book(self, book: Tick, position: Decimal) -> Any:  # noqa: ARG002 - for those who override it
        """Decide on a new best bid and ask."""
        return ()

    def on_timer(self, due_ns: TimestampNs, position: Decimal) -> Any:  # noqa: ARG002 - for those who override it
        """Decide at a moment: each whole multiple of `timer_s` since 1970.

        Called with the market's events, so in a quiet market late, and then once for all that
        was missed, with the last due moment; see docs/strategies.md.
        """
        return ()

    def on_update(self, update: OrderUpdate) -> None:
        """Learn what became of an order. When depends on the venue: remember it, decide nothing.

        After a crash of the executor the last step of an order may be told once more.
        """

    def on_fill(self, fill: Fill, order: OrderUpdate) -> None:
        """Learn of one execution of an order of yours, after `on_update`; decide nothing.

        Once per execution, as far as this process knows: see docs/strategies.md for what may
        be missed.
        """

    def snapshot(self) -> bytes | None:
        """Give what `restore` can go on from; None for nothing new. Called between events."""
        return None

    def restore(self, data: bytes) -> None:
        """Go back to a snapshot of this class, right after construction, instead of a warm-up."""


@runtime_checkable
class PassesCloses(Protocol):
    """A second, faster door into a strategy that looks at closes alone; nobody needs it.

    A backtest and a replay use it where the class that has it is not derived further with another
    `on_candle`. A test holds it against `on_candle` (tests/strategies/test_fast_door.py).
    """

    def pass_closes(self, closes: Sequence[float], start: int, /) -> int:
        """Take candles from place `start` on as `on_candle` would, while that decides nothing.

        Gives the place of the first that was not taken. It may end early, and must before each
        candle that `on_candle` decides on. What lies beyond that place has not happened yet:
        nothing may depend on it (`backtest --verify` looks).
        """
        ...


@runtime_checkable
class DecidesOnCloses(PassesCloses, Protocol):
    """The same, for one that looks at nothing else of a candle where it decides either.

    Then a backtest makes no candle of the numbers that it reads, and asks about many of them
    before the first order on them is filled, unless it listens to its orders. Where a class
    further down has an `on_candle` of its own, it is that one which is asked.
    """

    def on_close(self, close: Decimal, position: Decimal, /) -> Any:
        """Decide as `on_candle` would on a candle of this close."""
        ...


def market_order(
    side: Side,
    quantity: Decimal,
    reason: str,
    *,
    stop_loss: Decimal | None = None,
    take_profit: Decimal | None = None,
    trailing: Decimal | None = None,
) -> Decision:
    """Trade at whatever the book gives, the rest as soon as it gives more.

    GTC, for a strategy reckons with its whole quantity: a remainder that was cancelled would
    leave it holding less than it believes.
    """
    return Decision(
        side=side,
        order_type=_MARKET,
        time_in_force=_GTC,
        quantity=quantity,
        limit_price=None,
        reason=reason,
        stop_loss=stop_loss,
        take_profit=take_profit,
        trailing=trailing,
    )
