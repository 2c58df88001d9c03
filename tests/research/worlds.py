"""One market through both drivers: the plain loop, and the actors step by step."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import strategies
from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from decisions.money_fold import MoneyFold
from exchanges.event_blocks import Block, event_blocks
from exchanges.replay import ReplaySource
from messages.ids import Symbol
from messages.values import plain_instrument
from ops.config import Config
from ops.config_risk import risk_limits
from ops.sources import paper_settings
from persistence.ledger import SqliteLedger
from research.backtest.loop import Backtest, Outcome
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from tests.system.conftest import run_to_end

Orders = list[tuple[Any, ...]]


def plan_of(config: Config, *, as_events: bool = False, **changes: Any) -> Plan:
    """The plan that a configuration of a replay makes."""
    markets = []
    for symbol, path in config.feed.paths.items():
        source = ReplaySource(path, symbol, config.feed.timeframe)
        blocks = partial(_as_events, source) if as_events else source.blocks
        markets.append(MarketPlan(symbol=symbol, blocks=blocks))
    return Plan(
        markets=tuple(markets),
        strategies=tuple(_strategy(one) for one in config.strategies),
        venue=paper_settings(config),
        limits=risk_limits(config.risk, replayed=True),
        **changes,
    )


def _as_events(source: ReplaySource) -> Iterator[Block]:
    yield from event_blocks(source.events())


def _strategy(settings: Any) -> StrategyPlan:
    def build() -> Any:
        first, *others = settings.symbols
        return strategies.build(
            settings.uses,
            settings.params,
            first,
            settings.order_notional,
            plain_instrument(first),
            {symbol: plain_instrument(symbol) for symbol in others},
        )

    symbols = settings.symbols
    return StrategyPlan(id=settings.id, symbol=symbols[0], build=build, symbols=symbols)


def by_actors(config: Config, runtime: Runtime | None = None) -> tuple[Orders, MoneyFold]:
    """Run the actors to the end; give the ledger's orders with their fills, and the money.

    Step by step and each in turn, unless another runtime is given.
    """
    system = run_to_end(config, runtime or StepRuntime(ttl_enforced=False))
    ledger = SqliteLedger(Path(config.run_dir) / "ledger.db")
    orders = [
        (
            entry.order_key,
            entry.client_order_id,
            entry.strategy_id,
            entry.symbol,
            entry.side,
            entry.quantity,
            entry.limit_price,
            entry.state,
            entry.filled_quantity,
            [_fill(fill) for fill in ledger.fills_of(entry.order_key)],
        )
        for entry in ledger.entries()
    ]
    ledger.close()
    return sorted(orders), system.fold.money


def by_loop(plan: Plan) -> tuple[Orders, Outcome]:
    """Run the plain loop; give the same of its orders."""
    outcome = Backtest(plan).run()
    orders = [
        (
            order.intent.order_key,
            order.client_order_id,
            order.intent.strategy_id,
            order.intent.symbol,
            order.intent.side,
            order.intent.quantity,
            order.intent.limit_price,
            order.state,
            order.filled_quantity,
            [_fill(fill) for fill in order.fills],
        )
        for order in outcome.orders
    ]
    return sorted(orders), outcome


def _fill(fill: Any) -> tuple[Any, ...]:
    money = fill.price, fill.quantity, fill.fee, fill.fee_currency
    return (fill.ts_event_ns, fill.trade_id, *money, fill.liquidity)


def symbols_of(outcome: Outcome) -> dict[Symbol, tuple[Decimal, Decimal]]:
    """What is held and what money went in or out."""
    return {one.symbol: (one.quantity, one.cash) for one in outcome.markets}
