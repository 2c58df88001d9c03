"""What the account has won or lost, per quote currency, and which loss limit that reaches.

Equity is the profit since the beginning, marked to market: money in less money out, and what
is held at its last price. It is 0 at the beginning, whatever the account holds. No division,
so no rounding: fills in any order give the same equity. Currencies are never added to each
other; a fee in a currency that is neither side of its symbol has no price here and is in no
loss.

The state holds the deepest losses and no limit, so that a limit once reached stays reached
when the market comes back, and is found again by showing the same fills and marks again.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from heapq import merge
from operator import itemgetter

import msgspec

from decisions.risk_limits import RiskLimits
from messages.exact import EXACT, NOTHING, is_sane, is_sane_signed
from messages.ids import DAY_NS, Symbol, TimestampNs, base_of, quote_of
from messages.learning import learn
from messages.orders import Fill
from messages.values import Side

SidedFill = tuple[Side, Fill]
Mark = tuple[TimestampNs, Decimal]
"""When, and the price."""

_Shown = tuple[TimestampNs, int, Symbol, SidedFill | Decimal | None]


class Holding(msgspec.Struct, kw_only=True):
    """One symbol. `cash` in quote currency, positive when money came in; fees are in it."""

    quantity: Decimal = NOTHING
    """Base currency, signed, less fees paid in it."""
    cash: Decimal = NOTHING
    price: Decimal = NOTHING
    """Of the last mark, or of a later fill."""
    marked: bool = False
    priced_at_ns: TimestampNs = TimestampNs(0)
    """Of the last mark or fill: at the prices before, which a warm-up shows, it was not held."""

    @property
    def worth(self) -> Decimal:
        """What the trading on this symbol would have brought if it were closed at the price."""
        return EXACT.fma(self.quantity, self.price, self.cash)


class QuoteEquity(msgspec.Struct, kw_only=True):
    """All symbols of one quote currency."""

    equity: Decimal = NOTHING
    peak: Decimal = NOTHING
    """The highest equity so far, or since a person resumed; the beginning counts."""
    drawdown: Decimal = NOTHING
    """The deepest fall below a peak before it, since then."""
    day: int = -1
    """The UTC day of the last change, counted from 1970."""
    day_opening: Decimal = NOTHING
    """The equity with which that day began."""
    day_loss: Decimal = NOTHING
    """The deepest fall below the opening on that day."""


class EquityBook(msgspec.Struct, kw_only=True):
    """Everything the loss limits need. Plain data: it survives JSON, and so a restart."""

    holdings: dict[Symbol, Holding] = msgspec.field(default_factory=dict)
    quotes: dict[str, QuoteEquity] = msgspec.field(default_factory=dict)
    unusable: str = ""
    """Why the equity is not known; then a loss limit counts as reached."""


learn(EquityBook)


class ReachedLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A loss limit that was reached: no new risk in this quote currency."""

    code: str
    quote: str
    until_ns: TimestampNs | None
    """When it ends by itself; None: when a person resumes."""
    text: str


def record_fill(symbol: Symbol, side: Side, fill: Fill, book: EquityBook) -> None:
    """Count one execution. Each must come once: trade ids are the ledger's concern.

    One with numbers that make no sense leaves the equity unknown, for good.
    """
    if not (is_sane(fill.price) and is_sane(fill.quantity) and is_sane_signed(fill.fee)):
        book.unusable = f"fill {fill.trade_id} of {symbol}: {fill.quantity} at {fill.price}"
        return
    holding = book.holdings.setdefault(symbol, Holding())
    before = holding.worth
    bought = side.signed(fill.quantity)
    holding.quantity = EXACT.add(holding.quantity, bought)
    holding.cash = EXACT.fma(bought.copy_negate(), fill.price, holding.cash)
    if fill.fee_currency == quote_of(symbol):
        holding.cash = EXACT.subtract(holding.cash, fill.fee)
    elif fill.fee_currency == base_of(symbol):
        holding.quantity = EXACT.subtract(holding.quantity, fill.fee)
    if not holding.marked or fill.ts_event_ns > holding.priced_at_ns:
        holding.price = fill.price
    holding.priced_at_ns = max(holding.priced_at_ns, fill.ts_event_ns)
    _move(symbol, EXACT.subtract(holding.worth, before), fill.ts_event_ns, book)


def record_mark(
    symbol: Symbol,
    price: Decimal,
    ts_event_ns: TimestampNs,
    book: EquityBook,
    now_ns: TimestampNs | None = None,
) -> None:
    """Value what is or will be held of a symbol at a new price.

    A senseless one is passed over, and one from before what is known. What is known from after
    `now_ns` was stamped by a clock that has been set back since, and is no later than that.
    """
    if not is_sane(price):
        return
    holding = book.holdings.setdefault(symbol, Holding())
    known_ns = holding.priced_at_ns
    if ts_event_ns < (known_ns if now_ns is None else min(known_ns, now_ns)):
        return
    if holding.quantity:
        change = EXACT.multiply(holding.quantity, EXACT.subtract(price, holding.price))
        _move(symbol, change, ts_event_ns, book)
    holding.price, holding.marked, holding.priced_at_ns = price, True, ts_event_ns


def is_at_risk(book: EquityBook) -> bool:
    """Whether a price can move anything: else none is worth being kept."""
    return any(one.quantity for one in book.holdings.values())


def forgive_drawdown(book: EquityBook) -> None:
    """Begin the drawdown anew at the present equity: a person resumed. Today's loss stays."""
    for one in book.quotes.values():
        one.peak, one.drawdown = one.equity, NOTHING


def forgiven(limits: RiskLimits, book: EquityBook) -> EquityBook | None:
    """Give the book in which a person forgave what is down; None: no drawdown stops anything.

    Nor is an equity forgiven that nobody knows.
    """
    reached = (
        one
        for quote in limits.max_drawdown
        for one in _drawn_down(limits, book, quote, book.quotes.get(quote, QuoteEquity()))
    )
    if book.unusable or not any(reached):
        return None
    after = msgspec.json.decode(msgspec.json.encode(book), type=EquityBook)
    forgive_drawdown(after)
    return after


def rebuild_equity(
    fills: Mapping[Symbol, Iterable[SidedFill]],
    marks: Mapping[Symbol, Iterable[Mark]] | None = None,
    resumed_at_ns: TimestampNs | None = None,
) -> EquityBook:
    """Give the book that recording all of this in its order of time would have given.

    Each symbol's fills and marks come in their own order of time. At one moment fills come
    before marks and a person's word is last; of resumes only the last matters. Losses that
    only marks showed are found again only when those marks are among `marks`.
    """
    book = EquityBook()
    streams = [_timed(symbol, sided) for symbol, sided in fills.items()]
    streams += [_priced(symbol, prices) for symbol, prices in (marks or {}).items()]
    if resumed_at_ns is not None:
        streams.append(iter([(resumed_at_ns, 2, Symbol(""), None)]))
    for at_ns, _, symbol, shown in merge(*streams, key=itemgetter(0, 1, 2)):
        if shown is None:
            forgive_drawdown(book)
        elif isinstance(shown, Decimal):
            record_mark(symbol, shown, at_ns, book)
        else:
            record_fill(symbol, *shown, book)
    return book


def reached_limits(
    limits: RiskLimits, book: EquityBook, quote: str, now_ns: TimestampNs
) -> tuple[ReachedLimit, ...]:
    """Give the loss limits that were reached in one currency, the longest lasting first.

    Reached is reached: a market that came back does not lift it. The daily one ends with the
    UTC day, the drawdown when a person resumes (`forgive_drawdown`).
    """
    one = book.quotes.get(quote, QuoteEquity())
    return (*_drawn_down(limits, book, quote, one), *_lost_today(limits, book, quote, one, now_ns))


def _drawn_down(
    limits: RiskLimits, book: EquityBook, quote: str, one: QuoteEquity
) -> Iterator[ReachedLimit]:
    limit = limits.max_drawdown.get(quote)
    if limit is None or not (book.unusable or one.drawdown >= limit):
        return
    text = (
        f"down {one.drawdown:f} {quote} from a peak; {limit:f} are allowed, until a person resumes"
    )
    yield ReachedLimit(code="max_drawdown", quote=quote, until_ns=None, text=_unknown(book) or text)


def _lost_today(
    limits: RiskLimits, book: EquityBook, quote: str, one: QuoteEquity, now_ns: TimestampNs
) -> Iterator[ReachedLimit]:
    limit = limits.max_daily_loss.get(quote)
    day = max(now_ns // DAY_NS, one.day)
    loss = one.day_loss if day == one.day else NOTHING
    if limit is None or not (book.unusable or loss >= limit):
        return
    until_ns = None if book.unusable else TimestampNs((day + 1) * DAY_NS)
    text = f"{loss:f} {quote} lost since 00:00 UTC; {limit:f} are allowed, until the day ends"
    text = _unknown(book) or text
    yield ReachedLimit(code="max_daily_loss", quote=quote, until_ns=until_ns, text=text)


def _unknown(book: EquityBook) -> str:
    return book.unusable and f"the equity is not known, since {book.unusable}"


def _move(symbol: Symbol, change: Decimal, at_ns: TimestampNs, book: EquityBook) -> None:
    """Days only go forward: what is reported after midnight counts for the new day."""
    one = book.quotes.setdefault(quote_of(symbol), QuoteEquity())
    if at_ns // DAY_NS > one.day:
        one.day, one.day_opening, one.day_loss = at_ns // DAY_NS, one.equity, NOTHING
    one.equity = EXACT.add(one.equity, change)
    one.peak = max(one.peak, one.equity)
    one.drawdown = max(one.drawdown, EXACT.subtract(one.peak, one.equity))
    one.day_loss = max(one.day_loss, EXACT.subtract(one.day_opening, one.equity))


def _timed(symbol: Symbol, fills: Iterable[SidedFill]) -> Iterator[_Shown]:
    for sided in fills:
        yield sided[1].ts_event_ns, 0, symbol, sided


def _priced(symbol: Symbol, marks: Iterable[Mark]) -> Iterator[_Shown]:
    for at_ns, price in marks:
        yield at_ns, 1, symbol, price
