"""The paper venue for one pass through a market in the order of time: no book, no looking back.

`PaperVenue` answers as if each order had come in time, however late it came. Here it did, and
nobody restarts: so what it keeps for that, which is most of its work, is left out. What a market
gives to an order is `paper_order` in both; a test holds the two against each other.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from exchanges.matching import BPS, Terms, round_down, taker_price
from exchanges.paper_order import (
    MARKET_LOCK_MARGIN,
    ZERO,
    Change,
    Place,
    Progress,
    advance,
    arrived,
    may_skip,
)
from exchanges.paper_settings import DEFAULT_QUOTE_BALANCE, PaperSettings, problem_with
from exchanges.paper_tape import Tape
from exchanges.protocol import NewOrder
from messages.errors import Rejected
from messages.ids import NS_PER_MS, Symbol, TradeId
from messages.market import Candle, MarketEvent
from messages.orders import Fill
from messages.values import Instrument, Liquidity, OrderState, Side

_TAPE_LENGTH = 1024


_Pair = tuple[str, str]
"""Base and quote currency."""


class Worked(msgspec.Struct, gc=False):
    """An order after an event that moved it, and what was executed then."""

    progress: Progress
    fills: list[Fill]


class PlainFunds:
    """What is owned and what is free, as `paper_funds.Funds` has it when nobody looks back.

    Then only what was posted at the present moment can be later than an order's turn.
    """

    def __init__(self, balances: dict[str, Decimal]) -> None:
        self.totals, self.free = dict(balances), dict(balances)
        self._now_ns = -1
        self._posted_now: list[tuple[Progress, Place, str, Decimal]] = []

    def give(self, currency: str, amount: Decimal) -> None:
        """Put money in."""
        self.totals[currency], self.free[currency] = amount, amount

    def book(self, order: Progress, changes: Sequence[Change]) -> None:
        """Book what an event did to an order."""
        for change in changes:
            self._book(order, change.currency, change.total, change.free)

    def book_whole(self, order: Progress, fill: Fill, locked: Decimal, pair: _Pair) -> None:
        """Book an order that was locked, executed as a whole and released by one event."""
        (base, quote), quantity = pair, fill.quantity
        value = fill.price * quantity
        if order.order.side is Side.BUY:
            spent = value + fill.fee
            self._book(order, quote, -spent, -locked)
            self._book(order, base, quantity, quantity)
            self._book(order, quote, ZERO, locked - spent)
        else:
            self._book(order, base, -quantity, -quantity)
            self._book(order, quote, value - fill.fee, value - fill.fee)

    def _book(self, order: Progress, currency: str, total: Decimal, free: Decimal) -> None:
        self.totals[currency] = self.totals.get(currency, ZERO) + total
        self.free[currency] = self.free.get(currency, ZERO) + free
        place = order.cursor
        if place.ts_ns != self._now_ns:
            self._now_ns = place.ts_ns
            self._posted_now.clear()
        self._posted_now.append((order, place, currency, free))

    def free_for(self, order: Progress, currency: str, place: Place) -> Decimal:
        """Give what the order may lock at its turn: the least that is free from then on."""
        running = self.free.get(currency, ZERO)
        if place.ts_ns != self._now_ns:
            return running
        mine = (place, order.arrival_ns, order.row)
        later = []
        for other, at, moved, free in self._posted_now:
            if moved == currency and free >= ZERO:
                theirs = (at, other.arrival_ns, other.row)
                if other.order.symbol != order.order.symbol or theirs >= mine:
                    later.append(free)
        # What is later and frees money is not there yet; all that locks some is.
        return running - sum(later, start=ZERO)


class PlainVenue:
    """One account; orders and events come in the order of time, each once.

    An order that was decided at an event is submitted after that event was shown, and one that
    was decided before it, by a timer, right after it too.
    """

    def __init__(self, settings: PaperSettings) -> None:
        self._settings = settings
        self._configured = {one.symbol: one for one in settings.instruments}
        self._funds = PlainFunds(settings.balances)
        self._terms: dict[Symbol, Terms] = {}
        self._pairs: dict[Symbol, _Pair] = {}
        self._tapes: dict[Symbol, Tape] = {}
        self._open: dict[Symbol, list[Progress]] = {}
        self._next_row = 1
        self._latency_ns = settings.latency_ms * NS_PER_MS

    def submit(self, order: NewOrder, missed: MarketEvent | None = None) -> Worked:
        """Accept an order, and work it against what was shown of its own moment.

        `missed` is the newest event of its symbol, where the order was decided before that one
        and is submitted after it.

        Raises:
            Rejected: the order is malformed.
        """
        symbol = order.symbol
        problem = problem_with(order, self._configured.get(symbol))
        if problem:
            raise Rejected(problem)
        quote = self._pair_of(symbol)[1]
        if quote not in self._funds.totals:
            self._funds.give(quote, DEFAULT_QUOTE_BALANCE)
        arrival_ns = order.decided_at_ns + self._latency_ns
        progress = Progress(
            row=self._next_row, order=order, arrival_ns=arrival_ns, cursor=Place(arrival_ns, -1)
        )
        self._next_row += 1
        worked = Worked(progress, [])
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

    def looks_inside(self, symbol: Symbol) -> bool:
        """Whether an open order of this symbol has a limit, which high and low may reach."""
        orders = self._open.get(symbol, ())
        return any(one.order.limit_price is not None for one in orders)

    def balances(self) -> dict[str, Decimal]:
        """Give what the account owns by currency, locked or free."""
        return dict(self._funds.totals)

    def free_balances(self) -> dict[str, Decimal]:
        """Give what a new order may still lock, by currency."""
        return dict(self._funds.free)

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
        terms = self._terms_for(event.symbol)
        free = ZERO
        if not before.started:
            pair = self._pair_of(event.symbol)
            currency = pair[1] if before.order.side is Side.BUY else pair[0]
            free = self._funds.free_for(before, currency, place)
            whole = fill_whole(before, event, place, terms, free)
            if whole is not None:
                after, fill, locked = whole
                self._funds.book_whole(after, fill, locked, pair)
                fills.append(fill)
                return after
        step = advance(before, event, place, terms, free)
        if step.changes:
            self._funds.book(step.progress, step.changes)
        fills += step.fills
        return step.progress

    def _keep_open(self, progress: Progress) -> None:
        orders = self._open.setdefault(progress.order.symbol, [])
        orders.append(progress)
        if len(orders) > 1:
            orders.sort(key=_turn)

    def _pair_of(self, symbol: Symbol) -> _Pair:
        pair = self._pairs.get(symbol)
        if pair is None:
            instrument = self._terms_for(symbol).instrument
            pair = self._pairs[symbol] = instrument.base, instrument.quote
        return pair

    def _terms_for(self, symbol: Symbol) -> Terms:
        terms = self._terms.get(symbol)
        if terms is None:
            terms = self._terms[symbol] = terms_of(self._settings, symbol)
        return terms


def fill_whole(
    before: Progress, event: MarketEvent, place: Place, terms: Terms, free: Decimal
) -> tuple[Progress, Fill, Decimal] | None:
    """Do at once what `advance` does to a market order that its first candle fills as a whole.

    Almost all orders of a backtest are such. Gives what was locked too; None when it is another
    case, which is `advance`'s.
    """
    order = before.order
    if order.limit_price is not None or not isinstance(event, Candle):
        return None
    quantity, price = order.quantity, taker_price(order, event, terms)
    if quantity > round_down(event.volume * terms.participation, terms.instrument.quantity_step):
        return None
    value, rate = quantity * price, terms.taker_fee_rate
    locked = quantity
    if order.side is Side.BUY:
        cost = value * (1 + max(rate, ZERO))
        locked = min(cost * MARKET_LOCK_MARGIN, free)
        if cost > free or quantity * (price * (1 + rate)) > locked:
            return None
    elif quantity > free:
        return None
    fill = Fill(
        trade_id=TradeId(f"{order.client_order_id}-1"),
        price=price,
        quantity=quantity,
        fee=value * rate,
        fee_currency=terms.instrument.quote,
        liquidity=Liquidity.TAKER,
        ts_event_ns=event.ts_event_ns,
    )
    after = Progress(
        row=before.row,
        order=order,
        arrival_ns=before.arrival_ns,
        state=OrderState.FILLED,
        filled=quantity,
        value=value,
        fill_count=1,
        started=True,
        cursor=place,
    )
    return after, fill, locked


def terms_of(settings: PaperSettings, symbol: Symbol) -> Terms:
    """Give what the venue charges and gives in one symbol."""
    configured = {one.symbol: one for one in settings.instruments}
    return Terms(
        instrument=configured.get(symbol) or Instrument(symbol=symbol),
        maker_fee_rate=settings.maker_fee_bps * BPS,
        taker_fee_rate=settings.taker_fee_bps * BPS,
        slippage_rate=settings.slippage_bps * BPS,
        participation=settings.participation,
    )


def _turn(progress: Progress) -> tuple[int, int]:
    return progress.arrival_ns, progress.row
