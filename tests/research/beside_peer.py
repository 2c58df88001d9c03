"""backtesting.py on the same candles: the crossover as it would be written there, order by order.

It costs pandas and bokeh, so it is in none of the extras: a test finds it where it is installed,
or in the environment that `python -m benchmarks --only backtest` makes for it.
"""

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PEER = "backtesting==0.6.6"

_SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

path, asked = sys.argv[1], json.loads(sys.argv[2])
fast, slow, notional = asked["fast"], asked["slow"], asked["notional"]
data = pd.read_csv(path)
data.columns = ["time", "Open", "High", "Low", "Close", "Volume"]
data.index = pd.to_datetime(data.pop("time"), unit="ms")

def sides(close):
    # Whole ticks, so that no rounding says which mean is above: 1, 0 level, -1.
    ticks = np.rint(np.asarray(close) / asked["tick"]).astype(np.int64)
    sums = np.concatenate([[0], np.cumsum(ticks)])
    found = np.full(len(ticks), np.nan)
    of_fast = sums[slow:] - sums[slow - fast:-fast]
    of_slow = sums[slow:] - sums[:-slow]
    found[slow - 1:] = np.sign(of_fast * slow - of_slow * fast)
    return found

class Cross(Strategy):
    def init(self):
        self.side = self.I(sides, self.data.Close)
    def next(self):
        before, now = self.side[-2], self.side[-1]
        if now > 0 and before <= 0 and not self.position:
            self.buy(size=int(notional // self.data.Close[-1]))
        elif now < 0 and self.position:
            self.position.close()

test = Backtest(data, Cross, cash=asked["cash"], commission=asked["commission"])
found = test.run()
equity = found["_equity_curve"]["Equity"].tolist()
closed = found["_trades"]
bought = [*zip(closed["EntryBar"], closed["Size"], closed["EntryPrice"])]
bought += [(one.entry_bar, one.size, one.entry_price) for one in found["_strategy"].trades]
sold = zip(closed["ExitBar"], -closed["Size"], closed["ExitPrice"])
fills = sorted((int(bar), int(size), float(price)) for bar, size, price in [*bought, *sold])
print(json.dumps([[bar, size, price, equity[bar]] for bar, size, price in fills]))
"""


def interpreter() -> Path | None:
    """Give a Python that has it: this one, else the benchmarks' own; None where there is none."""
    if find_spec("backtesting") is not None:
        return Path(sys.executable)
    home = Path(tempfile.gettempdir()) / f"peer-{PEER.replace('==', '-')}"
    return home / "bin" / "python" if (home / "installed").exists() else None


def fills_of(python: Path, candles: Path, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Give of each fill its candle, its size, its price, and the equity at that candle's close."""
    command = [str(python), "-c", _SCRIPT, str(candles), json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return [tuple(one) for one in json.loads(done.stdout.splitlines()[-1])]
