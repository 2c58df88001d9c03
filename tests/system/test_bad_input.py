"""Bad input and bad days: a clear sentence, the right exit code, nothing lost."""

import gzip
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exchanges.demo import DemoSource
from messages.ids import NS_PER_MS, Symbol
from tests.system.conftest import STRESS, orders_at_venue, orders_in_ledger

COMMAND = [sys.executable, "-P", "-m", "cli", "start"]


def recorded(path: Path, count: int = 3_000) -> list[str]:
    """Write a recording of the demo's market; give its lines."""
    lines = ["ts,open,high,low,close,volume"]
    for candle in DemoSource(Symbol("BTC/USDT"), limit=count).events():
        prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        lines.append(",".join(map(str, (candle.ts_open_ns // NS_PER_MS, *prices))))
    path.write_text("\n".join(lines) + "\n")
    return lines


def config(folder: Path, name: str = "run") -> Path:
    """Write a config that replays candles.csv into the run directory `name`."""
    path = folder / f"{name}.toml"
    path.write_text(
        f'name = "{name}"\nrun_dir = "{folder / name}"\n'
        f'[feed]\ntype = "replay"\npath = "{folder / "candles.csv"}"\nsymbols = ["BTC/USDT"]\n'
        '[[strategy]]\nid = "sma-1"\nuses = "sma_cross"\n'
        "[strategy.params]\nfast = 5\nslow = 15\n"
    )
    return path


def start(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run `start` to its end."""
    command = [*COMMAND, *map(str, arguments), "--json"]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, **options
    )


def last_line(run: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The final word of a run."""
    word: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return word


@pytest.mark.slow
def test_rubbish_lines_are_counted_named_and_never_traded_on(tmp_path: Path) -> None:
    lines = recorded(tmp_path / "candles.csv")
    assert start(config(tmp_path, "clean")).returncode == 0
    lines[100:100] = ["rubbish", "1,2,3", lines[99], "nan,nan,nan,nan,nan,nan", lines[50]]
    (tmp_path / "candles.csv").write_text("\n".join(lines))

    run = start(config(tmp_path, "dirty"))

    assert run.returncode == 0
    summary = json.loads((tmp_path / "dirty/metrics_summary.json").read_text())
    feed = summary["feeds"]["feeds/feed:replay"]
    assert (feed["malformed"], feed["duplicate"], feed["out_of_order"]) == (3, 1, 1)
    assert "candles.csv:101" in (tmp_path / "dirty/metrics.ndjson").read_text()
    assert orders_at_venue(tmp_path / "dirty") == orders_at_venue(tmp_path / "clean")


@pytest.mark.slow
def test_gaps_are_told_where_a_person_looks_with_metrics_off_too(tmp_path: Path) -> None:
    lines = recorded(tmp_path / "candles.csv", 200)
    lines = [*lines[:20], *lines[23:100], *lines[101:]]
    (tmp_path / "candles.csv").write_text("\n".join(lines) + "\n")

    run = start(config(tmp_path), "--disable-metrics")

    told = (
        "2 gaps between rows, 4 missing, the first: BTC/USDT before candles.csv:21"
        " (3m00s, 3 missing), BTC/USDT before candles.csv:98 (1m00s, 1 missing)"
    )
    assert run.returncode == 0
    assert (tmp_path / "run/watchkeeper.log").read_text().count(told) == 1
    assert "between rows" not in run.stderr, "it is no warning"
    word = last_line(run)["gaps"]["feeds/feed:replay"]
    assert (word["gaps"], word["missing"]) == (2, 4)
    assert [one["place"] for one in word["first"]] == ["candles.csv:21", "candles.csv:98"]
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert status["gaps"] == {"feeds/feed:replay": word}
    assert (status["dropped"], last_line(run)["dropped"]) == ({}, {})


@pytest.mark.slow
def test_orders_that_were_sent_are_counted_with_metrics_off_too(tmp_path: Path) -> None:
    recorded(tmp_path / "candles.csv", 400)

    counters = last_line(start(config(tmp_path), "--disable-metrics"))["counters"]

    assert counters["sent"] == counters["allowed"] == counters["filled"] > 3


@pytest.mark.slow
def test_rubbish_lines_are_told_where_a_person_looks_with_metrics_off_too(tmp_path: Path) -> None:
    lines = recorded(tmp_path / "candles.csv", 200)
    lines[100:100] = ["rubbish", "1,2,3", lines[99]]
    (tmp_path / "candles.csv").write_text("\n".join(lines))

    run = start(config(tmp_path), "--disable-metrics")

    told = (
        "3 rows were not used (2 malformed, 1 duplicate), the first at"
        " candles.csv:101: not the columns that the other rows have"
    )
    assert run.returncode == 0
    assert run.stderr.count(told) == 1
    assert (tmp_path / "run/watchkeeper.log").read_text().count(told) == 1
    word = last_line(run)["dropped"]["feeds/feed:replay"]
    assert (word["malformed"], word["duplicate"], word["out_of_order"]) == (2, 1, 0)
    assert word["first"][0].startswith("candles.csv:101: ")
    assert json.loads((tmp_path / "run/status.json").read_text())["dropped"] == {
        "feeds/feed:replay": word
    }


@pytest.mark.slow
def test_a_file_that_is_cut_off_is_traded_on_and_told_as_what_it_is(tmp_path: Path) -> None:
    recorded(tmp_path / "candles.csv", 400)
    packed = gzip.compress((tmp_path / "candles.csv").read_bytes())
    (tmp_path / "candles.csv.gz").write_bytes(packed[:-2_000])
    path = config(tmp_path)
    path.write_text(path.read_text().replace("candles.csv", "candles.csv.gz"))

    run = start(path)

    assert run.returncode == 0
    (told,) = last_line(run)["dropped"]["feeds/feed:replay"]["cut_off"]
    assert told.startswith("candles.csv.gz is cut off or damaged after line ")
    assert told in run.stderr
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert status["dropped"]["feeds/feed:replay"]["cut_off"] == [told]


@pytest.mark.slow
def test_a_file_without_a_usable_row_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "candles.csv").write_text("this\nis\nno market\n")

    run = start(config(tmp_path))

    assert run.returncode == 2
    assert "no usable row" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_directory_in_use_is_refused_naming_the_process(tmp_path: Path) -> None:
    first = subprocess.Popen(
        [*COMMAND, "--run-dir", str(tmp_path / "run"), "--json"], stdout=subprocess.PIPE
    )
    assert first.stdout is not None
    first.stdout.readline()

    second = start("--run-dir", tmp_path / "run")
    first.terminate()
    first.communicate(timeout=90)

    assert second.returncode == 2
    assert str(first.pid) in second.stderr


@pytest.mark.slow
def test_a_run_directory_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    recorded(tmp_path / "candles.csv")
    path = config(tmp_path)
    killed = subprocess.Popen([*COMMAND, str(path), "--json"], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.kill()
    killed.communicate()

    run = start(path)

    assert run.returncode == 0
    assert f"taking over from process {killed.pid}" in run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [90, 150, 260] if STRESS else [150])
def test_a_full_disk_halts_trading_says_why_and_loses_nothing(
    tmp_path: Path, kilobytes: int
) -> None:
    recorded(tmp_path / "candles.csv")
    whole = start(config(tmp_path, "whole"))
    assert whole.returncode == 0
    expected = orders_at_venue(tmp_path / "whole")

    def fill_the_disk() -> None:
        limit = kilobytes * 1024
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    path = config(tmp_path, "full")
    full = start(path, "--duration", 6, preexec_fn=fill_the_disk)
    after = start(path)

    assert full.returncode == 1, full.stdout
    assert last_line(full)["reason"].startswith("halted: ")
    assert after.returncode == 0
    assert orders_at_venue(tmp_path / "full") == expected
    assert orders_in_ledger(tmp_path / "full") == orders_in_ledger(tmp_path / "whole")
