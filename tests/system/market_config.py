"""How long and how full a market is, and the bot's configuration for it."""

import json
from pathlib import Path

import msgspec

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
FOLLOWED = "LTC/USDT"
"""Of an order whose cancel is asked about nobody's on its symbol is sent: it has one of its own."""
TRADER = Path(__file__).with_name("tick_trader.py")
FOLLOWING = Path(__file__).with_name("following_strategies.py")
CONFIG = """
name = "long"
run_dir = "{run_dir}"
mode = "live"
[feed]
type = "ccxt"
symbols = {symbols}
channels = ["ticks"]
{venue}
{strategies}
[risk]
max_order_notional = "1000"
max_orders_per_minute = 100000
price_collar_bps = "5000"
"""
FOLLOWER = """
[[strategy]]
id = "follower"
uses = "{file}:Follower"
symbol = "{symbol}"
order_notional = "50"
[strategy.params]
every = {pace.every}
"""
"""It ends and replaces orders that rest: the others' are all filled at once."""
STRATEGY = """
[[strategy]]
id = "trader-{number}"
uses = "{file}:TickTrader"
symbol = "{symbol}"
order_notional = "{notional}"
[strategy.params]
every = {pace.every}
at_once = {pace.at_once}
"""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long a market lasts, and how much happens in it."""

    market_s: float
    speed: float
    every: int
    """Ticks between two decisions of a strategy."""
    at_once: int = 1
    """Orders of one decision."""
    not_arriving: float = 1.0
    """What the probability of a fault that keeps an order from the exchange is multiplied by."""
    hangs: bool = False
    """Whether requests are also never answered, and streams fall silent, which takes its time."""
    least_filled: int = 0
    """It goes on until so many orders are filled, but not for ever."""
    settle_ms: int | None = None
    """How long after the receive window an order may come into sight; None: as at Binance, 12 s."""

    @property
    def span_s(self) -> float:
        """How long it is planned to last here."""
        return self.market_s / self.speed


def config_text(run_dir: Path, venue: str, pace: Pace) -> str:
    notionals = (500, 300, 200)
    strategies = "".join(
        STRATEGY.format(number=number, file=TRADER, symbol=symbol, notional=notional, pace=pace)
        for number, (symbol, notional) in enumerate(zip(SYMBOLS, notionals, strict=True), 1)
    )
    strategies += FOLLOWER.format(file=FOLLOWING, symbol=FOLLOWED, pace=pace)
    symbols = json.dumps((*SYMBOLS, FOLLOWED))
    return CONFIG.format(run_dir=run_dir, symbols=symbols, venue=venue, strategies=strategies)
