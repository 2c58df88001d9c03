"""A ledger to be copied."""

from pathlib import Path

import pytest

from messages.values import OrderState
from persistence.ledger import SqliteLedger
from tests.persistence.conftest import T0, make_claim, make_step


@pytest.fixture
def filled(path: Path) -> Path:
    """A ledger of three orders, one of them on its way, that nobody has open."""
    ledger = SqliteLedger(path)
    ledger.claim([make_claim(number) for number in range(3)], T0)
    ledger.record([make_step(0, OrderState.SENT)])
    ledger.close()
    return path
