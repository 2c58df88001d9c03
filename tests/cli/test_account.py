"""`account` without a process: what the ledger expects. With one it is run by the documents."""

import json
import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

import cli
from decisions.account import Flows, begin
from messages.ids import TimestampNs
from messages.values import OrderState
from ops.run_files import CONTROL_SOCKET
from tests.cli.runs import ROOT, book, command, fill


def test_a_run_that_was_never_compared_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path / "run"):
        pass

    assert cli.main(["account", str(tmp_path / "run")]) == 3
    assert capsys.readouterr().out == "never compared\n"


def test_without_a_process_the_ledger_says_what_is_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path / "run") as written:
        key = written.claim()
        written.step(key, OrderState.FILLED, fill("t1", "2"))
        one = begin({"USDT": Decimal(1000)}, Flows(), TimestampNs(1), "a test")
        note = msgspec.json.encode([one]).decode()
        written.ledger.write((), (), 0, {"account": note})

    assert cli.main(["account", str(tmp_path / "run"), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)

    expected = {row["currency"]: (row["expected"], row["told"]) for row in found["rows"]}
    assert expected == {"BTC": ("2", None), "USDT": ("799.9", None)}
    assert found["baseline_why"] == "a test"


def test_amounts_are_told_without_exponents_and_zeros_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path / "run") as written:
        key = written.claim()
        written.step(key, OrderState.FILLED, fill("t1", "2.00000000"))
        now = {"USDT": Decimal("0.00000001"), "BTC": Decimal("10.00000000")}
        flows = Flows(amounts={"USDT": Decimal("-200.1"), "BTC": Decimal("2.00000000")}, fills=1)
        note = msgspec.json.encode([begin(now, flows, TimestampNs(1), "a test")]).decode()
        written.ledger.write((), (), 0, {"account": note})

    cli.main(["account", str(tmp_path / "run")])

    _, _, btc, usdt, *_ = capsys.readouterr().out.splitlines()
    assert btc.split() == ["BTC", "10", "0", "10", "-", "-"]
    assert usdt.split() == ["USDT", "0.00000001", "0", "0.00000001", "-", "-"]


def test_nothing_is_accepted_without_a_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path / "run"):
        pass

    assert cli.main(["account", str(tmp_path / "run"), "--accept", "a deposit"]) == 3
    assert "start the run, then accept" in capsys.readouterr().err


def test_a_person_must_say_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["account", str(tmp_path), "--accept", " "]) == 2
    assert "--accept: say why" in capsys.readouterr().err


@pytest.mark.slow
def test_a_paper_run_says_that_it_has_no_account_to_compare(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    bot = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "start", "--no-chaos", "--run-dir", str(run_dir)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        while not (run_dir / CONTROL_SOCKET).exists():
            assert bot.poll() is None
            time.sleep(0.05)
        told = command("account", str(run_dir))
    finally:
        bot.kill()
        bot.wait()

    assert told.returncode == 1
    assert told.stdout == "on paper there is no account to compare: only a live run has one\n"
