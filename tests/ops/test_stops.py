"""What people see of stops: what each protects, of which entry, and why it acted."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import cli
from actors.step_runtime import StepRuntime
from decisions.risk import RiskLimits
from messages.values import Instrument, OrderState
from ops.stops import protected
from persistence.reader import LedgerReader
from tests.actors.order_path import BTC
from tests.actors.stopped_path import AGE_NS, Stopped
from tests.research.parity import write
from tests.research.stopped import stopped_strategy
from tests.system.conftest import config_of, run_to_end

CLOSES = [100, 100, 101, 94, 94, 95, 96]
ORDERS = [[0, "buy", "1", "", 5, 10, 0], [4, "buy", "0.5", "", 3, 0, 2]]


@pytest.fixture
def run(tmp_path: Path) -> str:
    """A run of which one stop has acted and one is still kept."""
    rows = [((28_333_334 + n) * 60_000, c, c, c, c, "400") for n, c in enumerate(CLOSES)]
    path = write(tmp_path / "a.csv", rows)
    strategy = [stopped_strategy("s", "BTC/USDT", ORDERS)]
    config = config_of(tmp_path / "run", {"BTC/USDT": path}, strategy=strategy)
    run_to_end(config, StepRuntime(ttl_enforced=False))
    return str(tmp_path / "run")


def said(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    capsys.readouterr()
    assert cli.main([*command]) == 0
    return capsys.readouterr().out


def stops_of(run: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    text = said(capsys, "orders", "--stops", "--json", "--run-dir", run)
    return [json.loads(line) for line in text.splitlines()]


def test_orders_show_what_each_stop_protects(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = stops_of(run, capsys)

    assert (first["state"], first["cause"], first["protects"]) == ("done", "stop_loss", "0")
    assert first["why"] == "stop_loss at 95: the market was at 94"
    assert (second["state"], second["protects"], second["acts_at"]) == ("armed", "0.5", "94")
    assert (second["stop_loss"], second["trailing"], second["best_price"]) == ("91", "2", "96")
    table = said(capsys, "orders", "--stops", "--run-dir", run).splitlines()
    assert [line.split()[0] for line in table[1:]] == [first["entry_key"], second["entry_key"]]


def test_positions_show_what_stands_behind_them(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = stops_of(run, capsys)[1]["entry_key"]

    text = said(capsys, "positions", "--run-dir", run)
    assert f"s BTC/USDT: 0.5 protected by the stop of {entry} (stop_loss 91, trailing 2)" in text
    rows = said(capsys, "positions", "--json", "--run-dir", run).splitlines()
    assert [[one["entry_key"] for one in json.loads(row)["stops"]] for row in rows] == [[entry]] * 2


def test_explain_leads_from_the_entry_to_the_exit_and_back(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = stops_of(run, capsys)[0]
    (out,) = first["exits"]

    of_entry = said(capsys, "explain", first["entry_key"], "--run-dir", run)
    of_exit = said(capsys, "explain", out, "--run-dir", run)
    assert "stop_loss 95, take_profit 110: done, protects 0" in of_entry
    assert out in of_entry
    assert f"the stop of {first['entry_key']}: stop_loss at 95: the market was at 94" in of_exit
    other = stops_of(run, capsys)[1]["entry_key"]
    assert "acts at 94; best price so far 96" in said(capsys, "explain", other, "--run-dir", run)


def test_an_audit_finds_nothing_wrong(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "differ" not in said(capsys, "audit", "--run-dir", run).split("names")[0]


def test_of_an_exit_in_parts_only_what_is_sold_is_not_protected_any_more(tmp_path: Path) -> None:
    """The rest follows in an order of its own; until then it was shown as protected by nothing."""
    desk = Stopped(tmp_path, max_decision_age_ns=AGE_NS, limits=RiskLimits(allow_short=False))
    desk.start()
    desk.kept.instruments[BTC] = Instrument(symbol=BTC, max_market_quantity=Decimal("0.4"))
    desk.enter()
    desk.price("94")
    desk.answers(OrderState.FILLED, "0.4")

    with LedgerReader(desk.path) as ledger:
        assert protected(desk.only_stop, ledger) == Decimal("0.6")
