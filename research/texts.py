"""Moments and events as a person reads them."""

from datetime import UTC, datetime

from messages.ids import NS_PER_S
from messages.market import Candle, MarketEvent, Trade


def moment(at_ns: int | None) -> str:
    """Give a moment to the millisecond."""
    if at_ns is None:
        return "an unknown moment"
    at = datetime.fromtimestamp(at_ns // NS_PER_S, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at_ns % NS_PER_S // 1_000_000:03} UTC"


def event_text(event: MarketEvent, index: int | None = None) -> str:
    """Say what was shown, and its place in the feed where that is known."""
    when = moment(event.ts_event_ns)
    if isinstance(event, Candle):
        text = f"the candle of {event.symbol} that closed at {event.close}, {when}"
    elif isinstance(event, Trade):
        text = f"the trade of {event.symbol} at {event.price}, {when}"
    else:
        text = f"the book of {event.symbol}, {event.bid_price} to {event.ask_price}, {when}"
    return text if index is None else f"{text} (event {index})"
