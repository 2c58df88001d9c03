"""A bot in live mode, wired as `start` wires it; a test decides in the strategy's place."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from actors.thread_runtime import ThreadRuntime
from decisions.order_keys import order_key
from exchanges.capabilities import capability_of
from exchanges.local.server import RunningExchange
from messages.ids import NS_PER_S, AccountId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.market import Trade
from messages.orders import OrderIntent
from messages.values import OrderState, OrderType, Side, TimeInForce
from ops.config import parse
from ops.held_account import live_venue_alone
from ops.market_gate import market_of
from ops.run_dir import RunDir
from ops.snapshot import Snapshots
from ops.wiring import build
from persistence.ledger import LedgerEntry
from persistence.reader import LedgerReader

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
LIMIT_S = 60.0
SILENT = f"{Path(__file__).parent / 'silent_strategy.py'}:Silent"
SECRETS = {"apiKey": "TEST_KEY", "secret": "TEST_SECRET"}
NO_SETTINGS = {*SECRETS, "password"}


class Bot:
    """One running system; `decide` is what its strategy would have decided now."""

    def __init__(self, system: Any, snapshots: Snapshots, run_dir: Path) -> None:
        self.system, self._snapshots, self._run_dir = system, snapshots, run_dir
        self._numbers = itertools.count(1)

    def health(self) -> dict[str, Any]:
        """Give what `health` shows now."""
        return self._snapshots.take()

    @property
    def executor(self) -> Any:
        return self.system.executor.cell

    def position(self, strategy: str = "btc") -> Decimal:
        """Give what a strategy believes to hold."""
        kept = self.system.strategies[StrategyId(strategy)].cell.arguments["kept"]
        held: Decimal = kept.memory.position
        return held

    def decide(
        self,
        side: Side = Side.BUY,
        quantity: str = "0.01",
        symbol: Symbol = BTC,
        limit_price: str | None = None,
        reference_price: str = "60000",
        leaves: str = "0",
    ) -> OrderKey:
        """Let the strategy of a symbol decide; give the decision's key."""
        at_ns = self.system.runtime.clock.utc_ns()
        account, strategy = AccountId("binance"), StrategyId(symbol.partition("/")[0].lower())
        key = order_key(account, strategy, symbol, TimestampNs(at_ns), next(self._numbers))
        price = None if limit_price is None else Decimal(limit_price)
        intent = OrderIntent(
            order_key=key,
            account=account,
            strategy_id=strategy,
            symbol=symbol,
            side=side,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            quantity=Decimal(quantity),
            limit_price=price,
            reference_price=price or Decimal(reference_price),
            decided_at_ns=TimestampNs(at_ns),
            ts_created_ns=TimestampNs(at_ns),
            reason="a test",
            leaves=Decimal(leaves),
        )
        assert self.system.executor.tell(intent)
        return key

    def order(self, key: OrderKey) -> LedgerEntry | None:
        with LedgerReader(self._run_dir / "ledger.db") as ledger:
            return ledger.lookup([key]).get(key)

    def until(self, is_so: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
        """Wait for something to be so; give it."""
        pause = threading.Event()
        for _ in range(int(limit_s / 0.02)):
            if found := is_so():
                return found
            pause.wait(0.02)
        raise AssertionError(f"it did not come: {self.health()['why']!r}, {self._states()}")

    def until_state(self, key: OrderKey, *states: OrderState) -> LedgerEntry:
        def there() -> LedgerEntry | None:
            entry = self.order(key)
            return entry if entry is not None and entry.state in states else None

        entry: LedgerEntry = self.until(there)
        return entry

    def until_why(self, part: str) -> str:
        """Wait until `health` says something; give all that it says."""
        return str(self.until(lambda: part in (why := self.health()["why"]) and why))

    def until_well(self) -> None:
        self.until(lambda: self.health()["verdict"] == "OK")

    def market_age_ms(self) -> float:
        """Give how old the price is that it has seen last."""
        ages = self._snapshots.facts.market_age_s()
        return 1_000 * max(ages.values(), default=0.0)

    def until_fresh(self, limit_ms: int) -> None:
        """Wait until a price has come of late: half of what is allowed is left for what follows."""
        self.until(lambda: 0 < self.market_age_ms() < limit_ms / 2)

    def trades(self, symbol: Symbol = BTC) -> LedgerEntry:
        """Prove that an order goes through; give it."""
        order = ("0.01", "60000") if symbol == BTC else ("0.1", "3000")
        key = self.decide(symbol=symbol, quantity=order[0], reference_price=order[1])
        return self.until_state(key, OrderState.FILLED)

    def _states(self) -> list[str]:
        with LedgerReader(self._run_dir / "ledger.db") as ledger:
            return [f"{one.state}: {one.state_reason}" for one in ledger.newest_orders()]

    def assert_no_restart(self) -> None:
        """Nothing crashed: no actor of the order path was started a second time."""
        restarts = {a["path"]: a["restarts"] for a in self.health()["actors"]}
        assert not any(n for path, n in restarts.items() if not path.startswith("feeds")), restarts


def first_trade(symbol: Symbol, at_ns: int) -> Trade:
    """Show the executor a price at once: before it knows one nothing is bought."""
    price = Decimal(60_000 if symbol == BTC else 3_000)
    return Trade(
        symbol=symbol,
        price=price,
        quantity=Decimal(1),
        aggressor_side=None,
        ts_event_ns=TimestampNs(at_ns),
    )


def document_of(run: RunningExchange, run_dir: Path, symbols: tuple[Symbol, ...]) -> dict[str, Any]:
    config = {k: v for k, v in run.ccxt_config(timeout=10_000).items() if k not in NO_SETTINGS}
    return {
        "name": "live",
        "mode": "live",
        "run_dir": str(run_dir),
        "feed": {"type": "ccxt", "symbols": list(symbols), "channels": ["trades"]},
        "venue": {
            "type": "ccxt",
            "exchange": "binance",
            "api_key_env": "TEST_KEY",
            "api_secret_env": "TEST_SECRET",
            "ccxt": config,
        },
        "strategy": [
            {"id": symbol.partition("/")[0].lower(), "uses": SILENT, "symbol": symbol}
            for symbol in symbols
        ],
        "risk": {
            "max_order_notional": "100000",
            "price_collar_bps": "5000",
            "max_decision_age_ms": 30_000,  # the machine of a test may be busy
        },
    }


@contextmanager
def live_bot(
    run: RunningExchange,
    run_dir: Path,
    monkeypatch: Any,
    symbols: tuple[Symbol, ...] = (BTC,),
    *,
    is_well: bool = True,
    **changes: dict[str, Any],
) -> Iterator[Bot]:
    """Start a bot at a local exchange, wait until all is well with it, and stop it in order."""
    monkeypatch.setattr(
        "exchanges.ccxt_venue.capability_of",
        lambda name: msgspec.structs.replace(capability_of(name), settle_ms=500),
    )
    for name, variable in SECRETS.items():
        monkeypatch.setenv(variable, run.ccxt_config()[name])
    document = document_of(run, run_dir, symbols)
    for table, values in changes.items():
        document[table] = document.get(table, {}) | values
    config = parse(document, Path.cwd())
    with ExitStack() as stack:
        opened = stack.enter_context(market_of(config))
        held = stack.enter_context(RunDir(config.run_dir))
        venue = stack.enter_context(live_venue_alone(config))
        runtime = ThreadRuntime(ttl_enforced=True)
        observers: list[Callable[[Any], None]] = []

        def observe(message: Any) -> None:
            for tell in observers:
                tell(message)

        system = build(config, held, runtime, live=venue, opened=opened, observe=observe)
        snapshots = Snapshots(system, config)
        observers.append(snapshots.facts.observe)
        assert runtime.start(system.root, 60 * NS_PER_S).problem == ""
        bot = Bot(system, snapshots, config.run_dir)
        for symbol in symbols:
            system.executor.tell(first_trade(symbol, runtime.clock.utc_ns()))
        if is_well:
            bot.until_well()
        # Then the account has been asked for, and is not again for a minute: only the test asks.
        bot.until(lambda: system.account.latest["state"] != "not compared yet")
        try:
            yield bot
        finally:
            runtime.stop(system.root, None)
