"""`backtest` with files beside its table, and `report`, as a user meets them."""

import csv
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import cli
from tests.cli.runs import real_run

STOPPED = Path(__file__).parents[2] / "examples" / "stopped_bot.toml"


def backtest(*words: str) -> int:
    return cli.main(["backtest", "examples/replay.toml", *words])


def data_of(page: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    model: dict[str, Any] = json.loads(found[0])
    return model


def test_a_sheet_is_a_file_and_the_same_bytes_again(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest("--html", "sheet.html", "--split", "0.7") == 0
    told = capsys.readouterr()
    first = Path("sheet.html").read_text()
    assert backtest("--html", "sheet.html", "--split", "0.7") == 0

    assert "  net " in told.out
    assert re.search(r"sheet\.html \(\d+ kB\): open it in any browser", told.err)
    assert Path("sheet.html").read_text() == first
    assert data_of(first)["name"] == "example-replay"
    assert not list(market.glob(".sheet*"))


@pytest.mark.parametrize("flag", ["--html", "--trades", "--equity"])
def test_a_result_goes_where_a_link_leads_and_leaves_the_link(market: Path, flag: str) -> None:
    """`--trades /dev/stdout > trades.csv` would have made a file of root's own `/dev/stdout`."""
    there = market / f"public{flag}"
    there.mkdir()
    (market / f"result{flag}").symlink_to(there / "result")
    for _ in range(2):
        assert backtest(flag, f"result{flag}") == 0

    assert (market / f"result{flag}").is_symlink()
    assert [path.name for path in there.iterdir()] == ["result"]


def test_a_table_on_a_stdout_that_is_a_file_is_in_it(market: Path) -> None:
    with (market / "days.csv").open("w") as file:
        assert backtest("--equity", f"/dev/fd/{file.fileno()}") == 0

    assert (market / "days.csv").read_text().startswith("day,USDT\n")


def test_a_sheet_on_stdout_is_the_page_alone(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest("--html", "-") == 0

    page = capsys.readouterr().out
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")


def test_trades_and_days_are_files_of_commas(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest("--trades", "trades.csv", "--equity", "days.csv", "--json") == 0

    report = json.loads(capsys.readouterr().out)
    trades = list(csv.DictReader(Path("trades.csv").read_text().splitlines()))
    ended = [one for one in trades if one["closed"]]
    (whole,) = report["quotes"][0]["parts"]
    assert len(ended) == whole["trades"]["ended"] > 0
    assert len(trades) - len(ended) == whole["trades"]["open"]
    assert sum(float(one["profit"]) for one in trades) == pytest.approx(whole["figures"]["net"])
    days = list(csv.DictReader(Path("days.csv").read_text().splitlines()))
    assert days[0]["day"] == "2024-01-01"
    assert float(days[-1]["USDT"]) == pytest.approx(whole["figures"]["net"])


@pytest.mark.parametrize("flag", ["--html", "--trades", "--equity"])
def test_a_result_takes_the_place_of_no_recording_and_no_config(
    market: Path, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("candles.csv", "examples/replay.toml"):
        before = Path(name).read_bytes()

        assert backtest(flag, name) == 2

        assert f"{flag} {name}: there is such a file already" in capsys.readouterr().err
        assert Path(name).read_bytes() == before


def test_a_table_takes_the_place_of_an_earlier_one(market: Path) -> None:
    tables = ["--trades", "trades.csv", "--equity", "days.csv"]
    assert backtest(*tables) == 0

    assert backtest(*tables) == 0
    assert backtest("--trades", "days.csv") == 2


@pytest.mark.slow
def test_a_page_of_a_run_takes_the_place_of_none_of_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    real_run(run_dir, "demo", 5)
    ledger = run_dir / "ledger.db"
    before = ledger.read_bytes()

    assert cli.main(["report", str(run_dir), "--html", str(ledger)]) == 2
    assert cli.main(["dashboard", str(run_dir), "--out", str(ledger)]) == 2

    assert capsys.readouterr().err.count("there is such a file already") == 2
    assert ledger.read_bytes() == before


def test_a_trade_says_why_it_was_entered_and_left_and_the_exits_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["backtest", str(STOPPED), "--trades", "trades.csv", "--html", "page.html"]
    assert cli.main([*words, "--json"]) == 0

    report = json.loads(capsys.readouterr().out)
    ended = [
        one for one in csv.DictReader(Path("trades.csv").read_text().splitlines()) if one["closed"]
    ]
    assert all(one["entry_reason"].startswith("close ") for one in ended)
    profits: dict[str, list[float]] = defaultdict(list)
    for one in ended:
        profits[one["exit_reason"]].append(float(one["profit"]))
    assert profits.keys() == {"stop_loss", "take_profit"}
    exits = report["quotes"][0]["parts"][0]["trades"]["exits"]
    assert [(one["reason"], one["trades"], one["profit"]) for one in exits] == [
        (reason, len(some), pytest.approx(sum(some)))
        for reason, some in sorted(profits.items(), key=lambda kind: (-len(kind[1]), kind[0]))
    ]
    (sheet,) = data_of(Path("page.html").read_text())["sheets"]
    assert [row[-1] for row in sheet["trips"]][: len(ended)] == [
        one["exit_reason"] for one in ended
    ]
    rows = [row[1] for row in sheet["rows"] if row[0] == "Exits"]
    assert rows == [one["reason"] for one in exits]

    assert cli.main(["backtest", str(STOPPED)]) == 0
    first, table = exits[0], capsys.readouterr().out
    assert re.search(rf"^  exits +{first['reason']} {first['trades']} \(.* USDT\)$", table, re.M)


def test_the_number_of_trials_is_what_you_tell(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest() == 0
    untold = capsys.readouterr().out
    assert backtest("--trials", "20", "--trials-variance", "0.5", "--json") == 0
    report = json.loads(capsys.readouterr().out)

    assert "  trials        1 (what you tell us: --trials N)\n" in untold
    assert (report["trials"], report["is_told"]) == (20, True)
    assert "of 20 trials" in report["claim"]


def test_the_variance_of_trials_is_told_annualised_and_kept_of_one_day(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hours = range(24 * 12)
    rows = (
        f"{1704067200000 + h * 3_600_000},{p},{p + 1},{p - 1},{p},50"
        for h in hours
        if (p := 100 + (h * 7) % 11)
    )
    (tmp_path / "a.csv").write_text("\n".join(rows))
    (tmp_path / "c.toml").write_text(
        f'name = "c"\n[feed]\ntype = "replay"\ntimeframe = "1h"\npath = "{tmp_path / "a.csv"}"\n'
        'symbols = ["BTC/USDT"]\n[[strategy]]\nid = "s"\nuses = "sma_cross"\n'
        "[strategy.params]\nfast = 2\nslow = 5\n"
    )
    words = ["backtest", str(tmp_path / "c.toml"), "--trials", "20", "--json"]
    found = []
    for more in (["--trials-variance", "0.73"], []):
        assert cli.main([*words, *more]) == 0
        found.append(json.loads(capsys.readouterr().out)["quotes"][0]["deflated"])

    assert found[0]["variance"] == pytest.approx(0.002)
    assert [one["is_assumed"] for one in found] == [False, True]
    assert [one["trials"] for one in found] == [20, 20]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--split", "2"], "--split: '2' is no share of the run"),
        (["--split", "soon"], "--split: 'soon' is neither a share nor a date"),
        (["--split", "1999-01-01"], "outside of the data: give a moment from 2024-01-01"),
        (["--html", "no/such/folder/x.html"], "no/such/folder/x.html: no such file or directory"),
        (["--trials-variance", "1"], "say with --trials how many"),
        (["--verify", "--html", "x.html"], "--verify writes no files"),
    ],
)
def test_a_mistake_is_one_sentence(
    market: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert backtest(*words) == 2

    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_what_is_no_plain_file_is_written_to_and_not_replaced(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest("--trades", os.devnull) == 0

    assert not Path(os.devnull).is_file()


@pytest.mark.slow
def test_the_report_of_a_real_run_is_the_sheet_of_its_backtest(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same recording through the actors and through the plain loop: one picture."""
    run = [sys.executable, "-P", "-m", "cli", "start", "examples/replay.toml", "--run-dir", "run"]
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    subprocess.run(run, check=True, cwd=market, capture_output=True, env=here)

    assert cli.main(["report", "run", "--html", "real.html", "--split", "0.7", "--json"]) == 0
    real = json.loads(capsys.readouterr().out)
    assert backtest("--html", "tested.html", "--split", "0.7", "--json") == 0
    tested = json.loads(capsys.readouterr().out)

    assert real["mode"] == "paper"
    capitals = [report["quotes"][0]["capital"] for report in (real, tested)]
    assert [type(one) for one in capitals] == [str, str]
    assert Decimal(capitals[0]) == Decimal(capitals[1]) > 0
    ours, theirs = real["quotes"][0]["parts"], tested["quotes"][0]["parts"]
    assert [part["name"] for part in ours] == ["whole", "in sample", "out of sample"]
    for one, other in zip(ours, theirs, strict=True):
        assert one["trades"] == other["trades"]
        assert one["executions"] == other["executions"] > 0
        assert one["figures"]["net"] == pytest.approx(other["figures"]["net"])
        assert one["figures"]["max_drawdown"] == pytest.approx(other["figures"]["max_drawdown"])
        assert one["hold"]["net"] == pytest.approx(other["hold"]["net"])
    pages = [data_of(Path(name).read_text()) for name in ("real.html", "tested.html")]
    curves = [page["sheets"][0]["curve"] for page in pages]
    assert curves[0] == curves[1]
    assert pages[0]["market"]["symbols"] != {}


def test_a_report_of_a_run_without_a_ledger_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "status.json").touch()

    assert cli.main(["report", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "ledger" in said
    assert "Traceback" not in said
