"""From ccxt's public market data to bars, trades and ticks. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from exchanges.candle_builder import Bar
from exchanges.ccxt_numbers import milliseconds_ns
from exchanges.source import SourceStats
from messages.ids import NS_PER_MS, Symbol, TimestampNs
from messages.market import Tick, Trade
from messages.values import Side

_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_BAR_FIELDS = 6
_DIGITS_MAX = 30
_FOLDED_MAX = 1_000
"""So many of one row are named: REST shows no older ones beside it."""


class Told(msgspec.Struct, frozen=True, gc=False):
    """A trade as an exchange told it; `folded` names the others that its row stands for."""

    name: str
    trade: Trade
    folded: tuple[str, ...] = ()


def price_of(value: Any) -> Decimal | None:
    """Read a finite number.

    Some of ccxt's stream parsers make floats: such a one is read by its shortest decimal, which
    is what the exchange wrote up to some fifteen digits.
    """
    try:
        read = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, TypeError, ValueError):
        return None
    return read if read.is_finite() else None


def bars_of(
    rows: Iterable[Sequence[Any]], stats: SourceStats, latest_ns: int | None = None
) -> Iterator[Bar]:
    """Read rows of time in ms, open, high, low, close, volume; what can't be read is counted.

    So is what is later than `latest_ns`: it would be believed before all that is true.
    """
    for row in rows:
        numbers = [price_of(value) for value in row[1:_BAR_FIELDS]]
        opened = milliseconds_ns(row[0]) if row else 0
        open_, high, low, close, volume = (*numbers, None, None, None, None, None)[:5]
        if (
            not opened
            or open_ is None
            or high is None
            or low is None
            or close is None
            or volume is None
        ):
            stats.malformed += 1
            stats.note(f"a candle that cannot be read: {list(row)!r}"[:200])
        elif latest_ns is not None and opened > latest_ns:
            stats.malformed += 1
            stats.note(f"a candle far ahead of its market: {list(row)!r}"[:200])
        else:
            yield Bar(opened, open_, high, low, close, volume)


def trades_of(
    rows: Iterable[Mapping[str, Any]],
    symbol: Symbol,
    stats: SourceStats,
    latest_ns: int | None = None,
) -> Iterator[Told]:
    """Read public trades with their ids; what can't be read, or is later than this, is counted."""
    for row in rows:
        price, quantity = price_of(row.get("price")), price_of(row.get("amount"))
        at_ns = milliseconds_ns(row.get("timestamp"))
        if price is None or quantity is None or not at_ns or price <= 0 or quantity <= 0:
            stats.malformed += 1
            stats.note(f"{symbol}: a trade that cannot be read: {row.get('id')!r}")
            continue
        if latest_ns is not None and at_ns > latest_ns:
            stats.malformed += 1
            stats.note(f"{symbol}: a trade far ahead of its market: {row.get('id')!r}")
            continue
        name = _identity(row, f"{price.normalize():f}:{quantity.normalize():f}:{row.get('side')}")
        trade = Trade(
            symbol=symbol,
            price=price,
            quantity=quantity,
            aggressor_side=_SIDES.get(str(row.get("side"))),
            ts_event_ns=at_ns,
        )
        yield Told(name, trade, _folded(row, name))


def _identity(row: Mapping[str, Any], what: str) -> str:
    """Name a trade, alike by the stream and by REST, whose ids ccxt takes from two places.

    KuCoin's REST tells no id and the time in ns; HTX tells two ids under three names; MEXC none.
    """
    told = row.get("info")
    own = told if isinstance(told, Mapping) else {}
    if "sequence" in own and own.get("time"):
        return f"{own['time']}:{what}"
    name = own.get("trade-id") or own.get("tradeId") or row.get("id")
    return str(name or f"{row.get('timestamp')}:{what}")


def _folded(row: Mapping[str, Any], last: str) -> tuple[str, ...]:
    """Name the others that a row stands for: OKX's stream tells what one order took at a price.

    Such a row bears the id of its last trade, and says how many there were; REST tells each.
    """
    told = row.get("info")
    own = told if isinstance(told, Mapping) else {}
    count = str(own.get("count", "")) if own.get("tradeId") else ""
    if not (_is_whole(count) and _is_whole(last)):
        return ()
    others = min(int(count) - 1, _FOLDED_MAX)
    return tuple(str(int(last) - number) for number in range(others, 0, -1))


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX


def tick_of(row: Mapping[str, Any], symbol: Symbol, now_ns: int) -> Tick | None:
    """Read a best bid and ask; None where one side is empty or they cross."""
    bid, ask = _best(row, "bid", "bids"), _best(row, "ask", "asks")
    if bid is None or ask is None or not 0 < bid < ask:
        return None
    return Tick(
        symbol=symbol,
        bid_price=bid,
        ask_price=ask,
        ts_event_ns=milliseconds_ns(row.get("timestamp"), now_ns // NS_PER_MS * NS_PER_MS),
        ts_received_ns=TimestampNs(now_ns),
    )


def _best(row: Mapping[str, Any], name: str, levels: str) -> Decimal | None:
    if row.get(levels):
        return price_of(row[levels][0][0])
    return price_of(row.get(name))
