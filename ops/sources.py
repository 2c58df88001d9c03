"""From config to the outside world: the market source and the paper venue's settings."""

from exchanges.demo import DemoSource
from exchanges.merge import LimitedSource, MergedSource
from exchanges.paper_settings import PaperSettings
from exchanges.source import MarketSource
from messages.ids import Symbol
from ops.config import Config, FeedType


def open_source(config: Config) -> MarketSource:
    """Open the market of a run; several symbols become one market in the order of time.

    Raises:
        DataError: a file is missing, unreadable, holds no usable row, or candles of another length.
    """
    feed = config.feed
    sources: list[MarketSource] = []
    for symbol in feed.symbols:
        if feed.type is FeedType.DEMO:
            sources.append(DemoSource(symbol, seed=feed.seed, limit=feed.limit))
        else:
            sources.append(_recording(config, symbol))
    return sources[0] if len(sources) == 1 else MergedSource(sources)


def _recording(config: Config, symbol: Symbol) -> MarketSource:
    from exchanges.fitting import open_fitting  # which a demo can start without

    feed = config.feed
    source = open_fitting(feed.paths[symbol], symbol, feed.timeframe)
    return source if feed.limit is None else LimitedSource(source, feed.limit)


def paper_settings(config: Config) -> PaperSettings:
    """Give the paper venue's settings from `[venue]`."""
    venue = config.venue
    return PaperSettings(
        balances=dict(venue.balances),
        maker_fee_bps=venue.maker_fee_bps,
        taker_fee_bps=venue.taker_fee_bps,
        slippage_bps=venue.slippage_bps,
        latency_ms=venue.latency_ms,
        participation=venue.participation,
    )
