"""Only legal transitions get in, whatever is asked, and both backends agree on all of it."""

import os
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages.errors import IllegalTransition
from messages.order_states import LEGAL_TRANSITIONS, OPEN_STATES
from messages.orders import Fill
from messages.values import OrderState, Side
from persistence.ledger import Claim, Ledger, LedgerEntry, SqliteLedger, Step, read_events
from persistence.memory_ledger import MemoryLedger

_ORDERS = 3
_FILLED = st.sampled_from([None, "0", "0.5", "1.0", "1.5"])
_STEP = st.tuples(st.integers(0, _ORDERS - 1), st.sampled_from(OrderState), _FILLED)
_BATCHES = st.lists(st.lists(_STEP, min_size=1, max_size=3), max_size=25)


def told(ledger: Ledger) -> tuple[object, ...]:
    return (
        list(ledger.entries()),
        ledger.open_entries(),
        ledger.states(),
        ledger.exposure(),
        ledger.strategy_exposure(),
    )


def recomputed_exposure(entries: list[LedgerEntry]) -> dict[str, Decimal]:
    total = Decimal(0)
    for entry in entries:
        # What is proved absent keeps its place: it is sent again, or refused.
        is_open = entry.state in OPEN_STATES
        total += entry.side.sign * (entry.quantity if is_open else entry.filled_quantity)
    return {"BTC/USDT": total} if total else {}


def assert_legal(path: Path, entry: LedgerEntry) -> None:
    events = read_events(path, entry.order_key)
    assert events[0].from_state is None
    assert events[-1].to_state is entry.state
    for before, after in pairwise(events):
        assert after.from_state is before.to_state
        assert after.to_state in LEGAL_TRANSITIONS[before.to_state]


@pytest.mark.slow
@settings(
    max_examples=600 if os.environ.get("WATCHKEEPER_STRESS") else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batches=_BATCHES)
def test_only_legal_transitions_get_in(
    claim_of: Callable[..., Claim],
    step_of: Callable[..., Step],
    fill_of: Callable[..., Fill],
    batches: list[list[tuple[int, OrderState, str | None]]],
) -> None:
    sides = [Side.BUY, Side.SELL, Side.BUY]
    claims = [claim_of(number, side=side) for number, side in enumerate(sides)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        memory = MemoryLedger()
        with closing(SqliteLedger(path)) as disk:
            for ledger in (disk, memory):
                ledger.claim(claims, 1)
                for batch in batches:
                    steps = [
                        step_of(number, to, filled, fills=(fill_of(f"{number}{filled}"),))
                        for number, to, filled in batch
                    ]
                    with suppress(IllegalTransition):
                        ledger.record(steps)
            before = told(disk)
            entries = list(disk.entries())
        assert before == told(memory)
        with closing(SqliteLedger(path)) as again:
            assert before == told(again)
        assert memory.exposure() == recomputed_exposure(entries)
        for entry in entries:
            assert_legal(path, entry)
