"""Between which trades of a symbol something was lost that was never published. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from messages.ids import Symbol, TimestampNs
from messages.market import FeedGap, MarketBatch, MarketEvent, Trade


class PublishedTrades:
    """The newest trade of each symbol, over all incarnations of a publisher.

    `traded_ns` says what the stream had already.
    """

    def __init__(
        self, symbols: Iterable[Symbol] = (), traded_ns: Mapping[Symbol, int] | None = None
    ) -> None:
        self._symbols = tuple(symbols)
        self._stored_ns: dict[Symbol, int] = dict(traded_ns or {})
        self._sent_ns = dict(self._stored_ns)
        self._oldest_ns = 0
        """The first moment that was published of; 0 before that."""
        self._under_way: deque[tuple[int, dict[Symbol, int]]] = deque()

    def begin_anew(self) -> None:
        """Know only what is stored: what was under way is sent again, or lost with its sender."""
        self._under_way.clear()
        self._sent_ns = dict(self._stored_ns)

    def sent(self, events: Iterable[MarketEvent], next_index: int) -> None:
        """Note what is under way to the stream; `next_index` is that of the event behind it."""
        newest: dict[Symbol, int] = {}
        for event in events:
            self._oldest_ns = self._oldest_ns or event.ts_event_ns
            if isinstance(event, Trade):
                newest[event.symbol] = event.ts_event_ns
        self._sent_ns |= newest
        self._under_way.append((next_index, newest))

    def stored(self, next_index: int) -> None:
        """Note that the stream has every event below this one."""
        while self._under_way and self._under_way[0][0] <= next_index:
            self._stored_ns |= self._under_way.popleft()[1]

    def gaps(self, batch: MarketBatch, now_ns: int) -> Iterator[FeedGap]:
        """Give, of each symbol, between which trades those are missing that the batch lacks.

        What was lost may be of any symbol. Where the next trade is not in the batch, it happened
        before now; where none was published, after the first that we know of.
        """
        first_ns = batch.events[0].ts_event_ns
        next_ns: dict[Symbol, int] = {}
        for event in batch.events:
            if isinstance(event, Trade):
                next_ns.setdefault(event.symbol, event.ts_event_ns)
        for symbol in self._symbols:
            until_ns = next_ns.get(symbol, max(now_ns, first_ns))
            since_ns = self._sent_ns.get(symbol) or self._oldest_ns or first_ns
            yield FeedGap(
                feed=batch.feed,
                symbol=symbol,
                ts_from_ns=TimestampNs(min(since_ns, until_ns)),
                ts_to_ns=TimestampNs(until_ns),
                missing=0,
            )
