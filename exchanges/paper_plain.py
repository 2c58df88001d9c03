"""The paper venue for one pass through a market in the order of time: no book, no looking back.

`PaperVenue` answers as if each order had come in time, however late it came. Here it did, and
nobody restarts: so what it keeps for that, which is most of its work, is left out. What a market
gives to an order is `paper_order` in both; a test holds the two against each other.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

import msgspec

from exchanges.event_blocks import Block
from exchanges.matching import BPS, Terms, slipped
from exchanges.paper_order import (
    MARKET_LOCK_MARGIN,
    Place,
    Progress,
    accepted,
    advance,
    arrived,
    canceled,
    may_skip,
    places_of,
    turn_of,
)
from exchanges.paper_plain_funds import AnyOrder, PlainFunds
from exchanges.paper_settings import DEFAULT_QUOTE_BALANCE, PaperSettings, problem_with
from exchanges.paper_tape import Tape
from exchanges.protocol import NewOrder
from messages.errors import Rejected
from messages.exact import NOTHING
from messages.ids import NS_PER_MS, ClientOrderId, StrategyId, Symbol, TimestampNs, TradeId
from messages.market import Candle, MarketEvent
from messages.orders import Fill
from messages.values import BUY, GUESSED_DIGITS, Liquidity, Side, plain_instrument

_TAPE_LENGTH = 1024
_SURELY = 1 + 1e-6
"""By far more than the roundings of a float."""


class Worked(msgspec.Struct, gc=False):
    """An order after an event that moved it, and what was executed then."""

    progress: Progress
    fills: list[Fill]


class Executed(msgspec.Struct, frozen=True, gc=False):
    """What an order got that was executed as a whole, as taker."""

    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    ts_event_ns: TimestampNs

    def as_fill(self, client_order_id: ClientOrderId) -> Fill:
        """Give it as any venue gives its fills."""
        return Fill(
            trade_id=TradeId(f"{client_order_id}-1"),
            price=self.price,
            quantity=self.quantity,
            fee=self.fee,
            fee_currency=self.fee_currency,
            liquidity=Liquidity.TAKER,
            ts_event_ns=self.ts_event_ns,
        )


class _Market(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's terms, and what follows from them for each market order."""

    terms: Terms
    tick: Decimal
    step: Decimal
    participation: Decimal
    rate: Decimal
    """The taker's fee, a fraction of the notional."""
    pair: tuple[str, str]
    """Base and quote currency."""
    dearer: Decimal
    """What slippage makes of a price of 1 for who buys."""
    cheaper: Decimal
    cost: Decimal
    """What 1 of notional costs at least, with the taker's fee."""
    with_fee: Decimal
    about_step: float
    about_participation: float
    grid: Decimal
    """A zero with so many decimals that a price with no more of them is on ticks that are finer."""
    least: Decimal
    """Below it the ticks are finer than the instrument's, for those are a guess."""

    def taker_price(self, side: Side, opened: Decimal) -> Decimal:
        """Give `matching.taker_price` for a candle that opened at this price."""
        if opened < self.least or not (opened + self.grid).same_quantum(self.grid):
            return slipped(opened, side, self.terms)
        tick = self.tick
        if side is BUY:
            price = (opened * self.dearer / tick).to_integral_value(ROUND_CEILING) * tick
        else:
            price = (opened * self.cheaper / tick).to_integral_value(ROUND_FLOOR) * tick
        return price if price >= tick else tick

    def gives(self, quantity: Decimal, volume: Decimal) -> bool:
        """Whether a candle of this volume gives one order so much."""
        steps = (volume * self.participation / self.step).to_integral_value(ROUND_DOWN)
        return quantity <= steps * self.step

    def surely_gives(self, quantity: Decimal, volume: float) -> bool:
        """The same, known without arithmetic in decimals; False where that cannot tell."""
        needed = _SURELY * float(quantity) + 2 * self.about_step
        return needed <= volume * self.about_participation


class PlainVenue:
    """One account; orders and events come in the order of time, each once.

    An order that was decided at an event is submitted after that event was shown, and one that
    was decided before it, by a timer, right after it too.
    """

    def __init__(self, settings: PaperSettings, strategies: Sequence[StrategyId] = ()) -> None:
        self._settings = settings
        self._turns = places_of(strategies)
        self._configured = {one.symbol: one for one in settings.instruments}
        self._funds = PlainFunds(settings.balances, self._turn)
        self._markets: dict[Symbol, _Market] = {}
        self._tapes: dict[Symbol, Tape] = {}
        self._open: dict[Symbol, list[Progress]] = {}
        self._next_row = 1
        self._latency_ns = settings.latency_ms * NS_PER_MS

    def submit(self, order: NewOrder, missed: MarketEvent | None = None) -> Worked:
        """Accept an order, and work it against what was shown of its own moment.

        `missed` is the newest event of its symbol, where the order was decided before that one
        and is submitted after it; and, for a stop's exit, the candle that it acted in.

        Raises:
            Rejected: the order is malformed.
        """
        symbol = order.symbol
        problem = problem_with(order, self._configured.get(symbol))
        if problem:
            raise Rejected(problem)
        self._fund(symbol)
        _, turn = self._turn(order)
        worked = Worked(accepted(self._next_row, order, self._latency_ns, turn), [])
        self._next_row += 1
        if symbol in self._tapes:
            self._catch_up(worked, self._tapes[symbol])
        elif missed is not None:
            place = Place(missed.ts_event_ns, 0)
            worked.progress = self._work(worked.progress, place, missed, worked.fills)
        if worked.progress.is_open:
            self._keep_open(worked.progress)
        return worked

    def on_market(self, event: MarketEvent) -> list[Worked]:
        """Work open orders against an event; give those that moved.

        A candle need not be shown while no order of its symbol is open, and of one that only
        meets market orders (`looks_inside`) only the open and the volume count.
        """
        symbol = event.symbol
        if isinstance(event, Candle) and symbol not in self._tapes:
            place = Place(event.ts_event_ns, 0)
        else:
            tape = self._tapes.get(symbol)
            if tape is None:
                tape = self._tapes[symbol] = Tape(_TAPE_LENGTH)
            if not tape.add(event):
                return []
            place = tape.newest
        orders = self._open.get(symbol)
        return [] if orders is None else self._work_all(orders, place, event)

    def cancel(self, order: NewOrder, now_ns: TimestampNs) -> Worked | None:
        """End an order where its market stands, whose last event was then; None: it had ended."""
        symbol = order.symbol
        orders = self._open.get(symbol, [])
        before = next((p for p in orders if p.order.client_order_id == order.client_order_id), None)
        if before is None:
            return None
        orders.remove(before)
        if not orders:
            del self._open[symbol]
        tape = self._tapes.get(symbol)
        place = Place(now_ns, 0) if tape is None else tape.newest
        step = canceled(before, place, self._market(symbol).terms)
        if step.changes:
            self._funds.book(step.progress, step.changes)
        return Worked(step.progress, [*step.fills])

    def takes_at_once(self, order: AnyOrder) -> bool:
        """Whether a market order that is alone on its symbol may wait for `fill_at_once`.

        Not on a symbol that is not of candles alone; a malformed one is rejected by `submit`.
        """
        symbol = order.symbol
        if symbol in self._tapes or symbol in self._open:
            return False
        if problem_with(order, self._configured.get(symbol)):
            return False
        if symbol not in self._markets:
            self._fund(symbol)
        return True

    def arrival_ns(self, order: AnyOrder) -> TimestampNs:
        """Give when an order is at the market, on its clock."""
        return TimestampNs(order.decided_at_ns + self._latency_ns)

    def fill_at_once(
        self, order: AnyOrder, opened: Decimal, volume: Decimal | None, ts_ns: TimestampNs
    ) -> Executed | None:
        """Do in one step what `submit` and `on_market` do to one that a candle fills as a whole.

        The candle is given by its open, its volume (None: it `surely_gives`) and its close in
        time. Almost all orders of a backtest are such. None where it is another case, and nothing
        is changed then: submit the order, and show the candle.
        """
        quantity = order.quantity
        if ts_ns <= order.decided_at_ns + self._latency_ns:
            return None
        market, funds = self._markets[order.symbol], self._funds
        if volume is not None and not market.gives(quantity, volume):
            return None
        price = market.taker_price(order.side, opened)
        value = quantity * price
        fee = value * market.rate
        if order.side is BUY:
            cost, free = value * market.cost, funds.free_at(market.pair[1], ts_ns)
            wanted = cost * MARKET_LOCK_MARGIN
            locked = wanted if wanted <= free else free
            if cost > free or quantity * (price * market.with_fee) > locked:
                return None
            funds.bought(ts_ns, market.pair, order, value + fee, locked)
        elif quantity > funds.free_at(market.pair[0], ts_ns):
            return None
        else:
            funds.sold(ts_ns, market.pair, order, value - fee)
        return Executed(price, quantity, fee, market.pair[1], ts_ns)

    def surely_gives(self, order: AnyOrder, volume: float) -> bool:
        """Whether a candle of about this volume gives an order all that it wants, without doubt.

        Asked of those alone that `takes_at_once` has let wait.
        """
        return self._markets[order.symbol].surely_gives(order.quantity, volume)

    def fill_from(
        self, order: AnyOrder, block: Block, place: int, ts_ns: TimestampNs
    ) -> Executed | None:
        """Do `fill_at_once` with the candle at a place of a block."""
        market, volume = self._markets[order.symbol], None
        if not market.surely_gives(order.quantity, block.about_volume(place)):
            volume = block.volume_of(place)
        return self.fill_at_once(order, block.open_of(place), volume, ts_ns)

    def looks_inside(self, symbol: Symbol) -> bool:
        """Whether an open order of this symbol has a limit, which high and low may reach."""
        orders = self._open.get(symbol)
        return orders is not None and any(one.order.limit_price is not None for one in orders)

    def balances(self) -> dict[str, Decimal]:
        """Give what the account owns by currency, locked or free."""
        return dict(self._funds.totals)

    def _turn(self, order: AnyOrder) -> tuple[int, int]:
        turn = self._turns.get(order.strategy_id, len(self._turns))
        return order.decided_at_ns + self._latency_ns, turn

    def _fund(self, symbol: Symbol) -> None:
        quote = self._market(symbol).pair[1]
        if quote not in self._funds.totals:
            self._funds.give(quote, DEFAULT_QUOTE_BALANCE)

    def _catch_up(self, worked: Worked, tape: Tape) -> None:
        for place, event in tape.after(worked.progress.cursor):
            worked.progress = self._work(worked.progress, place, event, worked.fills)
            if not worked.progress.is_open:
                return

    def _work_all(self, orders: list[Progress], place: Place, event: MarketEvent) -> list[Worked]:
        moved, still_open = [], []
        for before in orders:
            fills: list[Fill] = []
            after = self._work(before, place, event, fills)
            if fills or after.state is not before.state:
                moved.append(Worked(after, fills))
            if after.is_open:
                still_open.append(after)
        if still_open:
            self._open[event.symbol] = still_open
        else:
            del self._open[event.symbol]
        return moved

    def _work(
        self, before: Progress, place: Place, event: MarketEvent, fills: list[Fill]
    ) -> Progress:
        if may_skip(before, event) or not arrived(before, event, place):
            return before
        market = self._market(event.symbol)
        free = NOTHING
        if not before.started:
            currency = market.pair[before.order.side is BUY]
            free = self._funds.free_for(before, currency, place)
        step = advance(before, event, place, market.terms, free)
        if step.changes:
            self._funds.book(step.progress, step.changes)
        fills += step.fills
        return step.progress

    def _keep_open(self, progress: Progress) -> None:
        orders = self._open.setdefault(progress.order.symbol, [])
        orders.append(progress)
        if len(orders) > 1:
            orders.sort(key=turn_of)

    def _market(self, symbol: Symbol) -> _Market:
        market = self._markets.get(symbol)
        if market is None:
            market = self._markets[symbol] = _market_of(terms_of(self._settings, symbol))
        return market


def _market_of(terms: Terms) -> _Market:
    instrument, rate, slippage = terms.instrument, terms.taker_fee_rate, terms.slippage_rate
    tick = instrument.price_tick
    coarser = tick.adjusted() + (tick != Decimal((0, (1,), tick.adjusted())))
    return _Market(
        terms=terms,
        tick=tick,
        step=instrument.quantity_step,
        participation=terms.participation,
        rate=rate,
        about_step=float(instrument.quantity_step),
        about_participation=float(terms.participation),
        pair=(instrument.base, instrument.quote),
        dearer=1 + slippage,
        cheaper=1 - slippage,
        cost=1 + max(rate, NOTHING),
        with_fee=1 + rate,
        grid=Decimal((0, (0,), coarser)),
        least=Decimal((0, (1,), coarser + GUESSED_DIGITS)) if terms.is_guess else NOTHING,
    )


def terms_of(settings: PaperSettings, symbol: Symbol) -> Terms:
    """Give what the venue charges and gives in one symbol."""
    configured = {one.symbol: one for one in settings.instruments}
    return Terms(
        instrument=configured.get(symbol) or plain_instrument(symbol),
        maker_fee_rate=settings.maker_fee_bps * BPS,
        taker_fee_rate=settings.taker_fee_bps * BPS,
        slippage_rate=settings.slippage_bps * BPS,
        participation=settings.participation,
        is_guess=symbol not in configured,
    )
