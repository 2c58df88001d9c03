"""Answers that never come: each order is at the venue once, and the ledger knows it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from exchanges.paper import PaperVenue
from exchanges.paper_faults import PaperFault, PaperFaults
from messages.ids import NS_PER_S
from messages.values import OrderState
from ops import wiring
from persistence.ledger import read_events, read_orders
from tests.system.conftest import config_of, orders_at_venue, run_to_end
from tests.system.market_files import candles_in

Breaks = Callable[[dict[int, PaperFault]], None]


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Breaks:
    """Let the venue's submits fail by a script."""

    def script(faults: dict[int, PaperFault]) -> None:
        venue: Any = partial(PaperVenue, faults=PaperFaults(faults))
        monkeypatch.setattr(wiring, "PaperVenue", venue)

    return script


@pytest.mark.slow
@pytest.mark.parametrize("fault", [PaperFault.LOST_BEFORE, PaperFault.LOST_AFTER])
def test_an_order_whose_answer_is_lost_is_at_the_venue_once_and_the_ledger_agrees(
    tmp_path: Path, runtime: Runtime, breaks: Breaks, fault: PaperFault
) -> None:
    breaks({1: fault, 4: fault})

    run_to_end(config_of(tmp_path / "run", candles_in(tmp_path)), runtime)

    ledger = {order.client_order_id: order for order in read_orders(tmp_path / "run" / "ledger.db")}
    venue = {row[-1]: row[4] for row in orders_at_venue(tmp_path / "run")}
    refused = [order for order in ledger.values() if order.state is OrderState.REFUSED]
    assert len(venue) == len(orders_at_venue(tmp_path / "run")) > 4
    assert {key: str(ledger[key].state) for key in venue} == venue
    assert len(ledger) == len(venue) + len(refused)
    codes = [order.state_reason.partition(":")[0] for order in refused]
    assert set(codes) <= {"unknown_outcome", "nothing_held"}
    assert codes.count("nothing_held") <= codes.count("unknown_outcome")


@pytest.mark.slow
def test_an_order_that_is_always_lost_is_given_up_after_some_sends(
    tmp_path: Path, breaks: Breaks
) -> None:
    paths = candles_in(tmp_path)
    breaks(dict.fromkeys(range(1, 10_000), PaperFault.LOST_BEFORE))
    runtime = StepRuntime(ttl_enforced=False)
    config = config_of(tmp_path / "run", paths, feed={"speed": 600})

    run_to_end(config, runtime)

    orders = list(read_orders(tmp_path / "run" / "ledger.db"))
    sends = [
        sum(event.to_state is OrderState.SENT for event in read_events(path, order.order_key))
        for path in [tmp_path / "run" / "ledger.db"]
        for order in orders
    ]
    given_up = [order for order in orders if order.state is OrderState.REFUSED]
    assert orders_at_venue(tmp_path / "run") == []
    assert max(sends) == 4
    assert "given up after 4 sends" in given_up[0].state_reason
    assert runtime.clock.now_ns > 6 * NS_PER_S, "there were pauses between the sends"
