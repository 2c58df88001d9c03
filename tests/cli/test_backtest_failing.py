"""A strategy that raises, exits or does not come back is a sentence with its line."""

import re
from pathlib import Path

import pytest

from tests.cli.backtesting import BUYS, backtest_of


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
        (
            "def pass_closes(self, *_): return 1.0\n    def on_candle(self, *_): ...",
            r"in pass_closes: TypeError: 'float'",
        ),
        (
            "class Mute(Exception):\n        __str__ = lambda self: self.nothing\n"
            "    def on_candle(self, *_): raise self.Mute",
            r"\(mine.py:\d+, in on_candle\): Mute: \(it cannot be told: AttributeError\)",
        ),
    ],
)
def test_a_strategy_that_raises_is_a_sentence_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, sentence: str
) -> None:
    assert backtest_of(tmp_path, body) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert re.search(f"strategy m failed .*{sentence}", said), said


def test_one_that_exits_when_it_is_made_is_a_sentence_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest_of(tmp_path, init="sys.exit(0)") == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert re.search(r"Mine could not be made: SystemExit: 0 \(mine.py:\d+, in __init__\)", said)


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
