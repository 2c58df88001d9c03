"""Run directories for the commands that read them: one of a real run, others written by hand."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import cli
from decisions.order_keys import client_order_id, order_key
from messages.ids import (
    NS_PER_S,
    AccountId,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
    TradeId,
    VenueOrderId,
)
from messages.orders import Fill, OrderIntent
from messages.values import Liquidity, OrderState, OrderType, Side, TimeInForce
from persistence.ledger import Claim, SqliteLedger, Step, fingerprint

ROOT = Path(cli.__file__).parent
EXAMPLES = Path(__file__).parents[2] / "examples"
T0 = 1_700_000_000 * NS_PER_S
CLOCK = T0 + 3_600 * NS_PER_S
"""What the process's clock says at the first claim."""
BTC = Symbol("BTC/USDT")


def command(*arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command as a user does."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def real_run(run_dir: Path, example: str = "two_symbols", events: int = 1_200) -> Path:
    """Run an example to its end."""
    config = EXAMPLES / f"{example}.toml"
    arguments = ("--run-dir", str(run_dir), "--max-events", str(events), "--json")
    done = command("start", str(config), *arguments)
    assert done.returncode == 0, done.stderr
    return run_dir


def intent(number: int = 0, **changes: Any) -> OrderIntent:
    """Decision number n, at second n: buy 2 BTC at the market, at 100."""
    at_ns = TimestampNs(T0 + number * NS_PER_S)
    fields: dict[str, Any] = {
        "account": AccountId("paper"),
        "strategy_id": StrategyId("a"),
        "symbol": BTC,
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.GTC,
        "quantity": Decimal(2),
        "limit_price": None,
        "reference_price": Decimal(100),
        "decided_at_ns": at_ns,
        "ts_created_ns": at_ns,
        "reason": "fast above slow",
    } | changes
    key = order_key(fields["account"], fields["strategy_id"], fields["symbol"], at_ns, 1)
    return OrderIntent(order_key=key, **fields)


def fill(trade_id: str, quantity: str, price: str = "100", **changes: Any) -> Fill:
    """An execution with a fee of 0.1 USDT, ten seconds after the first decision."""
    fields: dict[str, Any] = {
        "fee": Decimal("0.1"),
        "fee_currency": "USDT",
        "liquidity": Liquidity.TAKER,
        "ts_event_ns": TimestampNs(T0 + 10 * NS_PER_S),
    } | changes
    return Fill(
        trade_id=TradeId(trade_id), price=Decimal(price), quantity=Decimal(quantity), **fields
    )


class Book:
    """A ledger being written, one durable step a second by its clock."""

    def __init__(self, run_dir: Path) -> None:
        run_dir.mkdir(exist_ok=True)
        self.ledger = SqliteLedger(run_dir / "ledger.db")
        self._now_ns = CLOCK

    def tick(self) -> TimestampNs:
        self._now_ns += NS_PER_S
        return TimestampNs(self._now_ns)

    def claim(self, number: int = 0, refused: str | None = None, **changes: Any) -> OrderKey:
        wish = intent(number, **changes)
        name = client_order_id(wish.order_key)
        sent = refused is None
        self.ledger.claim([Claim(wish, fingerprint(wish), name, refused, sent)], self.tick())
        return wish.order_key

    def step(
        self,
        key: OrderKey,
        to: OrderState,
        *fills: Fill,
        reason: str = "",
        evidence: str = "submit",
    ) -> None:
        done = self.ledger.fills_of(key) + list(fills)
        filled = sum((one.quantity for one in done), start=Decimal(0))
        value = sum((one.quantity * one.price for one in done), start=Decimal(0))
        at_venue = to not in (OrderState.UNKNOWN, OrderState.NOT_SENT, OrderState.REFUSED)
        self.ledger.record(
            [
                Step(
                    order_key=key,
                    to=to,
                    at_ns=self.tick(),
                    reason=reason,
                    evidence=evidence,
                    venue_order_id=VenueOrderId(f"V{key[-4:]}") if at_venue else None,
                    filled_quantity=filled if filled else None,
                    average_price=value / filled if filled else None,
                    fills=fills,
                )
            ]
        )


@contextmanager
def book(run_dir: Path) -> Iterator[Book]:
    """Give a ledger to write in a run directory that no process holds."""
    opened = Book(run_dir)
    try:
        yield opened
    finally:
        opened.ledger.close()


def edit(path: Path, *statements: str) -> None:
    """Plant a fault in an SQLite file, past all that guards it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys = 0")
        for statement in statements:
            database.execute(statement)


def differing(rows: list[dict[str, Any]]) -> set[str]:
    """Give the checks of an audit that something differs in."""
    return {row["check"] for row in rows if not row["ok"]}


def objects(text: str) -> list[dict[str, Any]]:
    """Read one JSON object a line."""
    return [json.loads(line) for line in text.splitlines()]
