"""One-minute bars of the market so far, and longer ones made of them."""

from collections import deque
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from messages.ids import NS_PER_MS

MINUTE_MS = 60_000
INTERVALS = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360,
    "8h": 480, "12h": 720, "1d": 1440,
}  # fmt: skip
"""Minutes per interval, as Binance writes them."""
KEPT = 3_000


class Bar(msgspec.Struct, kw_only=True):
    """Prices in quote currency, volume in base; times in milliseconds."""

    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    count: int
    taker_buy_volume: Decimal
    taker_buy_quote: Decimal
    first_trade_id: int
    last_trade_id: int

    def absorb(self, other: "Bar") -> None:
        """Take a later bar in."""
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.quote_volume += other.quote_volume
        self.count += other.count
        self.taker_buy_volume += other.taker_buy_volume
        self.taker_buy_quote += other.taker_buy_quote
        self.last_trade_id = other.last_trade_id
        if self.first_trade_id < 0:
            self.first_trade_id = other.first_trade_id


class Bars:
    """The last three thousand minutes of one symbol."""

    def __init__(self) -> None:
        self._minutes: deque[Bar] = deque(maxlen=KEPT)

    def add(
        self, ts_ns: int, price: Decimal, quantity: Decimal, trade_id: int, *, is_buyer_maker: bool
    ) -> None:
        """Count one trade."""
        quote = price * quantity
        bought = Decimal(0) if is_buyer_maker else quantity
        bar = flat_bar(ts_ns // NS_PER_MS // MINUTE_MS * MINUTE_MS, price)
        bar.volume, bar.quote_volume, bar.count = quantity, quote, 1
        bar.taker_buy_volume, bar.taker_buy_quote = bought, bought * price
        bar.first_trade_id = bar.last_trade_id = trade_id
        self.put(bar)

    def put(self, bar: Bar) -> None:
        """Add a bar of one minute, or merge it into that minute's; minutes missing are flat."""
        minutes = self._minutes
        while minutes and minutes[-1].close_ms + 1 < bar.open_ms and len(minutes) < KEPT:
            minutes.append(flat_bar(minutes[-1].close_ms + 1, minutes[-1].close))
        if minutes and minutes[-1].open_ms >= bar.open_ms:
            minutes[-1].absorb(bar)
        else:
            minutes.append(bar)

    def of(self, interval: str) -> list[Bar]:
        """Give bars of an interval, oldest first; the last one is not over yet."""
        length_ms = INTERVALS[interval] * MINUTE_MS
        return list(_merged(self._minutes, length_ms))

    def last(self, interval: str) -> Bar | None:
        """Give the bar that is not over yet."""
        if not self._minutes:
            return None
        length_ms = INTERVALS[interval] * MINUTE_MS
        since_ms = self._minutes[-1].open_ms // length_ms * length_ms
        recent = [bar for bar in self._minutes if bar.open_ms >= since_ms]
        return next(_merged(recent, length_ms))

    def recent(self, interval: str, since_ms: int | None) -> list[Bar]:
        """Give the bars since the one that opened at `since_ms`; without it, the last one."""
        last = self.last(interval)
        if last is None or since_ms is None or since_ms >= last.open_ms:
            return [] if last is None else [last]
        return [bar for bar in self.of(interval) if bar.open_ms >= since_ms]

    def day(self) -> Bar | None:
        """Give the last 24 hours, or as much of them as is known, as one bar."""
        if not self._minutes:
            return None
        since_ms = self._minutes[-1].open_ms - INTERVALS["1d"] * MINUTE_MS
        recent = [bar for bar in self._minutes if bar.open_ms > since_ms]
        whole = msgspec.structs.replace(recent[0])
        for bar in recent[1:]:
            whole.absorb(bar)
        whole.close_ms = recent[-1].close_ms
        return whole


def flat_bar(open_ms: int, price: Decimal) -> Bar:
    """Make a minute without trades."""
    zero = Decimal(0)
    return Bar(
        open_ms=open_ms,
        close_ms=open_ms + MINUTE_MS - 1,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=zero,
        quote_volume=zero,
        count=0,
        taker_buy_volume=zero,
        taker_buy_quote=zero,
        first_trade_id=-1,
        last_trade_id=-1,
    )


def _merged(minutes: "deque[Bar] | list[Bar]", length_ms: int) -> Iterator[Bar]:
    whole: Bar | None = None
    for bar in minutes:
        open_ms = bar.open_ms // length_ms * length_ms
        if whole is not None and whole.open_ms == open_ms:
            whole.absorb(bar)
            continue
        if whole is not None:
            yield whole
        whole = msgspec.structs.replace(bar, open_ms=open_ms, close_ms=open_ms + length_ms - 1)
    if whole is not None:
        yield whole
