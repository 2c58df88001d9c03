"""`orders end-stop` as it is typed: on a living run, and where no process is."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from messages.errors import LedgerUnavailable
from ops.run_dir import RunDir
from persistence.reader import LedgerReader
from tests.cli.conftest import Ask
from tests.cli.runs import ROOT, book, command, differing
from tests.cli.test_audit_stops import stopped_run
from tests.waiting import until

__all__ = ["stopped_run"]

FAR = """
from decimal import Decimal
from strategies.protocol import Decision, Strategy
from messages.values import OrderType, Side, TimeInForce

class Far(Strategy):
    uses_stops = True
    bought = False

    def __init__(self, *_):
        pass

    def on_candle(self, candle, position):
        if self.bought:
            return ()
        self.bought = True
        return (
            Decision(
                side=Side.BUY, order_type=OrderType.MARKET, time_in_force=TimeInForce.GTC,
                quantity=Decimal("0.001"), limit_price=None, reason="once",
                stop_loss=candle.close / 10,
            ),
        )
"""
CONFIG = """
name = "far"
run_dir = "{run_dir}"
[feed]
type = "demo"
symbols = ["BTC/USDT"]
speed = 600
[[strategy]]
id = "far"
uses = "{plugin}:Far"
"""


@pytest.fixture
def run_dir(stopped_run: Path, tmp_path: Path) -> Path:
    """A run whose process is gone, with one stop that is armed."""
    return Path(shutil.copytree(stopped_run, tmp_path / "copied"))


def of_state(ask: Ask, run_dir: Path, state: str) -> dict[str, object]:
    stops = ask("orders", "--stops", "--run-dir", run_dir)
    return next(stop for stop in stops if stop["state"] == state)


def test_without_a_process_it_is_written_down_and_an_audit_agrees(
    run_dir: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    key = of_state(ask, run_dir, "armed")["entry_key"]
    arguments = ["orders", "end-stop", str(key), "--run-dir", str(run_dir), "--reason", "dust"]

    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert cli.main(arguments) == 0
    again = capsys.readouterr().out

    stops = ask("orders", "--stops", "--run-dir", run_dir)
    (why,) = [stop["why"] for stop in stops if stop["entry_key"] == key]
    assert {stop["state"] for stop in stops} == {"done"}
    assert why.endswith(" UTC, 0.3 left to nobody: dust")
    assert (said, again) == (f"the stop is done: {why}\n", f"it had ended already: {why}\n")
    assert differing(ask("audit", run_dir)) == set()


def test_an_exit_names_its_stop_too(run_dir: Path, ask: Ask) -> None:
    done = of_state(ask, run_dir, "done")
    exits = done["exits"]
    assert isinstance(exits, list)

    (answer,) = ask("orders", "end-stop", exits[0], "--run-dir", run_dir, "--reason", "x")

    assert answer["order_key"] == done["entry_key"]
    assert answer["text"].startswith("it had ended already: ")


@pytest.mark.parametrize(
    ("name", "reason", "said"),
    [
        ("nope", "x", "no order is called 'nope'"),
        ("", "x", "no order is called ''"),
        (None, " ", "--reason: say why, for the record"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    run_dir: Path,
    ask: Ask,
    capsys: pytest.CaptureFixture[str],
    name: str | None,
    reason: str,
    said: str,
) -> None:
    name = str(of_state(ask, run_dir, "armed")["entry_key"]) if name is None else name

    code = cli.main(["orders", "end-stop", name, "--run-dir", str(run_dir), "--reason", reason])

    (line,) = capsys.readouterr().err.splitlines()
    assert (code, line.startswith(f"watchkeeper: {said}")) == (2, True)


def test_an_order_without_a_stop_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        key = run.claim()

    code = cli.main(["orders", "end-stop", key, "--run-dir", str(tmp_path), "--reason", "x"])

    assert (code, f"{key} has no stop: list them" in capsys.readouterr().err) == (2, True)


def test_who_does_not_answer_and_holds_the_directory_is_not_gone_round(
    run_dir: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    key = str(of_state(ask, run_dir, "armed")["entry_key"])
    arguments = ["orders", "end-stop", key, "--run-dir", str(run_dir), "--reason", "x"]
    with RunDir(run_dir):
        code = cli.main([*arguments, "--timeout", "0.1"])

    assert (code, "x" in capsys.readouterr().out) == (2, False)
    assert of_state(ask, run_dir, "armed")["entry_key"] == key


@pytest.mark.slow
def test_in_a_living_run_it_ends_and_the_run_goes_on(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "far.py").write_text(FAR)
    config, run_dir = tmp_path / "config.toml", tmp_path / "run"
    config.write_text(CONFIG.format(run_dir=run_dir, plugin=tmp_path / "far.py"))

    def is_armed() -> bool:
        try:
            with LedgerReader(run_dir / "ledger.db") as ledger:
                keys = [stop.entry_key for stop in ledger.kept_stops()]
                return any(entry.filled_quantity for entry in ledger.lookup(keys).values())
        except LedgerUnavailable:
            return False

    bot = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "start", str(config), "--json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        until(is_armed)
        key = str(of_state(ask, run_dir, "armed")["entry_key"])
        done = command(
            "orders", "end-stop", key, "--run-dir", str(run_dir), "--reason", "mine", "--json"
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["text"].endswith("left to nobody: mine")
        assert bot.poll() is None
    finally:
        bot.terminate()
        bot.wait()

    assert of_state(ask, run_dir, "done")["entry_key"] == key
    assert differing(ask("audit", run_dir)) == set()
