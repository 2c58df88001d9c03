"""Replay of what processes did: a live market on paper against its backtest, kills, hangs."""

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.orders import OrderIntent
from ops.backtest_config import read_backtest
from ops.config_write import to_toml
from persistence.ledger import read_orders
from research.backtest.command import BacktestOptions, plan_of
from research.backtest.loop import Backtest
from tests.replay.runs import FILE, messages, object_in
from tests.system.bots import Bot

STRATEGIES = "execution/strategies/"


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
        assert start(config, "--max-events", "45").end()[0] == 0

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
    assert sum(found["judgements"].values()) == len(keys)

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
def test_a_killed_process_and_the_next_one_at_a_live_market_are_replayed_as_they_were(
    tmp_path: Path, start: Callable[..., Bot], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange
    from tests.system.test_live_feed import SPEED, config_file

    run_dir = tmp_path / "run"
    with running_exchange(seed=5, speed=SPEED) as exchange:
        config = config_file(tmp_path, exchange)
        first = start(config)
        first.until_processed(20)
        code, alive = replay(capsys, run_dir)
        assert (code, alive["breaks"][0].split(",")[0]) == (0, "it lives")
        first.end(signal.SIGKILL)
        assert start(config, "--max-events", "25").end()[0] == 0

    code, found = replay(capsys, run_dir)

    assert (code, found["divergences"], found["not_compared"]) == (0, 0, {})
    assert found["breaks"][0].startswith("a process ended without a word")
    assert found["strategies"]["s"]["same"] == len(messages(run_dir, OrderIntent, STRATEGIES)) > 3


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
