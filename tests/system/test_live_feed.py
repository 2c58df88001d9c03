"""`start` on a live market: real processes, real ccxt, a local exchange on a compressed clock."""

import json
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults_streams import StreamFault
from exchanges.local.server import RunningExchange, running_exchange
from messages.order_states import FINAL_STATES
from ops.config_write import to_toml
from ops.dashboard.command import DashboardOptions, model_of
from tests.exchanges.feed_run import public_config
from tests.system.bots import LIMIT_S, Bot

SPEED = 300.0
AHEAD_MS = 86_400_000
"""The market of a compressed clock is ahead of the machine's."""


def config_file(folder: Path, run: RunningExchange, **feed: Any) -> Path:
    """Write a config that follows the local exchange and trades on paper."""
    document = {
        "name": "live",
        "run_dir": str(folder / "run"),
        "feed": {"type": "ccxt", "quiet_ms": 1_500} | feed,
        "venue": {"exchange": "binance", "ccxt": public_config(run)},
        "strategy": [{"id": "s", "uses": "sma_cross", "params": {"fast": 2, "slow": 4}}],
        "risk": {"max_market_age_ms": AHEAD_MS},
    }
    path = folder / "config.toml"
    path.write_text(to_toml(document))
    return path


def until_subscribed(run: RunningExchange, before: set[int]) -> None:
    """Wait for a connection that was not there before, and follows candles."""
    wait = threading.Event()
    for _ in range(int(LIMIT_S / 0.05)):
        if any(names for key, names in run.exchange.streams().items() if key not in before):
            return
        wait.wait(0.05)
    raise AssertionError(f"nobody came back: {run.exchange.streams()}")


def feed_lines(run_dir: Path, tag: str) -> list[dict[str, Any]]:
    lines = (run_dir / "metrics.ndjson").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    return [o["message"] for o in told if o["kind"] == "feed" and o["message"]["type"] == tag]


@pytest.mark.slow
def test_a_live_market_is_traded_on_paper_through_a_drop_and_a_stall(
    tmp_path: Path, start: Callable[..., Bot]
) -> None:
    with running_exchange(seed=5, speed=SPEED) as run:
        bot = start(config_file(tmp_path, run))
        bot.until_processed(8)
        before = set(run.exchange.streams())
        run.exchange.strike_streams(StreamFault.DROP)
        until_subscribed(run, before)
        before |= set(run.exchange.streams())
        run.exchange.strike_streams(StreamFault.STALL_WITH_PONGS)
        until_subscribed(run, before)
        bot.until(lambda: any(order["state"] == "filled" for order in bot.of("order")))
        bot.until_processed(30)
        code, _ = bot.end(signal.SIGTERM)

    end = bot.of("end")[0]
    assert (code, end["reason"]) == (0, "stopped by SIGTERM")
    assert end["venue"]["doubled"] == end["venue"]["unexplained"] == 0
    assert end["restarts"] == 0
    phases = [state["phase"] for state in feed_lines(tmp_path / "run", "FeedState")]
    assert phases[:3] == ["connecting", "backfilling", "live"]
    assert {"stale", "backoff"} <= set(phases)
    assert phases[-1] == "live"
    reports = feed_lines(tmp_path / "run", "FeedReport")
    assert (reports[-1]["gaps"], reports[-1]["malformed"]) == (0, 0)


@pytest.mark.slow
def test_with_the_exchange_gone_health_says_so_and_it_still_ends_in_order(
    tmp_path: Path, start: Callable[..., Bot]
) -> None:
    with ExitStack() as stack:
        run = stack.enter_context(running_exchange(seed=5, speed=SPEED))
        bot = start(config_file(tmp_path, run))
        bot.until_processed(6)
        stack.close()
    bot.until_why("feeds/feed:ccxt is backoff: ")

    code, _ = bot.end(signal.SIGTERM)

    assert code == 0
    assert bot.of("end")[0]["restarts"] == 0


@pytest.mark.slow
@pytest.mark.longest
def test_a_next_start_warms_up_on_history_and_doubles_nothing(
    tmp_path: Path, start: Callable[..., Bot]
) -> None:
    with running_exchange(seed=5, speed=SPEED) as run:
        path = config_file(tmp_path, run)
        first = start(path, "--max-events", "30")  # when its averages cross is the clock's affair
        assert first.end()[0] == 0
        second = start(path, "--max-events", "12")
        assert second.end()[0] == 0

    for bot in (first, second):
        end = bot.of("end")[0]
        assert end["reason"] == "the market ended"
        assert end["venue"]["doubled"] == 0
        assert end["counters"]["processed"] >= 12
    before = {order["order_key"]: order["state"] for order in first.of("order")}
    after = {order["order_key"] for order in second.of("order")}
    assert before
    # What the first left open may end in the second; what it ended is not decided again.
    assert not {key for key, state in before.items() if state in FINAL_STATES} & after
    # The page draws the market of both from their journal: each candle once, and none is missing
    # but while neither ran.
    page = model_of(DashboardOptions(runs=(tmp_path / "run",)))["runs"][0]
    (drawn,) = page["market"]["symbols"].values()
    opened = [bar[0] for bar in drawn["bars"]]
    assert not drawn["is_line"]
    assert len(opened) >= 24
    steps = sorted(later - one for one, later in pairwise(opened))
    assert set(steps[:-1]) == {60}
    assert steps[-1] >= 60
    assert min(opened) < min(fill[0] for fill in drawn["fills"]) <= max(opened) + 120
    assert f"ccxt {version('ccxt')}" in dict(page["facts"])["Versions"]


# ------------------------------------------------------------------ the gate


def refused(bot: Bot) -> str:
    code, text = bot.end()
    assert (code, bot.events) == (2, [])
    assert text.count("\n") == 1
    return text.removeprefix("watchkeeper: ").rstrip()


@pytest.mark.slow
def test_the_gate_refuses_with_one_sentence_and_exit_code_2(
    tmp_path: Path, start: Callable[..., Bot]
) -> None:
    with running_exchange(seed=5, speed=0) as run:
        unknown = start("--exchange", "binanec", "--run-dir", tmp_path / "a")
        symbol = start(config_file(tmp_path, run, symbols=["BTC/USDX"]))
        assert refused(unknown) == (
            "ccxt has no exchange 'binanec': did you mean 'binance'? Correct --exchange, or"
            " venue.exchange where a file says it"
        )
        assert refused(symbol) == "binance has no market BTC/USDX: did you mean BTC/USDT?"
        path = config_file(tmp_path, run)
    assert refused(start(path)).startswith("binance cannot be reached (")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--symbol", "ETH/USDT"], "--symbol and --timeframe go with --exchange, such as binance"),
        (
            ["--exchange", "binance", "--timeframe", "7x"],
            'feed.timeframe: got "7x", expected a length such as "1m" or "4h"',
        ),
        (
            ["--exchange", "binance", "--speed", "10"],
            "feed.speed: a live market has its own; leave it out",
        ),
        (
            ["here.toml", "--exchange", "binance"],
            "--exchange goes without a file: write venue.exchange into here.toml",
        ),
    ],
)
def test_a_mistake_on_the_command_line_is_told_before_the_network_is_asked(
    arguments: list[str], sentence: str, start: Callable[..., Bot]
) -> None:
    assert refused(start(*arguments)) == sentence
