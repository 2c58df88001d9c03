"""A backtest of a strategy that is a few lines of a test's own."""

from pathlib import Path

import cli

DECIDES_NOTHING = "def on_candle(self, *_): pass"
BUYS = """
    def on_candle(self, candle, position):
        from decimal import Decimal
        from strategies.protocol import Target
        return Target(notional=Decimal(30), reason="now")
"""
MINUTES_APART = [60 * n + 30 * (n % 3 == 2) for n in range(50)]
APART = "\n".join(f"{1704067200000 + n * 60_000},100,101,99,100.5,3" for n in MINUTES_APART)
"""Candles of a minute, an hour apart."""
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
