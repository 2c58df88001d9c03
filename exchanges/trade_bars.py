"""Bars made of trades, for exchanges without a stream of bars. Pure."""

from collections.abc import Iterable

import msgspec

from exchanges.candle_builder import Bar
from messages.market import Trade
from messages.timeframes import opened_ns

_KEPT_IDS = 20_000

Turn = tuple[int, int, str]
"""When a trade was, among others: its time, then its id, numbers by size."""


class _Forming(msgspec.Struct):
    bar: Bar
    first: Turn
    last: Turn


class TradeBars:
    """Trades in any order, any of them again, give the same bars.

    A bar counts only if no trade of it can have been missed: it opens after the first trade
    that was seen since the beginning or since `interrupted`.
    """

    def __init__(self, timeframe_ns: int) -> None:
        self._timeframe_ns = timeframe_ns
        self._forming: dict[int, _Forming] = {}
        self._seen: dict[str, None] = {}
        self._whole_from_ns: int | None = None
        self._shift_ns: int | None = None

    def align(self, opened_ns: int) -> None:
        """Open bars where the exchange's own do, of which this is one: some begin on Thursdays."""
        self._shift_ns = opened_ns % self._timeframe_ns

    def add(self, trade_id: str, trade: Trade, folded: Iterable[str] = ()) -> Bar | None:
        """Take a trade and give its bar so far; None when it was known, or the bar is not whole.

        `folded` are the ids of those that are told in it.
        """
        if trade_id in self._seen:
            return None
        self._seen |= dict.fromkeys((*folded, trade_id))
        while len(self._seen) > _KEPT_IDS:
            del self._seen[next(iter(self._seen))]
        if self._whole_from_ns is None:
            self._whole_from_ns = trade.ts_event_ns
        open_ns = opened_ns(trade.ts_event_ns, self._timeframe_ns, self._shift_ns)
        return self._added(open_ns, trade_id, trade) if open_ns >= self._whole_from_ns else None

    def interrupted(self) -> None:
        """Begin anew: trades may have been missed."""
        self._forming.clear()
        self._whole_from_ns = None

    def _added(self, open_ns: int, trade_id: str, trade: Trade) -> Bar:
        turn, price = _turn(trade_id, trade), trade.price
        known = self._forming.get(open_ns)
        if known is None:
            bar = Bar(open_ns, price, price, price, price, trade.quantity)
            self._forming[open_ns] = _Forming(bar, turn, turn)
            while len(self._forming) > 3:
                del self._forming[min(self._forming)]
            return bar
        known.bar = Bar(
            open_ns,
            price if turn < known.first else known.bar.open,
            max(known.bar.high, price),
            min(known.bar.low, price),
            price if turn > known.last else known.bar.close,
            known.bar.volume + trade.quantity,
        )
        known.first, known.last = min(known.first, turn), max(known.last, turn)
        return known.bar


def _turn(trade_id: str, trade: Trade) -> Turn:
    size = int(trade_id) if trade_id.isascii() and trade_id.isdigit() else 0
    return trade.ts_event_ns, size, trade_id
