"""The gate of a feed over NATS: what must be true of a stream before it can be followed."""

from exchanges.bus_frames import VERSION, StreamHead, head_of
from exchanges.feed_settings import FeedRequest
from exchanges.nats_answers import StreamFacts
from exchanges.nats_client import NatsClient
from exchanges.nats_reading import BusLost, NotLetIn, NotThere
from messages.errors import BusAway, VenueRefused

_NOT_THERE = "start it, or correct feed.nats.url"


async def pass_bus_gate(
    client: NatsClient, request: FeedRequest, clock: str, source: str = ""
) -> StreamFacts:
    """Connect, and hold the stream against what is wanted of it.

    `source` is what it must come from, where that matters.

    Raises:
        VenueRefused: one sentence that says what is wrong and what to do.
    """
    address = client.address
    try:
        if not client.is_open:
            await client.connect()
        facts = await client.facts()
    except BusLost as error:
        todo = "see to feed.nats" if isinstance(error, NotLetIn) else _NOT_THERE
        text = f"the NATS server {address.place} cannot be used ({error}): {todo}"
        raise (BusAway if isinstance(error, NotThere) else VenueRefused)(text) from error
    if facts is None:
        raise VenueRefused(
            f"there is no stream {address.stream} at {address.place}: begin with"
            f" watchkeeper publish CONFIG --to {address.place} --stream {address.stream}"
        )
    problem = problem_of(head_of(facts.metadata), request, clock, source)
    if problem:
        raise VenueRefused(f"the stream {address.stream} at {address.place} {problem}")
    return facts


def problem_of(head: StreamHead | None, request: FeedRequest, clock: str, source: str) -> str:
    """Say why a stream with this head can't be followed; empty when it can."""
    if head is None:
        return "is not one of watchkeeper publish: name another in feed.nats.stream"
    if head.version != str(VERSION):
        return f"has version {head.version}, this watchkeeper reads {VERSION}: install the same"
    if head.timeframe != request.timeframe:
        return f"has candles of {head.timeframe}: set feed.timeframe to that"
    if head.clock != clock:
        what = "a recorded or generated market" if head.clock == "market" else "a live market"
        return f'has {what}: set feed.nats.clock to "{head.clock}"'
    if source and head.source != source:
        exchange = source.removeprefix("ccxt:")
        return f"comes from {head.source}, and orders go to {exchange}: publish that one's market"
    for symbol in request.symbols:
        if symbol not in head.symbols:
            known = ", ".join(head.symbols)
            where = "" if head.clock == "real" else ", to another stream"
            return f"has no {symbol}: publish it too{where}, or take some of {known}"
    for channel in sorted(request.channels):
        if channel not in head.channels:
            return f"has no {channel}: publish them too, or leave them out of feed.channels"
    return ""
