"""The market of a run, looked at before anything is started."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ops.config import Config
from ops.sources import open_source
from ops.wiring_feeds import path_of_feed
from ops.wiring_strategies import ask_strategies, warmup_of

if TYPE_CHECKING:
    from exchanges.feed_connection import FeedConnection


@contextmanager
def market_of(
    config: Config, warm: "FeedConnection | None" = None, *, history: int | None = None
) -> Iterator["FeedConnection | None"]:
    """Give the connection of a live market that has passed its gate; None for another market.

    `warm` is one that has passed it already, and is closed as any other. `history` is in candles
    per symbol; None is what the strategies need.

    Raises:
        VenueRefused: the exchange, the symbol or the network is not there.
        DataError: a recording can't be used.
    """
    if not config.feed.is_connected:
        open_source(config)
        yield None
        return
    from ops.live_feed import open_live

    wanted = warmup_of(ask_strategies(config).values()) if history is None else history
    opened = warm or open_live(config, path_of_feed(config), wanted)
    try:
        yield opened
    finally:
        opened.close(3.0)
