"""`backtest` as a user meets it: a table, one JSON object, the probes, and sentences."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from research.backtest.progress import bar

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples and a generated recording."""
    if not EXAMPLES.is_dir():
        pytest.skip("the examples are not installed")
    folder = tmp_path_factory.mktemp("market")
    shutil.copytree(EXAMPLES, folder / "examples")
    script = [sys.executable, "examples/make_candles.py", "candles.csv", "1500"]
    subprocess.run(script, check=True, cwd=folder)
    return folder


@pytest.fixture
def market(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, and we are in it."""
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
def test_a_backtest_is_the_same_bytes_again(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["backtest", "examples/replay.toml", "--json"]) == 0
    first = capsys.readouterr().out
    assert cli.main(["backtest", "examples/live.toml", "--data", "candles.csv", "--json"]) == 0
    other = capsys.readouterr().out
    assert cli.main(["backtest", "examples/replay.toml", "--json"]) == 0
    again = capsys.readouterr().out

    assert first == again
    report = json.loads(first)
    assert report["events"] == 1500
    assert report["trials"] == 1
    assert report["claim"].startswith("no edge claimed")
    assert report["quotes"][0]["net"] != "0"
    assert report["run_hash"] != json.loads(other)["run_hash"]


@pytest.mark.slow
def test_the_table_and_the_probes(market: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["backtest", "examples/replay.toml"]) == 0
    table = capsys.readouterr().out
    assert cli.main(["backtest", "examples/replay.toml", "--verify"]) == 0
    probes = capsys.readouterr().out

    for word in ("orders", "fills", "fees", "net", "max drawdown", "exposure", "turnover"):
        assert f"  {word} " in table
    assert "no edge claimed" in table
    assert [line.split()[2] for line in probes.splitlines()] == [
        "repeat:",
        "look-ahead:",
        "recursion:",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["examples/live.toml"], "say with --data which files to use"),
        (["examples/live.toml", "--data", "none.csv"], 'there is no file "'),
        (["examples/two_symbols.toml", "--data", "a.csv", "b.csv", "c.csv"], "got 3 for 2 symbols"),
        (["examples/live.toml", "--data", "a.csv", "BTC/USDT=b.csv"], "each is SYMBOL=FILE"),
        (["none.toml"], "cannot be read: no such file"),
    ],
)
def test_a_mistake_is_one_sentence(
    market: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert cli.main(["backtest", *words]) == 2
    said = capsys.readouterr().err

    assert sentence in said
    assert "Traceback" not in said


def test_the_bar_says_how_long_it_will_take() -> None:
    assert bar(500, 1000, 2.0) == f"[{'#' * 15}{' ' * 15}]  50%  250 events a second, 2 s left"
    assert bar(500, None, 2.0) == "500 events, 250 a second"
    assert bar(1200, 1000, 1.0).endswith("0 s left")
    assert bar(0, 1000, 0.0) == "0 events, 0 a second"


def test_what_the_loop_does_not_drive_is_refused_and_never_run_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(
        "from strategies.protocol import Strategy\n"
        "class Mine(Strategy):\n"
        '    timeframes = ("5m",)\n'
        "    timer_s = 60\n"
        "    def __init__(self, params, symbol, order_notional, instrument):\n"
        "        pass\n"
    )
    (tmp_path / "c.toml").write_text(
        'name = "c"\n[feed]\ntype = "demo"\nlimit = 50\n'
        '[[strategy]]\nid = "m"\nuses = "mine.py:Mine"\n'
    )

    assert cli.main(["backtest", str(tmp_path / "c.toml")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in told] == [
        "watchkeeper: strategy m uses bars of other lengths (timeframes)",
        "watchkeeper: strategy m uses a timer (timer_s)",
    ]
