"""What is left on the screen when a run has ended; above all when nothing came of it."""

import json
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from decisions.money_fold import MoneyFold
from messages.ids import Symbol
from messages.values import Side
from ops.config import parse
from ops.final_word import _since_beginning, _since_start, is_demonstration, verdict_lines
from tests.cli.runs import command, fill

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
    lines = verdict_lines(word, is_demonstration=True)
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


SMALL = """
from decimal import Decimal
from strategies import Strategy, Target

class Small(Strategy):
    def __init__(self, *_):
        pass

    def on_candle(self, candle, position):
        return Target(Decimal("0.0000001"), "a taste")
"""


@pytest.mark.slow
def test_targets_smaller_than_the_venue_takes_are_no_rule_that_was_not_met(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(SMALL)
    config = 'name = "small"\n[feed]\nspeed = 0\nlimit = 150\n'
    config += '[[strategy]]\nid = "s"\nuses = "small.py:Small"'
    said = "150 targets of BTC/USDT were smaller than the venue takes (0.00001 BTC, worth 5 USDT)"

    assert ended(tmp_path, config) == {"s": said}

    done = command("backtest", str(tmp_path / "bot.toml"))
    assert f"strategy s decided nothing that can be ordered: {said}" in done.stdout


@pytest.mark.slow
def test_a_run_that_is_begun_again_says_that_all_was_known(tmp_path: Path) -> None:
    config = CONFIG.replace("50", "5000")
    assert ended(tmp_path, config) == {}, "it was filled"

    assert ended(tmp_path, config)["dear"].startswith("it decided ")


def test_of_a_run_that_traded_six_lines_are_left_and_no_excuse() -> None:
    counters = {"processed": 9, "allowed": 2, "rejected": 3, "dupes_filtered": 0, "filled": 2}
    counters["errors"] = 0
    word = {
        "reason": "the market ended",
        "counters": counters,
        "rejects_by_reason": {"a": 1, "b": 2},
        "dropped": {},
        "gaps": {},
        "why_nothing": {},
        "profit": {"USDT": "1.00"},
        "profit_since_beginning": {"USDT": "1.00"},
        "other_fees": {},
        "restarts": 0,
        "left": None,
        "venue": None,
        "run_dir": "runs/x",
    }
    lines = verdict_lines(word, is_demonstration=False)
    assert len(lines) == 6
    left = {"texts": ["1 order may still fill"]}
    more = verdict_lines(word | {"left": left}, is_demonstration=False)
    assert more[-2:] == ["Left open: 1 order may still fill.", lines[-1]]
    assert lines[2] == ("Decisions: 2 sent, 3 refused (b 2, a 1), 0 duplicates filtered, 2 filled.")
    assert lines[3] == "Profit net of fees: 1.00 USDT."
    first = {"symbol": "BTC/USDT", "place": "a.csv:3", "missing": 0, "lasted_s": 9.0}
    gaps = {"feeds/feed:replay": {"gaps": 1, "missing": 0, "first": [first]}}
    data = verdict_lines(word | {"gaps": gaps}, is_demonstration=False)[2]
    assert data == "Data: 1 gap between rows, the first: BTC/USDT before a.csv:3 (9.0s)."
    paid = verdict_lines(word | {"other_fees": {"BNB": "0.0125"}}, is_demonstration=False)
    assert paid[3] == (
        "Profit net of fees: 1.00 USDT, less fees in coins of no known price, 0.0125 BNB in all."
    )


def test_a_profit_in_a_dear_currency_is_not_rounded_away() -> None:
    money = MoneyFold()
    for side, price in ((Side.BUY, "0.05"), (Side.SELL, "0.0541")):
        filled = fill(side.value, "1", price, fee=Decimal(0), fee_currency="BTC")
        money.portfolio.record(Symbol("ETH/BTC"), side, filled)

    assert _since_start(money) == _since_beginning(money) == {"BTC": "0.0041"}


@pytest.mark.parametrize(
    ("errors", "restarts", "said"),
    [
        (0, 0, "0 crashes"),
        (1, 1, "1 crash (1 actor was started again)"),
        (1, 2, "1 crash (2 actors were started again)"),
        (2, 0, "2 crashes"),
    ],
)
def test_an_actor_that_is_taken_down_with_another_is_no_second_crash(
    errors: int, restarts: int, said: str
) -> None:
    counters = dict.fromkeys(("processed", "allowed", "rejected", "dupes_filtered", "filled"), 0)
    word = {
        "reason": "the market ended",
        "counters": {**counters, "errors": errors},
        "rejects_by_reason": {},
        "dropped": {},
        "gaps": {},
        "why_nothing": {},
        "profit": {},
        "profit_since_beginning": {},
        "other_fees": {},
        "restarts": restarts,
        "left": None,
        "venue": None,
        "run_dir": "runs/x",
    }

    lines = verdict_lines(word, is_demonstration=True)

    assert lines[3] == "Profit net of fees: 0 (a demonstration; no edge claimed)."
    assert lines[4].startswith(f"Survived: {said}; ")


@pytest.mark.parametrize(
    ("uses", "market", "is_ours"),
    [
        ("sma_cross", 'type = "demo"', True),
        ("sma_cross", 'path = "own.csv"', True),
        ("own.py:Own", 'type = "demo"', True),
        ("own.py:Own", 'path = "own.csv"', False),
    ],
)
def test_of_a_persons_own_strategy_on_an_own_market_nothing_is_claimed_or_denied(
    tmp_path: Path, uses: str, market: str, is_ours: bool
) -> None:
    (tmp_path / "own.csv").touch()
    text = f'name = "x"\n[feed]\n{market}\n[[strategy]]\nid = "a"\nuses = "{uses}"\n'
    if "path" in market:
        text = text.replace(
            "[feed]", '[feed]\ntype = "replay"\nsymbols = ["BTC/USDT"]\ntimeframe = "1m"'
        )

    assert is_demonstration(parse(tomllib.loads(text), tmp_path)) is is_ours
