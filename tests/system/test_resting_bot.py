"""examples/resting_bot: a run of it, its audit, its backtest, and the replay of its journal."""

import tomllib
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.ids import OrderKey
from messages.orders import CancelIntent
from messages.values import OrderState, Side
from ops.backtest_config import read_backtest
from ops.config_write import to_toml
from persistence.ledger import read_orders
from research.backtest.command import BacktestOptions, plan_of
from research.backtest.loop import Backtest
from tests.replay.runs import messages, object_in
from tests.system.bots import Bot

EXAMPLES = Path(__file__).parents[2] / "examples"
STRATEGIES = "execution/strategies/"


def config_beside(folder: Path, **tables: Any) -> Path:
    """Write the example's configuration with the whole path of its file, and more tables."""
    document = tomllib.loads((EXAMPLES / "resting_bot.toml").read_text())
    document["feed"]["limit"] = 900
    document["strategy"][0]["uses"] = f"{EXAMPLES / 'resting_bot.py'}:RestingBot"
    path = folder / "config.toml"
    path.write_text(to_toml({**document, "run_dir": str(folder / "run"), **tables}))
    return path


def by_backtest(config: Path) -> dict[str, tuple[Any, ...]]:
    options = partial(BacktestOptions, as_json=False, verify=False)
    orders = Backtest(plan_of(read_backtest(config, [], options))).run().orders
    return {
        one.intent.order_key: (one.state, one.intent.limit_price, one.filled_quantity)
        for one in orders
    }


@pytest.mark.slow
def test_a_run_of_it_is_its_backtest_and_is_replayed_as_it_was(
    tmp_path: Path, start: Callable[..., Bot], capsys: pytest.CaptureFixture[str]
) -> None:
    config, run_dir = config_beside(tmp_path, journal={"when": "always"}), tmp_path / "run"

    code, said = start(config, "--duration", "60").end()

    assert code == 0, said
    assert cli.main(["audit", str(run_dir)]) == 0
    capsys.readouterr()
    orders = {entry.order_key: entry for entry in read_orders(run_dir / "ledger.db")}
    assert by_backtest(config) == {
        key: (one.state, one.limit_price, one.filled_quantity) for key, one in orders.items()
    }
    sides = Counter(one.side for one in orders.values() if one.state is OrderState.FILLED)
    assert min(sides[Side.BUY], sides[Side.SELL]) > 5
    for one in orders.values():
        if one.reason.startswith("in place of "):
            first = orders[OrderKey(one.reason.split()[3].rstrip(":"))]
            assert first.state is OrderState.CANCELED
            assert first.side is one.side
    replaced = sum(one.reason.startswith("in place of ") for one in orders.values())
    assert replaced > 50
    assert messages(run_dir, CancelIntent, STRATEGIES)

    code, found = replay(capsys, run_dir)
    assert (code, found["divergences"], found["not_compared"]) == (0, 0, {})
    assert found["judgements"]["end_first"] == replaced

    code, found = replay(capsys, run_dir, "--param", "resting.follow=0.002")
    assert code == 1
    assert found["first"]["who"] == "resting"


def replay(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, dict[str, Any]]:
    code = cli.main(["replay", *map(str, words), "--json"])
    return code, object_in(capsys.readouterr().out)
