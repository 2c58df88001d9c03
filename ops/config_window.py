"""How far a market may run ahead of those who follow it, where the paper venue is traded at."""

from exchanges.paper_tape import TAPE_LENGTH
from messages.errors import ConfigError
from ops.config_schema import Config, VenueType


def check_window(config: Config) -> None:
    """Refuse a window in which an order could come later than the paper venue remembers.

    A live market waits for nobody, so its window means nothing here. Looked at by those who start
    a run, not by those who read what an older one was: these are to go on reading it.

    Raises:
        ConfigError: the orders of this run could be filled at other prices.
    """
    window, waits = config.feed.window, not config.feed.is_live
    if waits and config.venue.type is VenueType.PAPER and window > TAPE_LENGTH:
        raise ConfigError(
            [
                f"feed.window: got {window}, expected at most {TAPE_LENGTH}: the paper venue"
                " remembers so many events of a symbol, and an order that comes later is filled at"
                " other prices"
            ]
        )
