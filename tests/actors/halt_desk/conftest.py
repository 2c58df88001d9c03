"""An executor on an empty ledger, and its venue."""

from pathlib import Path

import pytest

from tests.actors.halt_desk.halts import Venue
from tests.actors.order_path import OrderPath


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor that has begun, on an empty ledger."""
    return OrderPath(tmp_path).start()


@pytest.fixture
def venue(desk: OrderPath) -> Venue:
    """Its venue."""
    return Venue(desk)
