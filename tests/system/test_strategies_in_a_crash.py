"""Every strategy of the library through two days that broke others, behind the real risk gate.

Run with -s to see what each of them did.
"""

import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.step_runtime import StepRuntime
from decisions.risk import (
    RiskLimits,
    RiskState,
    accept,
    follow_order,
    refusal,
    saw_fill,
    saw_market,
)
from decisions.strategy import StrategyRun, new_memory
from messages.ids import NS_PER_S, AccountId, StrategyId, TradeId
from messages.market import Candle
from messages.orders import Fill, OrderIntent
from messages.values import Liquidity, OrderState, Side
from ops.config import Config
from persistence.ledger import read_orders
from tests.decisions.orders_only import orders
from tests.strategies.market import BTC, TRIED, make, recorded
from tests.system.conftest import DATA, STRESS, config_of, run_to_end

MINUTE_NS = 60 * NS_PER_S
DAY_NS = 24 * 60 * MINUTE_NS
FEE, SLIPPAGE = Decimal("0.001"), Decimal("0.0005")
LIMITS = RiskLimits(
    max_order_notional=Decimal(1_000),
    max_position_notional=Decimal(1_000),
    max_open_orders=2,
    max_orders_per_minute=2,
    max_daily_loss={"USDT": Decimal(15)},
    max_drawdown={"USDT": Decimal(60)},
    allow_short=False,
)


class Market(msgspec.Struct, frozen=True):
    """A stretch of a recorded file, around the moment; USDC is shown as USDT."""

    file: str
    since: int
    count: int
    lowest: str


MARKETS = {
    "may-2021": Market("binance-2021/BTC_USDT", 40_000, 1_500, "30000.0"),
    "usdc-2023": Market("stress-2023-03-usdc/binance_BTCUSDC", 13_500, 1_500, "19573.08"),
    "usdt-2023": Market("stress-2023-03-usdc/binance_BTCUSDT", 13_500, 1_500, "19565.4"),
}


class Account:
    """What the fills have made of the money, reckoned here and not by the gate."""

    def __init__(self) -> None:
        self.cash = self.held = self.price = Decimal(0)
        self.day, self.opening, self.peak = -1, Decimal(0), Decimal(0)
        self.day_loss = self.worst_day = self.drawdown = self.held_at_most = Decimal(0)

    @property
    def equity(self) -> Decimal:
        return self.cash + self.held * self.price

    def fill(self, side: Side, fill: Fill) -> None:
        self._day(fill.ts_event_ns)
        self.cash -= side.sign * fill.price * fill.quantity + fill.fee
        self.held += side.sign * fill.quantity
        assert self.held >= 0, "never short"
        self._judge()

    def mark(self, bar: Candle) -> None:
        self._day(bar.ts_event_ns)
        self.price = bar.close
        self._judge()

    def _day(self, at_ns: int) -> None:
        if at_ns // DAY_NS != self.day:
            self.day, self.opening, self.day_loss = at_ns // DAY_NS, self.equity, Decimal(0)

    def _judge(self) -> None:
        self.peak = max(self.peak, self.equity)
        self.drawdown = max(self.drawdown, self.peak - self.equity)
        self.day_loss = max(self.day_loss, self.opening - self.equity)
        self.worst_day = max(self.worst_day, self.day_loss)
        self.held_at_most = max(self.held_at_most, self.held * self.price)


class Desk:
    """A strategy, the real gate, and fills at the next bar's open with slippage and a fee."""

    def __init__(self, name: str) -> None:
        memory = new_memory(make(name).warmup_events)
        account, strategy_id = AccountId("paper"), StrategyId(name)
        self.run = StrategyRun(lambda: make(name), memory, account, strategy_id, BTC.symbol)
        self.state = RiskState(open_orders={})
        self.account = Account()
        self.waiting: list[OrderIntent] = []
        self.passed: list[OrderIntent] = []
        self.refused: Counter[str] = Counter()

    def take(self, bar: Candle) -> None:
        for intent in self.waiting:
            self._fill(intent, bar)
        self.waiting = []
        saw_market(bar.symbol, bar.close, bar.ts_event_ns, self.state)
        self.account.mark(bar)
        for intent in orders(self.run.take(bar, bar.ts_event_ns)):
            no = refusal(intent, LIMITS, self.state, bar.close)
            if no is not None:
                self.refused[no.code] += 1
                continue
            self._judge(intent, bar)
            accept(intent, self.state)
            self.waiting.append(intent)
            self.passed.append(intent)

    def _fill(self, intent: OrderIntent, bar: Candle) -> None:
        price = bar.open * (1 + intent.side.sign * SLIPPAGE)
        fill = Fill(
            trade_id=TradeId(intent.order_key),
            price=price,
            quantity=intent.quantity,
            fee=price * intent.quantity * FEE,
            fee_currency="USDT",
            liquidity=Liquidity.TAKER,
            ts_event_ns=bar.ts_open_ns,
        )
        saw_fill(bar.symbol, intent.side, fill, self.state)
        follow_order(intent.order_key, bar.symbol, intent.side, Decimal(0), self.state)
        self.account.fill(intent.side, fill)

    def _judge(self, intent: OrderIntent, bar: Candle) -> None:
        """What was let through is held against every limit, by the account's own reckoning."""
        account = self.account
        if intent.side is Side.SELL:
            assert intent.quantity <= account.held
            return
        since = bar.ts_event_ns - MINUTE_NS
        within = [one for one in self.passed[-5:] if one.decided_at_ns > since]
        assert len(within) < 2
        assert intent.quantity * bar.close <= 1_000
        assert (account.held + intent.quantity) * bar.close <= 1_000
        assert account.day_loss < 15, "new risk after the day's loss"
        assert account.drawdown < 60, "new risk after the drawdown"


def show(name: str, market: str, desk: Desk) -> None:
    account, refused = desk.account, desk.refused
    reasons = ", ".join(f"{code} {count}" for code, count in sorted(refused.items()))
    sys.stdout.write(
        f"\n{market} {name:21}{len(desk.passed):5} orders {sum(refused.values()):5} refused"
        f"  held at most {account.held_at_most:8.2f}  worst day {-account.worst_day:7.2f}"
        f"  drawdown {-account.drawdown:7.2f}  result {account.equity:+8.2f}  {reasons}"
    )


@pytest.mark.parametrize("name", sorted(TRIED))
@pytest.mark.parametrize("market", sorted(MARKETS) if STRESS else ["may-2021", "usdc-2023"])
def test_no_exception_and_no_limit_exceeded(market: str, name: str) -> None:
    stretch = MARKETS[market]
    since, count = (0, None) if STRESS else (stretch.since, stretch.count)
    candles = recorded(stretch.file, since, count)
    assert min(bar.low for bar in candles) == Decimal(stretch.lowest), "the moment is in it"
    desk = Desk(name)

    for bar in candles:
        desk.take(bar)

    assert desk.passed
    show(name, market, desk)


# ---------------------------------------------------------------- the same on the actors


def config_for(name: str, market: Market, tmp_path: Path) -> Config:
    parquet: Any = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    source = DATA / "candles_1m" / f"{market.file}.parquet"
    if not source.exists():
        pytest.skip(f"recorded market data is not at hand ({source})")
    path = tmp_path / "market.parquet"
    parquet.write_table(parquet.read_table(source).slice(market.since, market.count), path)
    block = {
        "id": name,
        "uses": name,
        "symbol": "BTC/USDT",
        "order_notional": "1000",
        "params": TRIED[name],
    }
    return config_of(
        tmp_path / "run",
        {"BTC/USDT": path},
        strategy=[block],
        venue={"type": "paper", "taker_fee_bps": "10", "balances": {"USDT": "10000"}},
        risk={"max_order_notional": "1000", "max_position_notional": "1000"},
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TRIED))
@pytest.mark.parametrize("market", sorted(MARKETS) if STRESS else ["usdc-2023"])
def test_nor_on_the_actors_and_the_paper_venue(market: str, name: str, tmp_path: Path) -> None:
    stretch = MARKETS[market]

    system = run_to_end(config_for(name, stretch, tmp_path), StepRuntime(ttl_enforced=False))

    assert system.fold.processed == stretch.count
    assert system.fold.errors == 0
    assert not system.fold.restarts
    entries = list(read_orders(tmp_path / "run/ledger.db"))
    assert any(entry.state is OrderState.FILLED for entry in entries)
    # A replay is judged as if all orders filled. Not all do: what the venue has not filled yet,
    # in minutes without a trade, it does not let anyone sell.
    held = Decimal(0)
    for entry in (one for one in entries if one.state is not OrderState.REFUSED):
        held += entry.side.sign * entry.quantity
        if entry.side is Side.BUY:
            assert entry.quantity * entry.reference_price <= 1_000
            assert held * entry.reference_price <= 1_000
