"""A strategy leaves and enters again at once: all figures have the exit before the next entry."""

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

import cli
from actors.step_runtime import StepRuntime
from decisions.money_fold import MoneyFold
from decisions.order_keys import client_order_id, order_key
from messages.ids import NS_PER_S, TimestampNs
from messages.values import OrderState, Side
from ops.dashboard.command import DashboardOptions, model_of
from ops.earlier import EarlierExecutions
from ops.run_files import LEDGER
from persistence.ledger import Claim, SqliteLedger, fingerprint
from tests.cli.runs import BTC, T0, book, fill, intent
from tests.ops.dashboard.runs import LIFE, run_with

TURNS = 12
PRICE = Decimal(100 + TURNS - 1)
"""Of the last entry: what is held has cost this, for all before it was sold."""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Twelve entries at rising prices, with an exit at the moment of each but the first."""
    with book(run_with(tmp_path / "run", *LIFE)) as ledger:
        for number in range(TURNS):
            for ordinal, side in enumerate((Side.SELL, Side.BUY) if number else (Side.BUY,)):
                wish = intent(number, side=side)
                names = wish.account, wish.strategy_id, wish.symbol, wish.decided_at_ns
                wish = msgspec.structs.replace(wish, order_key=order_key(*names, ordinal))
                name = client_order_id(wish.order_key)
                claim = Claim(wish, fingerprint(wish), name, None, sent=True)
                ledger.ledger.claim([claim], ledger.tick())
                at_ns = TimestampNs(T0 + number * NS_PER_S)
                filled = fill(f"{name}-1", "2", str(100 + number), ts_event_ns=at_ns)
                ledger.step(wish.order_key, OrderState.FILLED, filled)
    return tmp_path / "run"


def test_positions_know_what_is_held_at_its_own_price(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["positions", "--run-dir", str(run_dir), "--json"]) == 0

    for row in map(json.loads, capsys.readouterr().out.splitlines()):
        assert Decimal(row["average_cost"]) == PRICE
        assert Decimal(row["realized"]) == 2 * (TURNS - 1) - Decimal("0.1") * (2 * TURNS - 1)


def test_the_next_process_begins_with_the_same(run_dir: Path) -> None:
    runtime, money = StepRuntime(), MoneyFold()
    earlier = EarlierExecutions(run_dir / LEDGER, runtime, money)
    earlier.opening(lambda: SqliteLedger(run_dir / LEDGER))().close()
    earlier.settle()
    money.take_up()

    assert money.portfolio.holdings[BTC].average_cost == PRICE


def test_the_page_takes_no_money_twice_for_in_use(run_dir: Path) -> None:
    (model,) = model_of(DashboardOptions(runs=(run_dir,)))["runs"]

    assert Decimal(model["equity"]["USDT"]["in_use"]) == 2 * PRICE
    sides = [mark[1] for mark in model["market"]["symbols"][BTC]["fills"]]
    assert sides == ["buy", *["sell", "buy"] * (TURNS - 1)]
