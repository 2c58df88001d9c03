"""What the money did is of the run directory: a restart forgets no position and no profit."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from messages.ids import Symbol
from messages.values import Side
from ops.audit import audit_run
from ops.exposition import Exposition
from ops.final_word import final_word, verdict_lines
from ops.snapshot import Snapshots
from ops.wiring import System
from persistence.reader import LedgerReader
from tests.system.conftest import config_of, run_to_end

BTC = Symbol("BTC/USDT")
GAUGE = 'watchkeeper_position_base_units{symbol="BTC/USDT"} '


def candles(path: Path, closes: list[int], begin: int = 0) -> Path:
    rows = ["ts,open,high,low,close,volume"]
    for minute, close in enumerate(closes, begin):
        rows.append(f"{1_700_000_040_000 + minute * 60_000},{close},{close},{close},{close},500000")
    path.write_text("\n".join(rows) + "\n")
    return path


UP = [200 - n for n in range(40)] + [160 + n for n in range(40)]
DOWN = [200 - n for n in range(60)]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A market in which it buys, and sells later."""
    return candles(tmp_path / "whole.csv", UP + DOWN)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The same until it has bought."""
    return candles(tmp_path / "begun.csv", UP)


def run(folder: Path, market: Path, runtime: Runtime, **changes: Any) -> System:
    config = config_of(folder, {"BTC/USDT": market}, **changes)
    system = run_to_end(config, runtime)
    system.fold.money.take_up()
    snapshots = Snapshots(system, config)
    text = Exposition(system, folder / "ledger.db", "x", "paper").text()
    held = system.fold.portfolio.holdings[BTC].quantity
    (gauge,) = (line for line in text.splitlines() if line.startswith(GAUGE))
    assert float(gauge.removeprefix(GAUGE)) == float(held)
    equity = system.fold.portfolio.equity("USDT")
    assert Decimal(snapshots.take()["pnl"]["USDT"]["equity"]) == equity
    return system


def executed(folder: Path) -> list[Side]:
    with LedgerReader(folder / "ledger.db") as ledger:
        return [one.side for one in ledger.newest_executions()][::-1]


def summary(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "metrics_summary.json").read_bytes())
    return told


def ended(folder: Path) -> None:
    """What a process leaves that went in order."""
    (folder / "status.json").write_text(json.dumps({"ended": {"exit_code": 0}}))


def differing(folder: Path) -> Iterator[str]:
    return (one.name for one in audit_run(folder) if one.differ)


@pytest.mark.slow
def test_what_was_bought_before_a_restart_and_sold_after_it_is_flat(
    tmp_path: Path, begun: Path, whole: Path, runtime: Runtime
) -> None:
    folder = tmp_path / "run"
    first = run(folder, begun, StepRuntime(ttl_enforced=False))
    assert set(executed(folder)) == {Side.BUY}
    assert first.fold.portfolio.holdings[BTC].quantity > 0

    again = run(folder, whole, runtime)

    at_once = run(tmp_path / "at_once", whole, StepRuntime(ttl_enforced=False))
    held = again.fold.portfolio.holdings[BTC]
    assert Side.SELL in executed(folder)
    assert held.quantity == at_once.fold.portfolio.holdings[BTC].quantity == 0
    assert held.profit == at_once.fold.portfolio.holdings[BTC].profit != 0
    assert again.fold.money.since_start("USDT") != held.profit
    config = config_of(folder, {"BTC/USDT": whole})
    word = final_word(Snapshots(again, config), config, "", 0)
    assert word["profit_since_beginning"] == {"USDT": f"{held.profit:.2f}"}
    assert "since this start" in verdict_lines(word, is_demonstration=True)[3]
    ended(folder)
    assert not {"money", "stages"} & {*differing(folder)}
    told = summary(folder)
    assert told["earlier"]["executions"] == executed(folder).count(Side.BUY)
    assert told["earlier"]["orders"] >= 1
    told["positions"]["BTC/USDT"]["quantity"] = "-1"
    (folder / "metrics_summary.json").write_text(json.dumps(told))
    assert "money" in differing(folder)


def test_a_restart_with_nothing_new_tells_the_same(
    tmp_path: Path, whole: Path, runtime: Runtime
) -> None:
    folder = tmp_path / "run"
    run(folder, whole, StepRuntime(ttl_enforced=False))
    before = summary(folder)

    run(folder, whole, runtime)

    after = summary(folder)
    for told in (before, after):
        told["positions"]["BTC/USDT"].pop("mark_price")  # flat: it values nothing
    assert after["positions"] == before["positions"]
    assert after["pnl"]["USDT"]["equity"] == before["pnl"]["USDT"]["equity"]
    assert Decimal(after["pnl"]["USDT"]["since_start"]) == 0
    assert before["earlier"]["executions"] == 0 < after["earlier"]["executions"]


def test_executions_that_cannot_be_read_are_said_and_the_run_goes_on(
    tmp_path: Path, begun: Path, whole: Path, runtime: Runtime
) -> None:
    folder = tmp_path / "run"
    run(folder, begun, StepRuntime(ttl_enforced=False))
    with closing(sqlite3.connect(folder / "ledger.db")) as database, database:
        database.execute("UPDATE fills SET price = 'much'")

    system = run(folder, whole, runtime)

    told = summary(folder)
    assert "cannot be read" in told["earlier"]["problem"]
    assert not told["earlier"]["pending"]
    assert system.fold.portfolio.holdings[BTC].quantity < 0
    ended(folder)
    assert "money" not in differing(folder)


def test_a_ledger_in_memory_has_nothing_earlier(
    tmp_path: Path, whole: Path, runtime: Runtime
) -> None:
    system = run(tmp_path / "run", whole, runtime, idempotency={"backend": "memory"})

    assert system.fold.money.is_whole
    assert system.fold.portfolio.holdings[BTC].quantity == 0
