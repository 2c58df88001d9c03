"""`halt`, `resume`, `orders cancel` and `orders resolve` as they are typed, on a paper run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.errors import LedgerUnavailable
from messages.values import OrderState
from ops.run_dir import RunDir
from ops.run_state import read_object
from persistence.ledger import read_orders
from tests.cli.runs import ROOT, book, command, objects
from tests.waiting import until

PLUGIN = Path(__file__).parents[1] / "system" / "halting_strategies.py"
LIMIT_S = 60.0
CONFIG = """
name = "resting"
run_dir = "{run_dir}"
[feed]
type = "demo"
symbols = ["BTC/USDT"]
speed = 600
[[strategy]]
id = "r"
uses = "{plugin}:Resting"
[risk]
price_collar_bps = "5000"
max_position_notional = "1000000"
"""

Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Where the run's files are."""
    return tmp_path / "run"


@pytest.fixture
def start(tmp_path: Path, run_dir: Path) -> Iterator[Start]:
    """Start a bot that leaves orders open; give it once two are."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(run_dir=run_dir, plugin=PLUGIN))
    bots: list[subprocess.Popen[str]] = []

    def make() -> "subprocess.Popen[str]":
        bot = subprocess.Popen(
            [sys.executable, "-P", "-m", "cli", "start", str(config), "--json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        bots.append(bot)
        return bot

    yield make
    for bot in bots:
        bot.kill()
        bot.wait()


def states(run_dir: Path) -> list[OrderState]:
    try:
        return [order.state for order in read_orders(run_dir / "ledger.db")]
    except LedgerUnavailable:
        return []


def until_open(run_dir: Path, count: int = 2) -> None:
    until(lambda: states(run_dir).count(OrderState.ACCEPTED) >= count, LIMIT_S)


def killed(bot: "subprocess.Popen[str]") -> None:
    bot.send_signal(signal.SIGKILL)
    bot.wait()


def one(text: str) -> dict[str, Any]:
    (found,) = objects(text)
    return found


@pytest.mark.slow
def test_a_living_run_is_halted_shown_to_be_and_resumed(run_dir: Path, start: Start) -> None:
    bot = start()
    until_open(run_dir)

    done = command("halt", str(run_dir), "--reason", "look into it")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("proved: nothing open at ")
    assert f"to trade again: watchkeeper resume {run_dir}" in done.stdout
    assert "proved: " not in done.stderr, "a person reads both, and would read it twice"
    assert set(states(run_dir)) <= {OrderState.CANCELED, OrderState.REFUSED}
    health = command("health", "--run-dir", str(run_dir))
    assert health.returncode == 2
    assert f"ends_with watchkeeper resume {run_dir}" in health.stdout
    resumed = command("resume", str(run_dir))
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert resumed.stdout == "trading goes on (it was halted: look into it)\n"
    until_open(run_dir, 1)
    again = command("resume", str(run_dir), "--json")
    assert (again.returncode, one(again.stdout)["text"]) == (1, "trading is not halted")
    bot.terminate()
    assert bot.wait(LIMIT_S) == 0


@pytest.mark.slow
def test_a_killed_run_is_halted_without_a_process_and_the_next_start_stays_halted(
    run_dir: Path, start: Start
) -> None:
    bot = start()
    until_open(run_dir)
    killed(bot)

    done = command("halt", "--run-dir", str(run_dir), "--json", "--reason", "it died")

    view = one(done.stdout)
    assert (done.returncode, view["proved"], view["on_disk"]) == (0, True, True)
    assert set(states(run_dir)) <= {OrderState.CANCELED, OrderState.REFUSED}
    canceled = states(run_dir).count(OrderState.CANCELED)
    refused = states(run_dir).count(OrderState.REFUSED)
    bot = start()
    until(lambda: states(run_dir).count(OrderState.REFUSED) > refused)
    assert states(run_dir).count(OrderState.CANCELED) == canceled
    bot.terminate()
    assert bot.wait(LIMIT_S) == 1, "it ends halted"
    resumed = command("resume", str(run_dir))
    assert (resumed.returncode, resumed.stdout) == (
        0,
        "the next start trades (it was halted: it died)\n",
    )


@pytest.mark.slow
def test_health_of_a_run_that_was_halted_without_a_process_says_so_until_it_is_resumed(
    run_dir: Path, start: Start
) -> None:
    bot = start()
    until_open(run_dir)
    until(lambda: read_object(run_dir / "status.json").get("verdict") == "OK", LIMIT_S)
    killed(bot)
    before = one(command("health", "--run-dir", str(run_dir), "--json").stdout)
    assert (before["last_verdict"], before["halt"]) == ("OK", {})

    assert command("halt", str(run_dir), "--reason", "it died").returncode == 0

    shown = command("health", "--run-dir", str(run_dir))
    assert shown.returncode == 3, "there is no process"
    first, _, page = shown.stdout.partition("last known: at ")
    page = page.partition("\n")[2]
    ends = f"watchkeeper resume {run_dir}"
    assert "was killed" in first
    assert f"trading is halted (it died): the next start trades nothing before `{ends}`" in first
    assert page.startswith("CRITICAL  ")
    assert f"ends_with {ends}" in page
    after = one(command("health", "--run-dir", str(run_dir), "--json").stdout)
    assert (after["last_verdict"], after["halt"]["state"]) == ("CRITICAL", "halted_proved")
    assert (after["pid"], after["ended"]) == (before["pid"], None), "all else is its process's"

    assert command("resume", str(run_dir)).returncode == 0

    resumed = one(command("health", "--run-dir", str(run_dir), "--json").stdout)
    assert (resumed["last_verdict"], resumed["halt"]) == ("OK", {})
    assert "halted" not in resumed["why"]


@pytest.mark.slow
def test_health_of_a_run_that_ended_in_order_and_was_halted_then_is_not_silent(
    run_dir: Path, start: Start
) -> None:
    bot = start()
    until_open(run_dir)
    bot.terminate()
    assert bot.wait(LIMIT_S) == 0
    (run_dir / "paper.db").unlink()  # its venue cannot be asked

    assert command("halt", str(run_dir), "--reason", "a holiday").returncode == 1

    shown = command("health", "--run-dir", str(run_dir)).stdout
    assert "ended in order" in shown
    assert "trading is halted (a holiday)" in shown
    assert shown.partition("last known: at ")[2].partition("\n")[2].startswith("CRITICAL  ")


@pytest.mark.slow
def test_without_the_venues_book_the_halt_is_on_disk_and_nothing_is_proved(
    run_dir: Path, start: Start
) -> None:
    bot = start()
    until_open(run_dir)
    killed(bot)
    (run_dir / "paper.db").unlink()

    done = command("halt", str(run_dir), "--json")
    refused = command("resume", str(run_dir))
    despite = command("resume", str(run_dir), "--despite-open")

    view = one(done.stdout)
    assert (done.returncode, view["proved"], view["on_disk"]) == (1, False, True)
    assert "there is no paper book" in view["text"]
    assert refused.returncode == 1
    assert "--despite-open" in refused.stderr
    assert despite.returncode == 0


@pytest.mark.slow
def test_one_order_is_canceled_by_the_beginning_of_its_name(run_dir: Path, start: Start) -> None:
    start()
    until_open(run_dir)
    chosen = next(read_orders(run_dir / "ledger.db"))

    arguments = (chosen.client_order_id[:10], "--run-dir", str(run_dir), "--json")
    done = command("orders", "cancel", *arguments)

    answer = one(done.stdout)
    assert done.returncode == 0
    assert (answer["order_key"], answer["state"]) == (chosen.order_key, "canceled")
    shown = command("orders", "show", chosen.order_key, "--run-dir", str(run_dir), "--json")
    assert json.loads(shown.stdout)["state"] == "canceled"
    refused = command(
        "orders", "resolve", chosen.order_key, "--as", "filled", "--price", "100",
        "--evidence", "the exchange's page", "--run-dir", str(run_dir),
    )  # fmt: skip
    assert refused.returncode == 1
    assert "which is final: nothing is left to resolve" in refused.stderr


def test_where_there_is_neither_a_process_nor_a_ledger_there_is_nothing_to_halt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "status.json").touch()
    for name in ("halt", "resume"):
        assert cli.main([name, str(tmp_path)]) == 3
        assert capsys.readouterr().err == (
            f"watchkeeper: there is neither a process nor a ledger in {tmp_path}\n"
        )


def test_a_run_without_a_config_is_halted_on_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path / "run") as opened:
        opened.claim()

    assert cli.main(["halt", str(tmp_path / "run")]) == 1

    assert "halted on disk, NOT proved" in capsys.readouterr().err
    assert cli.main(["health", "--run-dir", str(tmp_path / "run")]) == 3
    assert "no process has left a word here; trading is halted (" in capsys.readouterr().out
    with book(tmp_path / "run") as opened:
        assert opened.ledger.halt_reason() is not None


def test_a_directory_that_a_silent_process_holds_is_not_halted_behind_its_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path / "run") as opened:
        opened.claim()
    with RunDir(tmp_path / "run"):
        assert cli.main(["halt", str(tmp_path / "run"), "--timeout", "0.2"]) == 2

    assert "is in use by process" in capsys.readouterr().err
    with book(tmp_path / "run") as opened:
        assert opened.ledger.halt_reason() is None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--as", "absent", "--evidence", " "], 2, "--evidence: say where you have seen it"),
        (
            ["--as", "filled", "--evidence", "x", "--price", "ten"],
            2,
            "--price ten: expected an amount such as 0.01",
        ),
        (["--as", "absent", "--evidence", "x"], 3, "no process runs in"),
        (["--as", "sent", "--evidence", "x"], 2, "invalid choice: 'sent'"),
        (["--as", "absent"], 2, "--evidence"),
    ],
)
def test_a_resolution_needs_evidence_and_a_living_process(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    with book(tmp_path / "run") as opened:
        key = opened.claim()

    line = ["orders", "resolve", key, "--run-dir", str(tmp_path / "run"), *arguments]
    assert cli.main(line) == code

    assert said in capsys.readouterr().err


def test_a_name_that_nobody_bears_is_said_to_be_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path / "run") as opened:
        opened.claim()

    assert cli.main(["orders", "cancel", "beef", "--run-dir", str(tmp_path / "run")]) == 2

    assert "no order is called 'beef'" in capsys.readouterr().err


def test_a_run_of_another_user_is_not_to_be_killed_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "control.sock").touch()

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ops.client._connected", refuse)
    assert cli.main(["health", str(tmp_path / "run")]) == 3
    seen = capsys.readouterr().out
    assert seen == "UNKNOWN  permission denied: ask as the user that the process is of\n"
    assert cli.main(["stop", str(tmp_path / "run")]) == 1
    assert "was not asked, so it is not known to stop" in capsys.readouterr().err
    assert cli.main(["halt", str(tmp_path / "run")]) == 3

    said = capsys.readouterr().err
    assert "was not asked, so nothing is known to be halted (permission denied: ask as the" in said
    assert "kill" not in said


@pytest.mark.parametrize(
    "words",
    [
        ["start", "--run-dir", ""],
        ["halt", ""],
        ["health", "--run-dir", ""],
        ["dashboard", "--run-dir", ""],
        ["dashboard", ""],
        ["ledger", "backup", "", "copy.db"],
    ],
    ids=" ".join,
)
def test_a_run_directory_without_a_name_is_refused(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a shell writes one whose variable is not set; it was the directory that one stood in."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2

    assert "it is empty (a variable that is not set?): name a directory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
