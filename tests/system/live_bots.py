"""Live runs through the command line, at a local exchange: real processes, real ccxt."""

import os
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exchanges.local.request_log import Request
from exchanges.local.server import RunningExchange
from ops.config_write import to_toml
from tests.exchanges.feed_run import public_config
from tests.system.bots import LIMIT_S

SPEED = 120.0
CANDLE_S = 60 / SPEED
AHEAD_MS = 30 * 86_400_000
"""The market of a compressed clock is ahead of the machine's."""
SHORT_LEASE_MS = 6_000
ENVIRONMENT = {**os.environ, "LOCAL_KEY": "local-key", "LOCAL_SECRET": "local-secret"}
SEESAW = '''
from strategies.protocol import Strategy, market_order
from strategies.sizing import quantity_for_notional
from messages.values import Side
import msgspec


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to set."""


class Seesaw(Strategy):
    """In on one candle, out on the next: an order each."""

    Params = Nothing
    warmup_events = 2

    def __init__(self, params, symbol, order_notional, instrument):
        self.symbol, self._notional, self._instrument = symbol, order_notional, instrument

    def on_candle(self, candle, position):
        if position > 0:
            return (market_order(Side.SELL, position, "out"),)
        quantity = quantity_for_notional(self._notional, candle.close, self._instrument)
        return (market_order(Side.BUY, quantity, "in"),)
'''


def live_config(folder: Path, run: RunningExchange, name: str = "run", **venue: Any) -> Path:
    """Write a config that trades at the local exchange, an order for each candle."""
    strategy = folder / "seesaw.py"
    strategy.write_text(SEESAW)
    keys = {"api_key_env": "LOCAL_KEY", "api_secret_env": "LOCAL_SECRET"}
    document = {
        "name": "live",
        "run_dir": str(folder / name),
        "mode": "live",
        "feed": {"type": "ccxt", "quiet_ms": 2_000},
        "venue": {
            "type": "ccxt",
            "exchange": "binance",
            "lease_dir": str(folder / "leases"),
            **keys,
            "lease_ms": SHORT_LEASE_MS,
            **venue,
            "ccxt": public_config(run),
        },
        "strategy": [{"id": "s", "uses": f"{strategy}:Seesaw"}],
        "risk": {"max_market_age_ms": AHEAD_MS, "max_orders_per_minute": 1_000},
    }
    path = folder / f"{name}.toml"
    path.write_text(to_toml(document))
    return path


def placed(run: RunningExchange) -> "Counter[str]":
    """Count the exchange's orders by their client order id."""
    return Counter(order.client_order_id for order in run.exchange.orders())


def signed(run: RunningExchange, after: int = 0) -> list[Request]:
    """Give what was asked in the account's name, after a request's number."""
    return [
        request
        for request in run.exchange.requests()
        if request.number > after and "timestamp" in request.params
    ]


def last_number(run: RunningExchange) -> int:
    """Give the number of the newest request, once all that had been sent by now has arrived."""
    for _ in range(2):  # on a connection of its own: what was sent before is read before
        with urllib.request.urlopen(f"{run.urls.http}/api/v3/ping", timeout=LIMIT_S) as answer:
            answer.read()
    return max((request.number for request in run.exchange.requests()), default=0)


def wait_until(is_so: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Wait for the exchange, which tells nobody."""
    pause = threading.Event()
    for _ in range(int(limit_s / 0.02)):
        if is_so():
            return
        pause.wait(0.02)
    raise AssertionError("it did not come to that")


def until_orders(run: RunningExchange, more: int, limit_s: float = LIMIT_S) -> None:
    """Wait until the exchange has so many orders more than now."""
    wanted = len(run.exchange.orders()) + more
    wait_until(lambda: len(run.exchange.orders()) >= wanted, limit_s)
