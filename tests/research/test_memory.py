"""Peak memory of the data commands, and of a backtest, does not grow with the candles."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.runs import ROOT
from tests.peak_memory import measured
from tests.research.candles import NAMED, T0_MS

FEW, MANY = 120_000, 1_200_000
ALLOWED_GROWTH_KB = 24_000
COMMANDS = {
    "import": ("candles.csv", *NAMED),
    "import again": ("candles.csv", *NAMED),
    "verify": ("--spike", "9"),
    "resample": ("--to", "5m", *NAMED, "--partial"),
    "list": (),
}

# Strategies that look at every candle and trade none: orders are kept, and would be what grows.
TWO = """
name = "two"
[feed]
type = "replay"
symbols = ["BTC/USDT", "ETH/USDT"]
path = ["candles.csv", "candles.csv"]
[[strategy]]
id = "both"
uses = "pairs"
symbols = ["BTC/USDT", "ETH/USDT"]
[[strategy]]
id = "one"
uses = "donchian_breakout"
[strategy.params]
entry = 10000
exit = 10000
"""


def rows(count: int) -> Iterator[str]:
    for number in range(count):
        price = 100 + number * 7919 % 9973 / 100
        text = f"{price:.2f},{price + 1:.2f},{price - 1:.2f},{price + 0.5:.2f},{number % 997}"
        yield f"{T0_MS + number * 60_000},{text}\n"


def peaks_kb(folder: Path, count: int) -> dict[str, int]:
    """Run the commands one after the other, each in a process of its own."""
    folder.mkdir()
    with (folder / "candles.csv").open("w") as file:
        file.writelines(rows(count))
    found = {}
    for name, words in COMMANDS.items():
        found[name] = peak_kb(folder, "data", name.split()[0], *words, "--json")
    (folder / "two.toml").write_text(TWO)
    found["backtest"] = peak_kb(folder, "backtest", "two.toml", "--json")
    return found


def peak_kb(folder: Path, *words: str) -> int:
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    return measured(*words, cwd=folder, env=here, timeout=900).peak_kb


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.skipif(not os.environ.get("WATCHKEEPER_STRESS"), reason="the long form: tox -e stress")
def test_ten_times_the_candles_take_no_more_memory(tmp_path: Path) -> None:
    few, many = peaks_kb(tmp_path / "few", FEW), peaks_kb(tmp_path / "many", MANY)

    growth = {name: many[name] - few[name] for name in few}
    assert "backtest" in growth
    assert max(growth.values()) < ALLOWED_GROWTH_KB, (few, many)
