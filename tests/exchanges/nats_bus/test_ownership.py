"""What of a stream is its publisher's, and what is whoever runs the server's."""

from collections.abc import Callable

from exchanges.bus_address import StreamLimits
from exchanges.nats_client import NatsClient
from exchanges.nats_stream import configured as wanted
from tests.exchanges.bus_run import BTC, Publishing, head
from tests.exchanges.nats_bus.market import MARKS, configured, raw
from tests.exchanges.nats_server import NatsServer

pytestmark = MARKS


def test_a_next_publisher_changes_of_the_stream_what_is_its_own(
    server: NatsServer, publishing: Callable[..., Publishing]
) -> None:
    """What an update leaves out, the server sets as for a new stream: all else was gone."""
    publishing(server.url, head(clock="real")).open()
    theirs = {"description": "of the desk", "compression": "s2", "max_msgs": 50_000}

    async def set_by_hand(client: NatsClient) -> None:
        config = (await client._api("STREAM.INFO.market"))["config"]
        metadata = {**config["metadata"], "team": "desk"}
        await client._api("STREAM.UPDATE.market", {**config, **theirs, "metadata": metadata})

    raw(server, set_by_hand)
    publishing(server.url, head(clock="real", symbols=(BTC,)), writer="next").open()

    after = configured(server)
    assert {name: after[name] for name in theirs} == theirs
    assert after["metadata"]["team"] == "desk"
    assert after["metadata"]["watchkeeper_symbols"] == "BTC/USDT"


def test_the_copies_that_a_cluster_keeps_of_a_stream_stay() -> None:
    told = {"name": "market", "num_replicas": 3, "storage": "memory", "max_age": 1}

    changed = wanted(told, "market", ["market.>"], {}, StreamLimits(max_age_s=60), 4_096)

    assert (changed["num_replicas"], changed["storage"]) == (3, "memory")
    assert changed["max_age"] == 60_000_000_000
    assert wanted(None, "market", [], {}, StreamLimits(), 4_096)["num_replicas"] == 1
