"""Sample orders for the ledger's tests, and a ledger of each backend.

Child processes run this file too (`runpy`), for the same samples.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from messages.ids import (
    NS_PER_MS,
    AccountId,
    ClientOrderId,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
    TradeId,
)
from messages.orders import Fill, OrderIntent
from messages.values import Liquidity, OrderState, OrderType, Side, TimeInForce
from persistence.ledger import Claim, Ledger, SqliteLedger, Step, fingerprint
from persistence.ledger_place import LedgerPlace
from persistence.memory_ledger import MemoryLedger

T0 = 1_700_000_000_000_000_000


def key_of(number: int) -> OrderKey:
    at_ms = (T0 // NS_PER_MS) + number
    return OrderKey(
        f"{at_ms:012x}{hashlib.blake2b(str(number).encode(), digest_size=10).hexdigest()}"
    )


def make_intent(number: int = 0, **changes: Any) -> OrderIntent:
    at_ns = TimestampNs(T0 + number * NS_PER_MS)
    fields: dict[str, Any] = {
        "order_key": key_of(number),
        "account": AccountId("main"),
        "strategy_id": StrategyId("sma-1"),
        "symbol": Symbol("BTC/USDT"),
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "quantity": Decimal("1.5"),
        "limit_price": Decimal("61480.01"),
        "reference_price": Decimal("61480.5"),
        "decided_at_ns": at_ns,
        "ts_created_ns": at_ns,
        "reason": "fast above slow",
    }
    return OrderIntent(**fields | changes)


def make_claim(number: int = 0, *, refused: str | None = None, **changes: Any) -> Claim:
    intent = make_intent(number, **changes)
    return Claim(intent, fingerprint(intent), ClientOrderId(f"wk{number}"), refused)


def make_step(number: int, to: OrderState, filled: str | None = None, **more: Any) -> Step:
    quantity = None if filled is None else Decimal(filled)
    fields: dict[str, Any] = {
        "at_ns": T0 + 1,
        "reason": "because",
        "evidence": "test",
        "filled_quantity": quantity,
    }
    return Step(order_key=key_of(number), to=to, **fields | more)


def make_fill(trade_id: str, quantity: str = "0.5") -> Fill:
    return Fill(
        trade_id=TradeId(trade_id),
        price=Decimal("61480.01"),
        quantity=Decimal(quantity),
        fee=Decimal("0.000000123456789012"),
        fee_currency="BTC",
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(T0),
    )


@pytest.fixture
def claim_of() -> Callable[..., Claim]:
    return make_claim


@pytest.fixture
def step_of() -> Callable[..., Step]:
    return make_step


@pytest.fixture
def fill_of() -> Callable[..., Fill]:
    return make_fill


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def disk(path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(path)
    yield ledger
    ledger.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server of this session's own; skipped with the reason where there is none."""
    from tests.persistence.postgres_server import running

    yield from running()


@pytest.fixture
def place(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerPlace:
    """A ledger in it that was never opened."""
    found: LedgerPlace = postgres.place()
    monkeypatch.setenv(found.url_env, postgres.url)
    return found


@pytest.fixture(params=["sqlite", "memory", pytest.param("postgres", marks=pytest.mark.slow)])
def ledger(request: pytest.FixtureRequest, path: Path) -> Iterator[Ledger]:
    opened = _opened(request, path)
    yield opened
    opened.close()


def _opened(request: pytest.FixtureRequest, path: Path) -> Ledger:
    if request.param == "postgres":
        from persistence.postgres.ledger import PostgresLedger

        return PostgresLedger(request.getfixturevalue("place"))
    return SqliteLedger(path) if request.param == "sqlite" else MemoryLedger()


ChildStarter = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def child(path: Path) -> Iterator[ChildStarter]:
    """Start a script with `ledger` open on `path` and this file's names at hand."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str) -> subprocess.Popen[str]:
        source = _PRELUDE.format(samples=__file__, path=str(path)) + script
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def answer_of(child: ChildStarter) -> Callable[[str], Any]:
    """Run a script to its end and read the JSON it printed."""

    def run(script: str) -> Any:
        process = child(script)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        return json.loads(output)

    return run


_PRELUDE = """
import json, os, runpy, signal, sys
from decimal import Decimal
from pathlib import Path
globals().update(runpy.run_path({samples!r}))
from messages.errors import LedgerConflict, LedgerUnavailable
from messages.values import OrderState
path = Path({path!r})
ledger = SqliteLedger(path)
"""
