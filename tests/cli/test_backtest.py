"""`backtest` as a user meets it: a table, one JSON object, the probes, the bar."""

import json
import runpy
from pathlib import Path

import pytest

import cli
from research.backtest.progress import bar
from tests.cli.backtesting import APART, BUYS, DECIDES_NOTHING, backtest_of

EXAMPLES = Path(__file__).parents[2] / "examples"


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


def test_the_documented_report_is_what_is_printed(
    market: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = EXAMPLES.parent / "docs" / "backtest.md"
    (market / "documented").mkdir()
    monkeypatch.chdir(market / "documented")
    make_candles = runpy.run_path(str(EXAMPLES / "make_candles.py"))["main"]
    make_candles(Path("candles.csv"), 5000)
    shown = document.read_text().partition("```text\n")[2].partition("```")[0].splitlines()

    assert cli.main(["backtest", str(market / "examples" / "replay.toml")]) == 0

    printed = capsys.readouterr().out.splitlines()
    assert len(shown) > 5
    assert [line for line in shown if line != "  ..." and line not in printed] == []


def test_the_bar_says_how_long_it_will_take() -> None:
    assert bar(500, 1000, 2.0) == f"[{'#' * 15}{' ' * 15}]  50%  250 events a second, 2 s left"
    assert bar(500, None, 2.0) == "500 events, 250 a second"
    assert bar(1200, 1000, 1.0).endswith("0 s left")
    assert bar(0, 1000, 0.0) == "0 events, 0 a second"


def test_data_that_is_all_history_is_told_as_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest_of(tmp_path, words=("--warm-until", "2024-01-01T00:51")) == 0
    told = capsys.readouterr().out
    assert "all 50 events of BTC/USDT are before --warm-until" in told

    assert backtest_of(tmp_path, words=("--warm-until", "2024-01-01T00:49")) == 0
    assert "its rule was not met" in capsys.readouterr().out


def test_what_a_strategy_prints_does_not_stand_in_what_programs_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    body = "def on_candle(self, *_): print('seen', end='; ')\n    print('loaded')"

    assert backtest_of(tmp_path, body, words=("--json",)) == 0

    told = capfd.readouterr()
    assert json.loads(told.out)["events"] == 50
    assert "loaded\n" in told.err
    assert told.err.count("seen; ") == 50


def test_handlers_that_the_data_has_nothing_for_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "on_book = on_trade = lambda *_: None; on_candle = lambda *_: None"

    assert backtest_of(tmp_path, body) == 0

    told = capsys.readouterr().out
    assert "  never called  on_trade and on_book of m: there is no such event in the data" in told


ONE = "1704067200000,100,101,99,100.5,3"


@pytest.mark.parametrize(
    ("rows", "events", "missing"), [(ONE, 1, ""), (APART, 50, "2,891 missing")]
)
@pytest.mark.parametrize(("body", "orders"), [(DECIDES_NOTHING, "0"), (BUYS, "1")])
def test_no_order_one_candle_and_nothing_but_gaps_are_reported_like_any_other(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rows: str,
    events: int,
    missing: str,
    body: str,
    orders: str,
) -> None:
    (tmp_path / "a.csv").write_text(rows)
    feed = f'type = "replay"\nsymbols = ["BTC/USDT"]\npath = "{tmp_path / "a.csv"}"'

    assert backtest_of(tmp_path, body, feed=feed) == 0

    told = capsys.readouterr().out
    assert f"  events        {events}\n" in told
    assert f"  orders        {orders}" in told
    assert missing in told
    assert "not known: too few days" in told


def test_what_was_not_probed_does_not_look_like_a_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text(
        'name = "c"\n[feed]\ntype = "demo"\nlimit = 60\n[[strategy]]\nid = "m"\n'
        'uses = "sma_cross"\n[strategy.params]\nfast = 2\nslow = 5\n'
    )

    assert cli.main(["backtest", str(tmp_path / "c.toml"), "--verify"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert cli.main(["backtest", str(tmp_path / "c.toml"), "--verify", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [line.split()[0] for line in told] == ["ok", "ok", "skip"]
    assert "recursion: not probed: 60 events are too few for a warm-up of 5" in told[2]
    assert [one["passed"] for one in found] == [True, True, None]
