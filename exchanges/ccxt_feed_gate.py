"""The gate of a live feed: what must be true of an exchange before its market can be followed."""

from collections.abc import Callable
from typing import Any

from exchanges.ccxt_gate import refusing
from exchanges.feed_settings import Channel, FeedFacts, FeedRequest
from exchanges.skew import measure_skew
from messages.errors import VenueRefused
from messages.ids import NS_PER_MS, Symbol
from messages.nearness import near_symbol

WATCHES = {
    Channel.CANDLES: ("watchOHLCV",),
    Channel.TRADES: ("watchTrades",),
    Channel.TICKS: ("watchBidsAsks", "watchOrderBook"),
}
"""What ccxt calls the streams of a channel; the first that an exchange has is used."""
_QUOTE_VOLUMES = frozenset({"gate", "gateio"})
"""Where ccxt streams candles with what was paid for their volume: trades stand in for them."""
FETCHES = {
    Channel.CANDLES: "fetchOHLCV",
    Channel.TRADES: "fetchTrades",
    Channel.TICKS: "fetchOrderBook",
}


async def pass_feed_gate(
    client: Any,
    exchange: str,
    request: FeedRequest,
    utc_ns: Callable[[], int],
    monotonic_ns: Callable[[], int],
) -> FeedFacts:
    """Ask the exchange for its markets and its clock.

    Raises:
        VenueRefused: one sentence that says what is wrong and what to do.
    """
    _check_offer(client, exchange, request)
    with refusing(exchange, "list its markets"):
        await client.load_markets()
    for symbol in request.symbols:
        _check_symbol(client, exchange, symbol)
    return FeedFacts(
        exchange=exchange,
        skew_ms=await ask_skew_ms(client, exchange, utc_ns, monotonic_ns),
        streams=frozenset(c for c in request.channels if stream_of(client, c)),
    )


async def ask_skew_ms(
    client: Any, exchange: str, utc_ns: Callable[[], int], monotonic_ns: Callable[[], int]
) -> int | None:
    """Measure by how much the exchange's clock is ahead of ours; None where it tells no time.

    Raises:
        VenueRefused: it tells the time and did not now.
    """
    if not client.has.get("fetchTime"):
        return None
    with refusing(exchange, "tell its time"):
        measured = await measure_skew(client.fetch_time, utc_ns, monotonic_ns)
    return measured.skew_ns // NS_PER_MS


def stream_of(client: Any, channel: Channel) -> str | None:
    """Give ccxt's name of the stream for a channel; None where it has to be polled."""
    if channel is Channel.CANDLES and client.id in _QUOTE_VOLUMES:
        return None
    return next((name for name in WATCHES[channel] if client.has.get(name) is True), None)


def _check_offer(client: Any, exchange: str, request: FeedRequest) -> None:
    for channel in sorted(request.channels | {Channel.CANDLES}):
        if not client.has.get(FETCHES[channel]):
            raise VenueRefused(
                f"{exchange} offers no {channel} through ccxt: take another exchange"
            )
    if client.timeframes and request.timeframe not in client.timeframes:
        offered = ", ".join(client.timeframes)
        raise VenueRefused(
            f"{exchange} has no candles of {request.timeframe}: set the timeframe to one of"
            f" {offered}"
        )


def _check_symbol(client: Any, exchange: str, symbol: Symbol) -> None:
    market = (client.markets or {}).get(symbol)
    if market is None:
        near = near_symbol(symbol, client.markets or ())
        hint = f"did you mean {near}?" if near else "correct the symbol"
        raise VenueRefused(f"{exchange} has no market {symbol}: {hint}")
    if market.get("active") is False:
        raise VenueRefused(f"{exchange} does not trade {symbol} now: wait, or take another symbol")
