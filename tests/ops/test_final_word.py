"""What is left on the screen when a run has ended; above all when nothing came of it."""

import json
from pathlib import Path

import pytest

from ops.final_word import verdict_lines
from tests.cli.runs import command

CONFIG = """
name = "silent"
[feed]
speed = 0
[[strategy]]
id = "dear"
uses = "sma_cross"
params = { fast = 5, slow = 15 }
[[strategy]]
id = "slow"
uses = "sma_cross"
params = { fast = 5, slow = 4000 }
[[strategy]]
id = "poor"
uses = "sma_cross"
order_notional = "1"
params = { fast = 5, slow = 15 }
[risk]
max_order_notional = "50"
"""


@pytest.mark.slow
def test_a_run_in_which_nothing_was_filled_says_of_each_strategy_why(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text(CONFIG)
    done = command("start", str(tmp_path / "bot.toml"), "--run-dir", str(tmp_path / "run"),
                   "--max-events", "150", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    word = json.loads(done.stdout.splitlines()[-1])

    assert word["counters"]["filled"] == 0
    assert word["rejects_by_reason"]["max_order_notional"] > 0
    why = word["why_nothing"]
    assert "its last decision was refused" in why["dear"]
    assert why["slow"] == "warm-up: 150 of 4000 events"
    assert why["poor"] == "order_notional 1 is less than the least order of BTC/USDT, 5"
    lines = verdict_lines(word)
    assert "refused (max_order_notional " in lines[2]
    assert lines[4:6] == [f"No fill: {name}: {why[name]}." for name in ("slow", "poor")]


RAISES = """
from strategies import Strategy

class Raises(Strategy):
    def __init__(self, *_):
        pass

    def on_candle(self, candle, position):
        return 1 / 0
"""


def ended(tmp_path: Path, config: str) -> dict[str, str]:
    (tmp_path / "bot.toml").write_text(config)
    done = command("start", str(tmp_path / "bot.toml"), "--run-dir", str(tmp_path / "run"),
                   "--max-events", "150", "--json")  # fmt: skip
    why: dict[str, str] = json.loads(done.stdout.splitlines()[-1])["why_nothing"]
    return why


@pytest.mark.slow
def test_a_strategy_that_was_halted_says_so_and_not_that_nothing_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "raises.py").write_text(RAISES)
    config = 'name = "halts"\n[feed]\nspeed = 0\n[[strategy]]\nid = "r"\nuses = "raises.py:Raises"'

    why = ended(tmp_path, config)

    assert why["r"].startswith("execution/strategies/r is halted: ")
    assert "ZeroDivisionError: division by zero (raises.py:9, in on_candle)" in why["r"]
    assert "nothing keeps it" not in why["r"]


@pytest.mark.slow
def test_a_run_that_is_begun_again_says_that_all_was_known(tmp_path: Path) -> None:
    config = CONFIG.replace("50", "5000")
    assert ended(tmp_path, config) == {}, "it was filled"

    assert ended(tmp_path, config)["dear"].startswith("it decided ")


def test_of_a_run_that_traded_six_lines_are_left_and_no_excuse() -> None:
    counters = {"processed": 9, "allowed": 2, "rejected": 3, "dupes_filtered": 0, "filled": 2}
    word = {
        "reason": "the market ended",
        "counters": counters,
        "rejects_by_reason": {"a": 1, "b": 2},
        "why_nothing": {},
        "profit": {"USDT": "1.00"},
        "profit_since_beginning": {"USDT": "1.00"},
        "restarts": 0,
        "venue": None,
        "run_dir": "runs/x",
    }
    lines = verdict_lines(word)
    assert len(lines) == 6
    assert lines[2] == ("Decisions: 2 sent, 3 refused (b 2, a 1), 0 duplicates filtered, 2 filled.")
