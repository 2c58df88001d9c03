"""examples/resting_bot: a run of it, its audit, its backtest, and the replay of its journal."""

import signal
import tomllib
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.ids import OrderKey
from messages.order_states import FINAL_STATES
from messages.orders import CancelIntent
from messages.values import OrderState, Side
from ops.backtest_config import read_backtest
from ops.config_write import to_toml
from persistence.ledger import read_orders
from research.backtest.command import BacktestOptions, plan_of
from research.backtest.loop import Backtest
from tests.replay.runs import messages, object_in
from tests.system.bots import Bot
from tests.system.conftest import STRESS

EXAMPLES = Path(__file__).parents[2] / "examples"
STRATEGIES = "execution/strategies/"


def config_beside(folder: Path, **tables: Any) -> Path:
    """Write the example's configuration with the whole path of its file, and more tables."""
    document = tomllib.loads((EXAMPLES / "resting_bot.toml").read_text())
    document["feed"]["limit"] = 900
    document["strategy"] = [strategy_of(document["strategy"][0]["params"])]
    path = folder / "config.toml"
    path.write_text(to_toml({**document, "run_dir": str(folder / "run"), **tables}))
    return path


def strategy_of(params: dict[str, Any]) -> dict[str, Any]:
    uses = f"{EXAMPLES / 'resting_bot.py'}:RestingBot"
    return {"id": "resting", "uses": uses, "order_notional": "100", "params": params}


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


@pytest.mark.slow
@pytest.mark.parametrize("lives", [1, 3] if STRESS else [1])
def test_at_an_exchange_it_is_replayed_as_it_was(
    tmp_path: Path, start: Callable[..., Bot], capsys: pytest.CaptureFixture[str], lives: int
) -> None:
    """However often it is killed: what one life left open the next one looks after."""
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.local.orders import Status
    from exchanges.local.server import RunningExchange, running_exchange
    from tests.system.live_bots import ENVIRONMENT, live_config, placed

    def ended(run: RunningExchange) -> int:
        return sum(one.status is Status.CANCELED for one in run.exchange.orders())

    run_dir = tmp_path / "run"
    with running_exchange(seed=5, speed=240.0) as exchange:
        document = tomllib.loads(live_config(tmp_path, exchange).read_text())
        params = {"distance": 0.0005, "follow": 0.0001, "max_age_s": 3600}
        config = config_beside(tmp_path, **{**document, "strategy": [strategy_of(params)]})
        for life in range(lives):
            bot = start(config, "--i-understand-live", environment=ENVIRONMENT)
            wanted = ended(exchange) + 3
            bot.until(partial(lambda many: ended(exchange) >= many, wanted))
            if life < lives - 1:
                bot.end(signal.SIGKILL)
        code, said = bot.end(signal.SIGTERM)
        assert code == 0, said
        open_there = {one.client_order_id for one in exchange.exchange.orders() if one.is_open}
        at_exchange = placed(exchange)

    orders = read_orders(run_dir / "ledger.db")
    left_open = {one.client_order_id for one in orders if one.state not in FINAL_STATES}
    assert open_there <= left_open  # it may have filled since
    assert len(left_open) <= 1
    assert set(at_exchange.values()) == {1}
    assert cli.main(["audit", str(run_dir)]) == 0
    capsys.readouterr()
    code, found = replay(capsys, run_dir)
    assert (code, found["divergences"], found["not_compared"]) == (0, 0, {})
    assert found["judgements"]["end_first"] >= 3

    code, found = replay(capsys, run_dir, "--param", "resting.distance=0.002")
    assert code == 1
    assert found["first"]["who"] == "resting"


def replay(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, dict[str, Any]]:
    code = cli.main(["replay", *map(str, words), "--json"])
    return code, object_in(capsys.readouterr().out)
