"""What a feed has told a test, by kind."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from exchanges.feed_settings import FeedItem
from messages.market import Candle, FeedGap, FeedHistory, FeedPhase, FeedState, Trade


class Told(ABC):
    """All that one feed told; who follows it says how to wait for more."""

    def __init__(self) -> None:
        self.told: list[FeedItem] = []

    @abstractmethod
    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until it is so; fail when that takes too long."""

    def until_phase(self, phase: FeedPhase, times: int = 1) -> None:
        self.until(lambda: self.phases().count(phase) >= times)

    def until_candles(self, count: int) -> list[Candle]:
        self.until(lambda: len(self.candles()) >= count)
        return self.candles()

    def until_trades(self, count: int) -> list[Trade]:
        self.until(lambda: len(self.trades()) >= count)
        return self.trades()

    def candles(self) -> list[Candle]:
        return [x for x in self.told if isinstance(x, Candle)]

    def trades(self) -> list[Trade]:
        return [x for x in self.told if isinstance(x, Trade)]

    def history(self) -> list[Candle]:
        return [c for x in self.told if isinstance(x, FeedHistory) for c in x.candles]

    def gaps(self) -> list[FeedGap]:
        return [x for x in self.told if isinstance(x, FeedGap)]

    def states(self) -> list[FeedState]:
        return [x for x in self.told if isinstance(x, FeedState)]

    def phases(self) -> list[FeedPhase]:
        return [state.phase for state in self.states()]
