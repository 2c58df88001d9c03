"""The loop: markets in the order of time, and for each event the venue first, then strategies.

At one moment the market that stands first in the plan goes first, with all its events of that
moment. So a strategy of several symbols that is shown a candle has not seen that of a later
symbol, though it closes with it; and what it decides there on the later symbol meets no candle
that is over by then, shown or not.

A strategy with a fast door goes through the closes of a block by itself until it may decide, so
the loop stops only where somebody decides or an order is open. It never is ahead of anything
that could change its mind: one that wants to know what becomes of its orders is shown one event
at a time while one is open.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from heapq import heapify, heappop, heapreplace

import msgspec

from exchanges.paper_settings import DEFAULT_QUOTE_BALANCE
from messages.exact import EXACT
from messages.ids import StrategyId, Symbol, quote_of
from messages.market import MarketEvent
from messages.orders import OrderUpdate
from messages.stops import StopActed
from research.backtest.desk import Desk
from research.backtest.driver import Driver, Seat
from research.backtest.equity import EquityMeter
from research.backtest.order import Execution, Order
from research.backtest.plan import MarketPlan, Plan
from research.backtest.track import Track, never_called

_NEVER = (1 << 63, 0)
"""After the turn of any market."""

OnProgress = Callable[[int], object]
"""Is given how many events are behind, now and then."""


class MarketOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a market was, and how it was traded."""

    symbol: Symbol
    events: int
    held_events: int
    """At the end of so many of them there was a position."""
    kinds: frozenset[type[MarketEvent]]
    """Of what kinds its events were."""
    first_price: Decimal
    last_price: Decimal
    last_ns: int
    """When its last event was."""
    quantity: Decimal
    """Held at the end: base currency, signed."""
    cash: Decimal
    """Money in less money out, fees paid: quote currency."""
    fees: Decimal
    turnover: Decimal
    """The value of all that was bought and sold."""

    @property
    def profit(self) -> Decimal:
        """What the trading brought if all were closed at the last price; no digit is lost."""
        return EXACT.fma(self.quantity, self.last_price, self.cash)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """All that came of a backtest."""

    orders: list[Order]
    """Of refused decisions too, in the order of decisions."""
    meters: dict[str, EquityMeter]
    """By quote currency."""
    markets: tuple[MarketOutcome, ...]
    balances: dict[str, Decimal]
    never_called: dict[StrategyId, tuple[str, ...]]
    """Handlers that a strategy has and that no event of its markets was for."""
    small_targets: dict[StrategyId, dict[Symbol, int]] = {}
    """By strategy and symbol, how many targets were smaller than the venue takes."""


class Backtest:
    """One run of a plan; make another one to run it again."""

    def __init__(self, plan: Plan) -> None:
        drivers = [Driver(s, plan.account, fast_doors=plan.fast_doors) for s in plan.strategies]
        self._plan = plan
        self._drivers = {driver.id: driver for driver in drivers}
        learns = any(driver.learns for driver in drivers)
        stops = any(driver.uses_stops for driver in drivers)
        on_update, on_stop = self._updated if learns else None, self._acted if stops else None
        manages = any(driver.manages_orders for driver in drivers)
        self._desk = Desk(plan, self._filled, on_update, on_stop, manages_orders=manages)
        self.meters = _meters(plan)
        self._tracks = [
            Track(
                place, market, _seated(market, plan, drivers), self.meters[quote_of(market.symbol)]
            )
            for place, market in enumerate(plan.markets)
        ]
        self._by_symbol = {track.symbol: track for track in self._tracks}

    def run(self, on_progress: OnProgress | None = None) -> Outcome:
        """Go through all markets to their ends.

        Raises:
            DataError: a market cannot be read.
            ConfigError: a strategy raised, or decided what has no key.
        """
        queue = [(track.next_ns(), track.place) for track in self._tracks if self._load(track)]
        heapify(queue)
        while queue:
            track = self._tracks[queue[0][1]]
            if track.at < track.size:
                self._go_on(track, min(queue[1:3], default=_NEVER))
            elif not self._load(track):
                heappop(queue)
                continue
            elif on_progress is not None:
                on_progress(sum(one.seen for one in self._tracks))
            heapreplace(queue, (track.next_ns(), track.place))
        return self._outcome()

    def _load(self, track: Track) -> bool:
        if not track.load():
            return False
        closes = track.block.closes
        for driver in track.drivers:
            if not (driver.learns and self._desk.open_of[driver.id]):
                driver.pass_by(closes)
        self._seek(track)
        return True

    def _seek(self, track: Track) -> None:
        """Find the next event that must be shown to somebody."""
        desk = self._desk
        if desk.follows_equity or not track.is_candles or desk.has_open(track.symbol):
            return
        track.at = track.next_shown()

    def _go_on(self, track: Track, until: tuple[int, int]) -> None:
        """Go on in one market up to the turn of another, or to the end of the block."""
        place, size, is_plain = track.place, track.size, self._desk.is_plain and track.by_closes
        while track.at < size and (track.next_ns(), place) < until:
            if not is_plain or not self._pass_unseen(track, until):
                self._event(track)

    def _pass_unseen(self, track: Track, until: tuple[int, int]) -> bool:
        """Go on so far as no message need be made of a candle; False if that is not a step.

        The steps are those of `_event`, of what a close and an open are enough for.
        """
        desk, block, symbol, size = self._desk, track.block, track.symbol, track.size
        began, times_ns = track.at, block.times_ns
        alone, before_ns = track.alone, until[0] + (track.place < until[1])
        while True:
            if alone is not None and not desk.has_open(symbol):
                desk.road.go(track, alone, before_ns)
                if track.at >= size or times_ns[track.at] >= before_ns:
                    return True
            if not desk.meets_unseen(symbol, block, track.at):
                return track.at > began
            place = track.at
            shown = track.shown_at(place)
            if shown:
                for driver in shown:
                    desk.decided(driver.decided())
                desk.settle()
            at = place + 1 if shown and desk.has_open(symbol) else track.next_shown()
            track.at = at
            if at >= size or times_ns[at] >= before_ns:
                return True

    def _event(self, track: Track) -> None:
        place, desk, block = track.at, self._desk, track.block
        shown = track.shown_at(place)
        if shown or not track.is_candles or desk.needs_all_of(track.symbol):
            event = block.event(place)
        else:
            event = block.opening(place)
        desk.market(event, candles_only=track.is_candles)
        for driver in shown:
            intents = driver.show(event)
            if intents:
                desk.decided(intents)
        desk.settle()
        for driver in shown:
            if not (driver.learns and desk.open_of[driver.id]):
                driver.pass_by(block.closes)
        track.at = place + 1
        self._seek(track)

    def _filled(self, order: Order, fills: Sequence[Execution]) -> None:
        self._by_symbol[order.intent.symbol].trade(order.intent.side, fills)

    def _updated(self, order: Order, update: OrderUpdate) -> None:
        driver = self._drivers[order.intent.strategy_id]
        if driver.learns:
            driver.learn(update)

    def _acted(self, acted: StopActed) -> None:
        self._drivers[acted.strategy_id].stop_acted(acted)

    def _outcome(self) -> Outcome:
        desk = self._desk
        for track in self._tracks:
            track.settle()
        markets = tuple(
            MarketOutcome(
                symbol=track.symbol,
                events=track.seen,
                held_events=track.held_events,
                kinds=frozenset(track.kinds),
                first_price=track.first_price,
                last_price=track.last_price,
                last_ns=track.last_ns,
                quantity=track.quantity,
                cash=track.cash,
                fees=track.fees,
                turnover=track.turnover,
            )
            for track in self._tracks
        )
        return Outcome(
            orders=desk.orders,
            meters=self.meters,
            markets=markets,
            balances=desk.balances(),
            never_called=self._never_called(),
            small_targets={name: one.small_targets for name, one in self._drivers.items()},
        )

    def _never_called(self) -> dict[StrategyId, tuple[str, ...]]:
        found = {}
        for strategy in self._plan.strategies:
            kinds = set[type[MarketEvent]]()
            for symbol in strategy.traded:
                kinds |= self._by_symbol[symbol].kinds
            unheard = never_called(self._drivers[strategy.id].strategy, kinds)
            if unheard and kinds:
                found[strategy.id] = unheard
        return found


def _seated(market: MarketPlan, plan: Plan, drivers: Sequence[Driver]) -> list[Driver | Seat]:
    """Give who is shown this market, in the order of the plan."""
    return [
        driver if len(strategy.traded) == 1 else Seat(driver)
        for driver, strategy in zip(drivers, plan.strategies, strict=True)
        if market.symbol in strategy.traded
    ]


def _meters(plan: Plan) -> dict[str, EquityMeter]:
    places: dict[str, list[int]] = {}
    for place, market in enumerate(plan.markets):
        places.setdefault(quote_of(market.symbol), []).append(place)
    return {
        quote: EquityMeter(of_it, float(plan.venue.balances.get(quote, DEFAULT_QUOTE_BALANCE)))
        for quote, of_it in places.items()
    }
