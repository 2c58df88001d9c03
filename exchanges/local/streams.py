"""From what the exchange does to what its streams tell, in Binance's words."""

from exchanges.local import stream_binance as wire
from exchanges.local.account import Balance
from exchanges.local.candles import INTERVALS
from exchanges.local.effects import Effects
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults_streams import USER
from exchanges.local.filters import Market
from exchanges.local.hub import Hub
from exchanges.local.orders import BalanceEvent, Event, OrderEvent, PublicTrade
from messages.ids import NS_PER_MS
from messages.values import Side

_MINI_TICKER_MS = 1_000


class Streams:
    """Tells a hub's subscribers about one exchange: trades at once, states when `flush`ed."""

    def __init__(self, exchange: LocalExchange, hub: Hub) -> None:
        self._exchange = exchange
        self._hub = hub
        self._told_bars: dict[str, int] = {}
        self._told: dict[str, object] = {}
        self._ts_mini_ms: dict[str, int] = {}
        exchange.listen(self._on_effects)

    def _on_effects(self, effects: Effects) -> None:
        wanted = self._hub.subscribed()
        for event in effects.events:
            self._on_event(event, wanted)
        if USER in wanted and effects.assets:
            balances = self._exchange.engine.account.balances
            moved: dict[str, Balance] = {asset: balances[asset] for asset in effects.assets}
            self._hub.post(USER, wire.position(moved, self._now_ms()))

    def _on_event(self, event: Event, wanted: set[str]) -> None:
        if isinstance(event, PublicTrade):
            market = self._exchange.engine.markets[event.symbol]
            for kind, make in (("trade", wire.trade), ("aggTrade", wire.agg_trade)):
                stream = f"{market.venue_id.lower()}@{kind}"
                if stream in wanted:
                    self._hub.post(stream, make(event, market))
        elif USER not in wanted:
            return
        elif isinstance(event, OrderEvent):
            market = self._exchange.engine.markets[event.order.symbol]
            self._hub.post(USER, wire.execution_report(event, market, self._now_ms()))
        elif isinstance(event, BalanceEvent) and event.delta is not None:
            ts_ms = event.ts_ns // NS_PER_MS
            self._hub.post(USER, wire.balance_update(event.assets[0], event.delta, ts_ms))

    def flush(self) -> None:
        """Tell what has changed of books, candles and tickers since the last call."""
        wanted = self._hub.subscribed()
        with self._exchange.operation():
            for market in self._exchange.engine.markets.values():
                prefix = market.venue_id.lower() + "@"
                for stream in sorted(wanted):
                    if stream.startswith(prefix):
                        self._flush_one(stream, stream.removeprefix(prefix), market)

    def _flush_one(self, stream: str, kind: str, market: Market) -> None:
        if kind in ("depth@100ms", "depth"):
            book = self._exchange.engine.books[market.symbol]
            diff = self._exchange.depth[market.symbol].take(book)
            if diff is not None:
                self._hub.post(stream, wire.depth(diff, market, self._market_ms()))
        elif kind == "bookTicker":
            self._flush_best(stream, market)
        elif kind == "miniTicker":
            self._flush_mini(stream, market)
        elif kind.startswith("kline_") and kind.removeprefix("kline_") in INTERVALS:
            self._flush_bars(stream, kind.removeprefix("kline_"), market)

    def _flush_best(self, stream: str, market: Market) -> None:
        book = self._exchange.engine.books[market.symbol]
        bids, asks = book.levels(Side.BUY, 1), book.levels(Side.SELL, 1)
        if (bids, asks) == self._told.get(stream):
            return
        self._told[stream] = (bids, asks)
        update_id = self._exchange.depth_update_id(market.symbol)
        self._hub.post(stream, wire.book_ticker(bids, asks, market, update_id))

    def _flush_mini(self, stream: str, market: Market) -> None:
        now_ms = self._exchange.clock.machine_ns() // NS_PER_MS
        if now_ms - self._ts_mini_ms.get(stream, 0) < _MINI_TICKER_MS:
            return
        day = self._exchange.players[market.symbol].bars.day()
        if day is not None:
            self._ts_mini_ms[stream] = now_ms
            self._hub.post(stream, wire.mini_ticker(day, market, self._market_ms()))

    def _flush_bars(self, stream: str, interval: str, market: Market) -> None:
        """Tell the bar at work if it has changed, and before it those that ended meanwhile."""
        bars = self._exchange.players[market.symbol].bars.recent(interval, self._since(stream))
        if not bars or (bars[-1].open_ms, bars[-1].count) == self._told.get(stream):
            return
        self._told[stream] = (bars[-1].open_ms, bars[-1].count)
        self._told_bars[stream] = bars[-1].open_ms
        for bar in bars:
            self._hub.post(
                stream,
                wire.kline(bar, market, interval, self._market_ms(), is_closed=bar is not bars[-1]),
            )

    def _since(self, stream: str) -> int | None:
        return self._told_bars.get(stream)

    def _now_ms(self) -> int:
        return self._exchange.clock.now_ns() // NS_PER_MS

    def _market_ms(self) -> int:
        return self._exchange.clock.market_ns() // NS_PER_MS
