"""What a stream had before a bot came: the last candles of each symbol are its history. Pure."""

from collections import deque

from exchanges.feed_settings import FeedItem, FeedRequest
from messages.ids import Symbol
from messages.market import Candle, FeedHistory


class Past:
    """The last candles of each symbol before we came: as many as are wanted, and no more."""

    def __init__(self, request: FeedRequest) -> None:
        self._bars: dict[Symbol, deque[Candle]] = {
            symbol: deque(maxlen=request.history) for symbol in request.symbols
        }

    def take(self, item: FeedItem) -> None:
        """Keep a candle; trades and gaps of the past interest nobody."""
        if isinstance(item, Candle):
            self._bars[item.symbol].append(item)

    def histories(self) -> list[FeedHistory]:
        """Give what is there."""
        return [
            FeedHistory(symbol=symbol, candles=tuple(bars))
            for symbol, bars in self._bars.items()
            if bars
        ]
