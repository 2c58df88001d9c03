"""`account` without a process: what the ledger expects. With one it is run by the documents."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

import cli
from decisions.account import Flows, begin
from messages.ids import NS_PER_S, TimestampNs
from messages.values import OrderState
from ops.control import ControlServer
from ops.run_files import CONTROL_SOCKET, EFFECTIVE_CONFIG
from tests.cli.runs import ROOT, book, command, fill
from tests.waiting import until

ON_PAPER = "only live runs are compared: this one trades on paper and has no account\n"
READ = {
    "state": "same",
    "interval_s": 60,
    "away": "",
    "rows": [],
    "foreign_orders": [],
}
"""What a process says of its account, but for when it read it."""


@pytest.fixture
def process_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a process answer that it read the account so many seconds ago."""

    (tmp_path / CONTROL_SOCKET).touch()

    def says(ago_s: int, **more: str) -> None:
        read_at_ns = time.time_ns() - ago_s * NS_PER_S
        answer = READ | {"read_at_ns": read_at_ns} | more
        monkeypatch.setattr("ops.account.ask", lambda *_, **__: answer)

    return says


def test_the_same_is_said_of_a_moment(
    tmp_path: Path, process_says: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    process_says(42)

    assert cli.main(["account", str(tmp_path)]) == 0
    assert re.fullmatch(r"same, as of [-0-9]+ [:0-9]+ UTC \(42s ago\)\n", capsys.readouterr().out)

    assert cli.main(["account", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["read_at_ns"] > 0
    assert 42 <= found["age_s"] < 60
    assert found["stale"] is False


def test_a_reading_older_than_twice_its_interval_proves_nothing(
    tmp_path: Path, process_says: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    process_says(119)
    assert cli.main(["account", str(tmp_path)]) == 0
    capsys.readouterr()

    process_says(121)
    assert cli.main(["account", str(tmp_path)]) == 1
    assert "(2m01s ago, too old: it is read every 60 s)" in capsys.readouterr().out


def test_nothing_is_proved_while_the_venue_is_away(
    tmp_path: Path, process_says: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    process_says(20, away="venue stream backoff: no route", skipped="no answer")

    assert cli.main(["account", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert out.endswith("the venue is away: venue stream backoff: no route\n")


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


def test_without_a_process_and_before_its_first_fill_the_config_says_what_is_traded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path / "run") as written:
        holds = {"USDT": Decimal(1000), "DOGE": Decimal(7)}
        one = begin(holds, Flows(), TimestampNs(1), "a test")
        written.ledger.write((), (), 0, {"account": msgspec.json.encode([one]).decode()})
    config = '[[strategy]]\nid = "s"\nsymbol = "BTC/USDT"\n'
    (tmp_path / "run" / EFFECTIVE_CONFIG).write_text(config)

    assert cli.main(["account", str(tmp_path / "run"), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)

    expected = {row["currency"]: (row["baseline"], row["expected"]) for row in found["rows"]}
    assert expected == {"BTC": ("0", "0"), "USDT": ("1000", "1000")}


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
    assert cli.main(["account", str(tmp_path / "run"), "--json"]) == 3
    assert "E-" not in capsys.readouterr().out
    assert btc.split() == ["BTC", "10", "0", "10", "-", "-"]
    assert usdt.split() == ["USDT", "0.00000001", "0", "0.00000001", "-", "-"]


@pytest.mark.parametrize("more", [(), ("--accept", "a deposit")])
def test_a_process_that_has_no_account_to_tell_of_says_what_it_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    """A publisher: an empty line was all, and that its executor has ended."""
    with ControlServer(tmp_path / CONTROL_SOCKET, {"health": lambda _: {}}):
        assert cli.main(["account", str(tmp_path), *more]) == 1

    told = capsys.readouterr()
    assert (told.out, told.err) == (
        "",
        f"watchkeeper: the process of {tmp_path} tells of no account: unknown command; known:"
        " health, ping, stacks\n",
    )


def test_nothing_is_accepted_without_a_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path / "run"):
        pass

    assert cli.main(["account", str(tmp_path / "run"), "--accept", "a deposit"]) == 3
    assert "start the run, then accept" in capsys.readouterr().err


def test_a_person_must_say_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / CONTROL_SOCKET).touch()

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
        until((run_dir / CONTROL_SOCKET).exists)
        told = command("account", str(run_dir))
    finally:
        bot.kill()
        bot.wait()

    assert told.returncode == 1
    assert told.stdout == ON_PAPER
    assert command("account", str(run_dir)).stdout == ON_PAPER, "without its process, too"
