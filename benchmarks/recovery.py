"""From SIGKILL to ready: a real live run, real ccxt, a ledger of 10,000 rows, 50 open orders.

The exchange is a process of its own and keeps the open orders; the run is killed while it is up
and started again at once. *Ready* is when `control.sock` answers `ready: true`: every actor up,
and every order that was not final settled with the exchange.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

from benchmarks.common import Options, Result, median, percentile, say, scratch
from benchmarks.exchange import SYMBOL, Exchange, exchange
from benchmarks.startup import ROOT, answers_ready, command
from decisions.order_keys import client_order_id, order_key
from exchanges.capabilities import capability_of
from exchanges.ccxt_settings import DEFAULT_RECV_WINDOW_MS
from messages.ids import (
    NS_PER_MS,
    NS_PER_S,
    AccountId,
    StrategyId,
    Symbol,
    TimestampNs,
    VenueOrderId,
)
from messages.orders import OrderIntent
from messages.values import OrderState, OrderType, Side, TimeInForce
from ops.config_write import to_toml
from persistence.ledger import Claim, SqliteLedger, Step, fingerprint

ROWS, OPEN = 10_000, 50
GOAL_MS = 2_000
LIMIT_S = 60.0
AT_ONCE = 500
SECONDS_APART = 7
KEY_ENV, SECRET_ENV = "BENCH_KEY", "BENCH_SECRET"


def window_ms() -> int:
    """How long the exchange may take to show an order that was on its way: what none can beat."""
    return DEFAULT_RECV_WINDOW_MS + capability_of("binance").settle_ms


def write_config(folder: Path, venue: Exchange) -> Path:
    document = {
        "name": "recovery",
        "run_dir": str(folder / "run"),
        "mode": "live",
        "feed": {"type": "ccxt", "symbols": [SYMBOL]},
        "venue": {
            "type": "ccxt",
            "exchange": "binance",
            "api_key_env": KEY_ENV,
            "api_secret_env": SECRET_ENV,
            "ccxt": venue.ccxt,
        },
        "strategy": [{"id": "s", "uses": "sma_cross", "params": {"fast": 2, "slow": 4}}],
        "risk": {"max_open_orders": 2 * OPEN},
    }
    path = folder / "config.toml"
    path.write_text(to_toml(document), encoding="utf-8")
    return path


def write_ledger(path: Path, venue: Exchange) -> None:
    """Write filled orders of before, and the open ones that the exchange is given too."""
    path.parent.mkdir(parents=True)
    ledger = SqliteLedger(path)
    now_ns = time.time_ns()
    intents = [_intent(number, now_ns) for number in range(ROWS)]
    for first in range(0, ROWS, AT_ONCE):
        some = intents[first : first + AT_ONCE]
        ledger.claim([_claim(one) for one in some], TimestampNs(now_ns))
        ledger.record(
            [
                _step(one, OrderState.FILLED, f"old-{one.decided_at_ns}")
                for one in some[: _done(first)]
            ]
        )
    resting = intents[ROWS - OPEN :]
    ids = _place(venue, resting)
    ledger.record([_step(one, OrderState.ACCEPTED, ids[one.order_key]) for one in resting])
    ledger.close()


def _done(first: int) -> int:
    return min(AT_ONCE, ROWS - OPEN - first)


def _intent(number: int, now_ns: int) -> OrderIntent:
    at_ns = TimestampNs(now_ns - (ROWS - number) * SECONDS_APART * NS_PER_S)
    account, strategy, symbol = AccountId("binance"), StrategyId("s"), Symbol(SYMBOL)
    is_open = number >= ROWS - OPEN
    return OrderIntent(
        order_key=order_key(account, strategy, symbol, at_ns, 0),
        account=account,
        strategy_id=strategy,
        symbol=symbol,
        side=Side.BUY if is_open or number % 2 else Side.SELL,
        order_type=OrderType.LIMIT if is_open else OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal("0.001"),
        limit_price=Decimal("40000.00") if is_open else None,
        reference_price=Decimal(60_000),
        decided_at_ns=at_ns,
        ts_created_ns=at_ns,
        reason="benchmark",
    )


def _claim(intent: OrderIntent) -> Claim:
    name = client_order_id(intent.order_key)
    return Claim(intent, fingerprint(intent), name, None, sent=True)


def _step(intent: OrderIntent, to: OrderState, venue_order_id: str) -> Step:
    filled = intent.quantity if to is OrderState.FILLED else None
    return Step(
        order_key=intent.order_key,
        to=to,
        at_ns=TimestampNs(intent.decided_at_ns + NS_PER_MS),
        reason="",
        evidence="submit",
        venue_order_id=VenueOrderId(venue_order_id),
        filled_quantity=filled,
        average_price=Decimal(60_000) if filled else None,
    )


def _place(venue: Exchange, intents: list[OrderIntent]) -> dict[str, str]:
    """Place them as any client does; give the exchange's own ids."""
    import ccxt

    client = ccxt.binance({**venue.ccxt, **venue.keys, "enableRateLimit": False})
    placed = {}
    for one in intents:
        name = {"clientOrderId": str(client_order_id(one.order_key))}
        price, quantity = str(one.limit_price), str(one.quantity)
        told = client.create_order(SYMBOL, "limit", "buy", quantity, price, name)
        placed[str(one.order_key)] = str(told["id"])
    client.session.close()
    return placed


class Life:
    """One process of the run."""

    def __init__(self, config: Path, folder: Path, venue: Exchange) -> None:
        self._socket = folder / "run" / "control.sock"
        self._errors = (folder / "stderr").open("ab")
        self._begun = time.perf_counter()
        keys = {KEY_ENV: venue.keys["apiKey"], SECRET_ENV: venue.keys["secret"]}
        self._process = subprocess.Popen(
            command("start", str(config), "--json", "--i-understand-live"),
            env={**os.environ, **keys, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )

    def until_ready_ms(self) -> float:
        while not answers_ready(self._socket):
            if self._process.poll() is not None or time.perf_counter() - self._begun > LIMIT_S:
                raise RuntimeError("the live run did not come up: see its stderr")
            time.sleep(0.005)
        return (time.perf_counter() - self._begun) * 1_000

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(LIMIT_S)
        self._errors.close()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(LIMIT_S)
        self._errors.close()


@contextmanager
def prepared(options: Options) -> Iterator[tuple[Path, Path, Exchange]]:
    """Give a config, its folder and its exchange, all as before a crash."""
    with scratch(options) as folder, exchange() as venue:
        write_ledger(folder / "run" / "ledger.db", venue)
        yield write_config(folder, venue), folder, venue


def run(options: Options) -> list[Result]:
    """Kill and start again, several times in one run directory."""
    name = f"SIGKILL to ready, {ROWS:,} rows, {OPEN} open orders"
    if find_spec("ccxt") is None or find_spec("aiohttp") is None:
        return [Result(name=name, note="skipped: the extra `exchange` is not installed")]
    taken: list[float] = []
    asked: list[int] = []
    with prepared(options) as (config, folder, venue):
        life = Life(config, folder, venue)
        first_ms = life.until_ready_ms()
        say(f"recovery, first start {first_ms:,.0f} ms")
        for count in range(options.pick(3, 7)):
            before = len(venue.read("requests"))
            life.kill()
            life = Life(config, folder, venue)
            taken.append(life.until_ready_ms())
            asked.append(len(venue.read("requests")) - before)
            say(f"recovery {count + 1}: ready after {taken[-1]:,.0f} ms, {asked[-1]} requests")
        life.stop()
        doubled, open_orders = venue.read("doubled"), _open_at(venue)
    assert not doubled, doubled
    assert open_orders == OPEN, open_orders
    return [
        Result(
            name=name,
            value=median(taken),
            unit="ms",
            reference=window_ms(),
            against="the venue's window",
            goal=f"< {GOAL_MS:,} ms + the window",
            met=median(taken) < GOAL_MS + window_ms(),
            note=f"fastest {percentile(taken, 0):,.0f} ms; {median(asked):.0f} requests;"
            f" without what the window is for, the goal is {GOAL_MS:,} ms",
        )
    ]


def _open_at(venue: Exchange) -> int:
    return sum(order["status"] == "new" for order in venue.read("orders"))
