"""From raw rows to usable events, in one pass. No row is so bad that it stops the pass.

Malformed rows, duplicates and rows out of order are counted and dropped; a gap is counted and
the row after it passes. Which times may follow each other is in `exchanges.row_times`.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation

from exchanges.raw_rows import Row
from exchanges.row_faults import why_not_a_candle, why_not_a_trade
from exchanges.row_tally import Tally
from exchanges.row_times import WILD, WILD_FIRST, Leap, Sequencer
from exchanges.source import SourceStats
from exchanges.times import time_ns
from messages.exact import NOTHING
from messages.ids import DurationNs, Symbol, TimestampNs
from messages.market import Candle, Trade
from messages.values import Side

_SMALLEST = Decimal("1e-18")
_LARGEST = Decimal("1e18")
_ANY = Symbol("")
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


def candles(
    rows: Iterable[Row],
    symbol: Symbol,
    timeframe_ns: DurationNs,
    tally: Tally,
    start_index: int = 0,
    sequencer: Sequencer | None = None,
) -> Iterator[Candle]:
    """Give usable candles from rows of open time, open, high, low, close, volume.

    `sequencer` knows the candle before the first row, where the rows are not the first.
    """
    # One flat loop, kept free of calls: it is walked millions of times in a backtest.
    sequencer = sequencer or Sequencer(timeframe_ns, tally)
    expected_ns, index, stats = sequencer.expected_ns, 0, tally.stats
    for row, fields in rows:
        try:
            time, opened, high, low, close, volume = fields
            open_ns = time_ns(time)
            o, h, lo, c = Decimal(opened), Decimal(high), Decimal(low), Decimal(close)
            v = Decimal(volume)
            sound = (
                _SMALLEST <= lo <= o <= h <= _LARGEST and lo <= c <= h and NOTHING <= v <= _LARGEST
            )
        except (ValueError, InvalidOperation):
            sound = False
        if not sound:
            tally.malformed(row, why_not_a_candle(fields))
            continue
        if open_ns != expected_ns and not sequencer.admits(row, open_ns):
            continue
        sequencer.last_ns, expected_ns = open_ns, open_ns + timeframe_ns
        if row > stats.reached:
            stats.reached = row
            stats.usable += 1
        if index >= start_index:
            yield Candle(
                symbol=symbol,
                open=o,
                high=h,
                low=lo,
                close=c,
                volume=v,
                ts_open_ns=TimestampNs(open_ns),
                ts_event_ns=TimestampNs(expected_ns),
            )
        index += 1


def trades(
    rows: Iterable[Row],
    symbol: Symbol,
    tally: Tally,
    start_index: int = 0,
    wild_first: int = 0,
) -> Iterator[Trade]:
    """Give usable trades from rows of time, price, quantity, aggressor's side, trade id.

    Trades of one moment are distinct unless their ids are equal; an empty id is no id.
    `wild_first` is what `row_times.wild_first_row` gives.
    """
    last_ns, index, ids, leap = -1, 0, set[str](), Leap()
    for row, fields in rows:
        trade = _trade(fields, symbol)
        if trade is None:
            tally.malformed(row, why_not_a_trade(fields))
            continue
        is_wild = leap.is_wild(last_ns, trade.ts_event_ns)
        if is_wild or row == wild_first:
            tally.malformed(row, WILD if is_wild else WILD_FIRST)
            continue
        if trade.ts_event_ns < last_ns:
            tally.out_of_order(row, "older than the row before")
            continue
        if trade.ts_event_ns > last_ns:
            last_ns = trade.ts_event_ns
            ids.clear()
        if fields[4] and fields[4] in ids:
            tally.duplicate(row, "a trade id that was there already")
            continue
        ids.add(fields[4])
        tally.usable(row)
        if index >= start_index:
            yield trade
        index += 1


def sound_candles(rows: Iterable[Row]) -> Iterator[tuple[int, int]]:
    """Give number and opening time of each row that is a candle when looked at alone."""
    untold = Tally(SourceStats(), "")
    for row in rows:
        for candle in candles([row], _ANY, DurationNs(0), untold):
            yield row[0], candle.ts_open_ns


def sound_trades(rows: Iterable[Row]) -> Iterator[tuple[int, int]]:
    """Give number and time of each row that is a trade when looked at alone."""
    for row, fields in rows:
        trade = _trade(fields, _ANY)
        if trade is not None:
            yield row, trade.ts_event_ns


def _trade(fields: Sequence[str], symbol: Symbol) -> Trade | None:
    try:
        ts_ns, price, quantity = time_ns(fields[0]), Decimal(fields[1]), Decimal(fields[2])
        if not (_SMALLEST <= price <= _LARGEST and _SMALLEST <= quantity <= _LARGEST):
            return None
    except (ValueError, InvalidOperation):
        return None
    return Trade(
        symbol=symbol,
        price=price,
        quantity=quantity,
        aggressor_side=_SIDES.get(fields[3]),
        ts_event_ns=TimestampNs(ts_ns),
    )
