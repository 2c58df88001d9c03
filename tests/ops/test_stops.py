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
from tests.cli.runs import command
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


MOVED = """
name = "moved"
run_dir = "{run_dir}"
[feed]
type = "demo"
symbols = ["{symbol}"]
speed = 0
[[strategy]]
id = "{id}"
uses = "{plugin}:{uses}"
[risk]
price_collar_bps = "5000"
"""
PLUGIN = Path(__file__).parents[1] / "system" / "halting_strategies.py"


def played(folder: Path, symbol: str, strategy: str, uses: str) -> None:
    """One start in the same run directory, to the end of its market."""
    given = {"run_dir": folder / "run", "symbol": symbol, "id": strategy, "uses": uses}
    (folder / "bot.toml").write_text(MOVED.format(**given, plugin=PLUGIN))
    done = command("start", str(folder / "bot.toml"), "--max-events", "30", "--json")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_of_a_stop_that_cannot_act_all_commands_say_what_health_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its market is shown to nobody: it was called armed, and to act at its price."""
    played(tmp_path, "BTC/USDT", "old", "Leaving")
    run = str(tmp_path / "run")
    (armed,) = stops_of(run, capsys)
    assert (armed["problem"], armed["acts_at"]) == (None, armed["stop_loss"])

    played(tmp_path, "ETH/USDT", "new", "Resting")

    (told,) = json.loads((tmp_path / "run" / "status.json").read_bytes())["stuck_stops"]
    (stop,) = stops_of(run, capsys)
    assert (stop["problem"], stop["acts_at"]) == (told["problem"], None)
    (row,) = said(capsys, "orders", "--stops", "--run-dir", run).splitlines()[1:]
    assert "armed (stuck)  a stop of old on BTC/USDT cannot act, for no strategy" in row
    lines = said(capsys, "positions", "--run-dir", run).splitlines()
    assert lines[-2].endswith("no such strategy on that market: nobody leaves it")
    assert lines[-1] == f"old BTC/USDT: 0.001 NOT protected: {told['problem']}"
    assert told["problem"] in said(capsys, "explain", stop["entry_key"], "--run-dir", run)


@pytest.mark.slow
def test_a_position_that_its_stop_would_leave_is_not_said_to_be_left_by_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another strategy trades its market: the stop is shown that, and acts."""
    played(tmp_path, "BTC/USDT", "old", "Leaving")
    played(tmp_path, "BTC/USDT", "new", "Resting")
    run = str(tmp_path / "run")

    lines = said(capsys, "positions", "--run-dir", run).splitlines()

    assert lines[-2] == (
        "old BTC/USDT: the last start's config has no such strategy on that market: its stops alone"
        " leave it"
    )
    assert ", armed: acts at " in lines[-1]
    assert "no process runs" not in lines[-1], "on paper there is nothing to lose"


def test_a_live_run_without_a_process_says_that_no_stop_acts(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(run) / "status.json").write_text('{"mode": "live"}')

    for words in (["positions"], ["orders", "--stops"]):
        last = said(capsys, *words, "--run-dir", run).splitlines()[-1]
        assert last == "no process runs: no stop acts before the next start"


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
