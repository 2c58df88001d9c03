"""`backtest` as a user meets it: a table, one JSON object, the probes, and sentences."""

import json
import re
import runpy
from pathlib import Path

import pytest

import cli
from research.backtest.progress import bar

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


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["examples/live.toml"], "say with --data which files to use"),
        (["examples/live.toml", "--data", "none.csv"], 'there is no file "'),
        (["examples/two_symbols.toml", "--data", "a.csv", "b.csv", "c.csv"], "got 3 for 2 symbols"),
        (["examples/live.toml", "--data", "a.csv", "BTC/USDT=b.csv"], "each is SYMBOL=FILE"),
        (["none.toml"], "cannot be read: no such file"),
        (
            ["examples/live.toml", "--data", "ETH/USDT=candles.csv"],
            "--data ETH/USDT=...: examples/live.toml does not follow ETH/USDT; its feed.symbols"
            " are BTC/USDT",
        ),
        (
            ["examples/pairs.toml", "--data", "BTC/USDT=candles.csv"],
            'strategy[0].symbols[0]: got "ETH/USDT", expected one of the feed\'s: BTC/USDT',
        ),
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


DECIDES_NOTHING = "def on_candle(self, *_): pass"
MINE = """
import sys, threading
from strategies.protocol import Strategy

class Mine(Strategy):
    def __init__(self, params, symbol, order_notional, instrument):
        {init}

    {body}
"""


def backtest_of(
    tmp_path: Path,
    body: str = DECIDES_NOTHING,
    init: str = "pass",
    feed: str = 'type = "demo"\nlimit = 50',
    words: tuple[str, ...] = (),
) -> int:
    """Run a strategy with these lines in it; `words` are said besides."""
    (tmp_path / "mine.py").write_text(MINE.format(body=body, init=init))
    (tmp_path / "c.toml").write_text(
        f'name = "c"\n[feed]\n{feed}\n[[strategy]]\nid = "m"\nuses = "mine.py:Mine"\n'
    )
    return cli.main(["backtest", str(tmp_path / "c.toml"), *words])


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


@pytest.mark.parametrize("body", ["on_book = lambda *_: None", "on_tick = lambda *_: None"])
def test_one_that_decides_on_the_book_alone_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    assert backtest_of(tmp_path, body) == 2

    (told,) = capsys.readouterr().err.splitlines()
    assert "strategy m decides on the book alone (on_book), which no recording has: run it" in told


def test_handlers_that_the_data_has_nothing_for_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "on_book = on_trade = lambda *_: None; on_candle = lambda *_: None"

    assert backtest_of(tmp_path, body) == 0

    told = capsys.readouterr().out
    assert "  never called  on_trade and on_book of m: there is no such event in the data" in told


BUYS = """
    def on_candle(self, candle, position):
        from decimal import Decimal
        from strategies.protocol import Target
        return Target(notional=Decimal(30), reason="now")
"""


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("def on_candle(self, *_): return 1 / 0", r"\(mine.py:\d+, in on_candle\): ZeroDiv"),
        ("def on_candle(self, *_): sys.exit(0)", r"in on_candle\): SystemExit: 0"),
        (
            "timer_s = 60\n    def on_timer(self, *_): return 1 / 0",
            r"\(mine.py:\d+, in on_timer\): ZeroDiv",
        ),
        (
            "timeframes = ('5m',)\n    def on_bar(self, *_): return 1 / 0",
            r"\(mine.py:\d+, in on_bar\): ZeroDiv",
        ),
        (
            "def on_candle(self, *_): return 7",
            r"\(mine.py:\d+, in on_candle\): BadDecision: gave 7",
        ),
        ("def on_update(self, _): raise KeyError('x')" + BUYS, r"BTC/USDT is accepted \(mine.py"),
        ("def on_fill(self, *_): raise KeyError('x')" + BUYS, r"is filled \(mine.py:.*KeyError"),
        (
            "def snapshot(self): return 'text'\n    def restore(self, data): pass" + BUYS,
            r"TypeError: snapshot\(\) gave a str",
        ),
    ],
)
def test_a_strategy_that_raises_is_a_sentence_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, sentence: str
) -> None:
    assert backtest_of(tmp_path, body) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert re.search(f"strategy m failed .*{sentence}", said), said


LIMIT = ("--event-limit-s", "0.15")
ON_THE_10TH = """
    seen = 0
    def on_candle(self, *_):
        self.seen += 1
        while self.seen == 10:
            {does}
"""


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (
            ON_THE_10TH.format(does="pass"),
            r"on the candle of BTC/USDT .* \(mine.py:\d+, in on_candle",
        ),
        (ON_THE_10TH.format(does="threading.Event().wait()"), "in on_candle"),
        (
            "timer_s = 60\n    def on_timer(self, *_):\n        while 1: pass",
            r"on its timer of 20.*, in on_timer",
        ),
        (
            "def pass_closes(self, *_):\n        while 1: pass\n    on_candle = pass_closes",
            "in pass_closes",
        ),
        ("def on_update(self, _):\n        while 1: pass" + BUYS, "in on_update"),
    ],
)
def test_a_strategy_that_does_not_come_back_is_a_sentence_with_its_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    body: str,
    where: str,
) -> None:
    verify = ("--verify",) if "10" in body else ()
    assert backtest_of(tmp_path, body, words=(*LIMIT, *verify)) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert "strategy m did not come back within 0.15 s" in said
    assert re.search(rf"{where}\): mend it there", said), said


@pytest.mark.parametrize("init", ["while 1: pass", "threading.Event().wait()"])
def test_nor_is_one_waited_for_that_is_never_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], init: str
) -> None:
    assert backtest_of(tmp_path, init=init, words=LIMIT) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert re.search(
        r"loading it, and making its strategy, did not end within 0\.15 s: .*:\d", said
    )


def test_each_event_has_the_limit_and_not_all_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "def on_candle(self, *_): threading.Event().wait(0.02)"

    assert backtest_of(tmp_path, body, feed='type = "demo"\nlimit = 15', words=LIMIT) == 0


ONE = "1704067200000,100,101,99,100.5,3"
APART = "\n".join(f"{1704067200000 + n * 3_600_000},100,101,99,100.5,3" for n in range(50))


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


def test_one_that_exits_when_it_is_made_is_a_sentence_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest_of(tmp_path, init="sys.exit(0)") == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert re.search(r"Mine could not be made: SystemExit: 0 \(mine.py:\d+, in __init__\)", said)


def test_check_says_what_only_the_constructor_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text(
        'name = "c"\n[feed]\ntype = "demo"\n[[strategy]]\nid = "m"\nuses = "pairs"\n'
    )

    assert cli.main(["check", str(tmp_path / "c.toml")]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "strategy m: pairs could not be made: ValueError: needs two, such as symbols" in said


SYMBOLS = """
name = "two"
[feed]
type = "ccxt"
symbols = ["BTC/USDT", "ETH/USDT"]
[venue]
exchange = "binance"
{venue}
[[strategy]]
id = "m"
uses = "sma_cross"
{symbol}
[strategy.params]
fast = 2
slow = 3
"""


def backtest_with(tmp_path: Path, data: list[str], symbol: str = "", venue: str = "") -> int:
    """Run a configuration of BTC and ETH on named files."""
    (tmp_path / "c.toml").write_text(SYMBOLS.format(symbol=symbol, venue=venue))
    (tmp_path / "a.csv").write_text(APART)
    named = [f"{one}={tmp_path / 'a.csv'}" for one in data]
    return cli.main(["backtest", str(tmp_path / "c.toml"), "--data", *named])


def test_a_file_for_another_symbol_never_becomes_the_market_of_a_strategy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A strategy without a symbol trades the feed's first, whichever files are given."""
    assert backtest_with(tmp_path, ["ETH/USDT"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.endswith("--data gives no file for BTC/USDT, which strategy m trades")

    assert backtest_with(tmp_path, ["ETH/USDT"], symbol='symbol = "ETH/USDT"') == 0
    assert backtest_with(tmp_path, ["BTC/USDT"]) == 0
    assert backtest_with(tmp_path, ["ETH/USDT", "BTC/USDT"]) == 0


def test_what_is_paid_with_must_be_in_the_balances(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venue = '[venue.balances]\nBTC = "1"'

    assert backtest_with(tmp_path, ["BTC/USDT"], venue=venue) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert "venue.balances: gives no USDT, which is paid with" in said


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
