"""Replay of what processes did: a live market on paper against its backtest, kills, hangs."""

import os
import signal
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cli
import strategies
from decisions.strategy import StrategyRun, new_memory
from decisions.strategy_record import packed_memory
from messages.codec import to_msgpack
from messages.ids import (
    NS_PER_S,
    AccountId,
    ActorPath,
    Epoch,
    StrategyId,
    Symbol,
    TimestampNs,
)
from messages.market import Candle, MarketBatch
from messages.orders import OrderIntent
from messages.outside import Origin
from messages.recorded import RunBegun, StrategyEnded, StrategySettings, StrategyStands
from messages.stops import StopActed
from messages.values import Instrument
from ops.backtest_config import read_backtest
from ops.config_write import to_toml
from persistence.frames import Frame
from persistence.journal import JournalWriter, segments
from persistence.ledger import read_orders
from research.backtest.command import BacktestOptions, plan_of
from research.backtest.loop import Backtest
from tests.peak_memory import measured
from tests.replay.runs import FILE, messages, object_in
from tests.system.bots import Bot
from tests.system.conftest import STRESS

STRATEGIES = "execution/strategies/"
PACED = 300_000
"""5,000 candles of a minute in a second: the journal's thread has its turn meanwhile."""


def replay(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, dict[str, Any]]:
    code = cli.main(["replay", *map(str, words), "--json"])
    return code, object_in(capsys.readouterr().out)


def decided(run_dir: Path) -> set[str]:
    return {intent.order_key for _, _, intent in messages(run_dir, OrderIntent, STRATEGIES)}


@pytest.mark.slow
def test_a_live_market_on_paper_its_backtest_and_its_replay_decide_the_same(
    tmp_path: Path, start: Callable[..., Bot], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange
    from tests.system.test_live_feed import SPEED, config_file

    run_dir = tmp_path / "run"
    with running_exchange(seed=5, speed=SPEED) as exchange:
        config = config_file(tmp_path, exchange, symbols=["BTC/USDT"])
        assert start(config, "--max-events", "80").end()[0] == 0

    assert cli.main(["journal", str(run_dir), "--candles", "BTC/USDT"]) == 0
    rows, told = capsys.readouterr()
    (tmp_path / "candles.csv").write_text(rows)
    warm_until = told.split("--warm-until ")[1].strip()
    keys = decided(run_dir)
    assert len(keys) > 3
    assert keys == by_backtest(config, tmp_path / "candles.csv", warm_until)
    assert {entry.order_key for entry in read_orders(run_dir / "ledger.db")} == keys
    words = ["backtest", str(config), "--data", str(tmp_path / "candles.csv")]
    assert cli.main([*words, "--warm-until", warm_until]) == 0
    capsys.readouterr()

    code, found = replay(capsys, run_dir)
    assert (code, found["divergences"], found["not_compared"]) == (0, 0, {})
    assert found["strategies"]["s"]["same"] == len(keys)
    judged = found["judgements"]
    waited = judged.pop("wait", 0)  # for an entry that had not filled: each was judged once more
    assert sum(judged.values()) == len(keys), waited

    code, found = replay(capsys, run_dir, "--param", "s.fast=3")
    assert code == 1
    assert found["first"]["who"] == "s"
    assert "the candle of BTC/USDT that closed at" in found["first"]["event"]
    assert {found["first"]["recorded"], found["first"]["replayed"]} != {""}


def by_backtest(config: Path, data: Path, warm_until: str) -> set[str]:
    options = partial(
        BacktestOptions,
        as_json=False,
        verify=False,
        warm_until_ns=cli._moment("--warm-until", warm_until),
    )
    orders = Backtest(plan_of(read_backtest(config, [str(data)], options))).run().orders
    return {order.intent.order_key for order in orders}


@pytest.mark.slow
def test_a_killed_process_and_the_next_one_at_a_real_venue_are_replayed_as_they_were(
    tmp_path: Path, start: Callable[..., Bot], capsys: pytest.CaptureFixture[str]
) -> None:
    """The second one begins with what the first one bought, at an exchange that takes its fee.

    Every entry has a trailing stop so near that many of them act; some of the first one's do in
    the second, or while nobody runs.
    """
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange
    from tests.system.live_bots import ENVIRONMENT, SPEED, live_config, until_orders

    run_dir = tmp_path / "run"
    with running_exchange(seed=5, speed=SPEED) as exchange:
        words = live_config(tmp_path, exchange), "--i-understand-live"
        keep_stops(tmp_path / "seesaw.py")
        first = start(*words, environment=ENVIRONMENT)
        until_orders(exchange, 4)
        code, alive = replay(capsys, run_dir)
        assert (code, alive["breaks"][0].split(",")[0]) == (0, "it lives")
        first.end(signal.SIGKILL)
        second = start(*words, environment=ENVIRONMENT)
        until_orders(exchange, 4)
        assert second.end(signal.SIGTERM)[0] == 0

    code, found = replay(capsys, run_dir)

    assert (code, found["divergences"], found["not_compared"]) == (0, 0, {})
    assert found["breaks"][0].startswith("a process ended without a word")
    decisions = len(messages(run_dir, OrderIntent, STRATEGIES))
    assert found["strategies"]["s"]["same"] == decisions > 6
    assert sum(found["judgements"].values()) >= decisions - 2  # of the kill's last moment
    assert found["judgements"]["claim"] > 5
    assert messages(run_dir, StopActed, STRATEGIES)

    code, found = replay(capsys, run_dir, "--code-from", otherwise(tmp_path / "seesaw.py"))
    assert code == 1
    assert found["first"]["kind"] == "another"
    assert found["strategies"]["s"]["replayed"] == decisions


def keep_stops(strategy: Path) -> None:
    """Let a strategy ask for them, and go in again when one has acted."""
    text = strategy.read_text()
    text = text.replace("    warmup_events = 2\n", "    warmup_events = 2\n    uses_stops = True\n")
    stops = "trailing=candle.close / 20000, take_profit=candle.close * 2"
    strategy.write_text(text.replace('quantity, "in")', f'quantity, "in", {stops})'))


def otherwise(strategy: Path) -> Path:
    """The same strategy, but that it trades twice as much."""
    changed = strategy.with_name("changed.py")
    text, sized = strategy.read_text(), "quantity_for_notional("
    changed.write_text(text.replace(f"{sized}self", f"{sized}2 * self"))
    return changed


@pytest.mark.slow
def test_a_strategy_that_hung_and_was_replaced_is_replayed_without_hanging(
    tmp_path: Path, start: Callable[..., Bot], capsys: pytest.CaptureFixture[str]
) -> None:
    document = {
        "name": "hangs",
        "run_dir": str(tmp_path / "run"),
        "feed": {"type": "demo", "speed": 0, "limit": 80, "batch": 16},
        "strategy": [{"id": "h", "uses": f"{FILE}:Hangs"}],
        "risk": {"max_orders_per_minute": 1000},
        "supervision": {
            "hang_after_s": 1,
            "backoff_min_ms": 1,
            "backoff_max_ms": 2,
            "strategy_max_restarts": 9,
        },
        "journal": {"when": "always"},
    }
    (tmp_path / "c.toml").write_text(to_toml(document))
    bot = start(tmp_path / "c.toml")
    code, said = bot.end()
    assert code == 0, said
    assert bot.of("end")[0]["restarts"] >= 2

    code, found = replay(capsys, tmp_path / "run")

    assert (code, found["divergences"], found["not_compared"]) == (0, 0, {})
    compared = found["strategies"]["h"]
    assert compared["same"] == len(messages(tmp_path / "run", OrderIntent, STRATEGIES)) > 10


@pytest.mark.slow
def test_without_its_oldest_segments_a_long_run_is_compared_from_the_next_one_on(
    tmp_path: Path, start: Callable[..., Bot], capsys: pytest.CaptureFixture[str]
) -> None:
    document = {
        "name": "long",
        "run_dir": str(tmp_path / "run"),
        "feed": {"type": "demo", "speed": PACED},
        "strategy": [{"id": "s", "uses": "sma_cross", "params": {"fast": 5, "slow": 15}}],
        "journal": {"when": "always", "rotate_mb": 1},
    }
    (tmp_path / "c.toml").write_text(to_toml(document))
    bot = start(tmp_path / "c.toml")
    bot.until(lambda: len(segments(tmp_path / "run" / "journal")) > 3)
    bot.send(signal.SIGTERM)  # while it decides still: each of its segments bears how it stood then
    assert bot.end()[0] == 0
    oldest = segments(tmp_path / "run" / "journal")[0]
    code, whole = replay(capsys, tmp_path / "run")
    assert (code, whole["breaks"], whole["not_compared"]) == (0, [], {})
    oldest.unlink()

    code, found = replay(capsys, tmp_path / "run")

    assert (code, found["divergences"]) == (0, 0)
    assert found["breaks"] == ["segment 1 is gone"]
    compared = found["strategies"]["s"]
    assert compared["is_warmed"]
    assert 10 < compared["same"] < whole["strategies"]["s"]["same"]
    assert compared["from_ns"] > whole["strategies"]["s"]["from_ns"]
    assert compared["until_ns"] == whole["strategies"]["s"]["until_ns"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not STRESS, reason="a million events take a minute: WATCHKEEPER_STRESS=1")
def test_memory_does_not_grow_with_the_journal(tmp_path: Path) -> None:
    few, many = 30_000, 1_000_000

    small = peak_of(long_journal(tmp_path / "small", few), few)
    large = peak_of(long_journal(tmp_path / "large", many), many)

    assert large - small < 12_000, (small, large)


def long_journal(run_dir: Path, events: int) -> Path:
    """Write the journal of a run of a strategy without running it; segments of 4 MB."""
    begun, symbol = run_begun_of("Waves"), Symbol("BTC/USDT")
    run_dir.mkdir()
    writer = JournalWriter(run_dir / "journal", lambda: 7, rotate_bytes=4_000_000)
    uses = begun.strategies[0].uses
    builder = partial(strategies.build, uses, {}, symbol, Decimal(100), Instrument(symbol=symbol))
    run = StrategyRun(builder, new_memory(0), begun.account, begun.strategies[0].id, symbol)
    put(writer, "", begun)
    standing = StrategyStands(
        epoch=Epoch(1), has_begun=True, memory=packed_memory(run.memory), instruments=()
    )
    put(writer, f"{STRATEGIES}s", standing)
    for batch in batches(symbol, events):
        decided_on = run.take_batch(batch, lambda: TimestampNs(1))
        put(writer, f"{STRATEGIES}s", batch, *decided_on)
    put(writer, f"{STRATEGIES}s", StrategyEnded(epoch=Epoch(1), next_index=events))
    writer.seal()
    writer.close()
    return run_dir


def run_begun_of(name: str) -> RunBegun:
    settings = StrategySettings(
        id=StrategyId("s"),
        uses=f"{FILE}:{name}",
        params="",
        symbols=(Symbol("BTC/USDT"),),
        order_notional=Decimal(100),
        code="",
    )
    return RunBegun(
        process="1",
        version="",
        account=AccountId("paper"),
        is_replayed=True,
        timeframe_ns=60 * NS_PER_S,
        strategies=(settings,),
    )


def put(writer: JournalWriter, path: str, *messages: Any) -> None:
    writer.write([Frame(Origin.INSIDE, 7, path, to_msgpack(message)) for message in messages])


def batches(symbol: Symbol, events: int) -> Iterator[MarketBatch]:
    price = Decimal(60_000)
    for first in range(0, events, 200):
        candles = tuple(
            Candle(
                symbol=symbol,
                open=price,
                high=price,
                low=price,
                close=price,
                volume=price,
                ts_open_ns=TimestampNs(number * 60 * NS_PER_S),
                ts_event_ns=TimestampNs((number + 1) * 60 * NS_PER_S),
            )
            for number in range(first, first + 200)
        )
        yield MarketBatch(feed=ActorPath("f"), first_index=first, events=candles)


def peak_of(run_dir: Path, events: int) -> int:
    """Replay it in a process of its own; give the most memory that it held, in KB."""
    here = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent)}
    said, peak_kb = measured("replay", str(run_dir), "--json", env=here)
    compared = object_in(said)["strategies"]["s"]
    assert compared["events"] == events
    assert compared["same"] == compared["decisions"] > events / 5
    return peak_kb
