"""A look at a stream and at who publishes it, for a person who asks. Nothing is changed by it."""

import asyncio

import msgspec

from exchanges.bus_address import BusAddress
from exchanges.bus_frames import NoFrame, pulse_of, pulse_subject
from exchanges.nats_answers import StreamFacts
from exchanges.nats_client import NatsClient
from messages.bus import BusPulse

LISTENS_S = 1.5
"""A publisher says twice a second that it lives."""


class BusLook(msgspec.Struct, frozen=True):
    """What there was."""

    facts: StreamFacts | None
    """None where there is no such stream."""
    pulse: BusPulse | None
    """The first word of whoever publishes; None where nobody was heard."""


async def look_at_bus(address: BusAddress) -> BusLook:
    """Ask for the stream, and listen for its publisher.

    Raises:
        BusLost: there was no server, no answer, or it did not let us in.
        VenueRefused: nats-py is not installed.
    """
    client = NatsClient(address, "doctor")
    try:
        await client.connect()
        facts = await client.facts()
        pulse = None if facts is None else await _heard(client)
    finally:
        await client.close()
    return BusLook(facts, pulse)


async def _heard(client: NatsClient) -> BusPulse | None:
    first: asyncio.Future[BusPulse] = asyncio.get_running_loop().create_future()

    def hear(_: str, payload: bytes) -> None:
        try:
            pulse = pulse_of(payload)
        except NoFrame:
            return
        if not first.done():
            first.set_result(pulse)

    await client.listen(pulse_subject(client.address.stream), hear)
    try:
        async with asyncio.timeout(LISTENS_S):
            return await first
    except TimeoutError:
        return None
