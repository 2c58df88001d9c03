"""The lease at the gateway: a decision that may not be sent is not, and it is known not to be."""

from pathlib import Path

import msgspec
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from actors.thread_runtime import ThreadRuntime
from exchanges.local.server import running_exchange
from messages.errors import NotSent
from messages.ids import NS_PER_S
from messages.values import OrderState
from ops.run_dir import RunDir
from ops.wiring import build
from persistence.ledger import read_events, read_orders
from tests.system.test_live_orders import demo_of, venue_at

UNSENT = {OrderState.NOT_SENT, OrderState.REFUSED}


@pytest.mark.slow
def test_without_leave_no_order_arrives_and_each_is_known_not_to_have_been_sent(
    tmp_path: Path,
) -> None:
    def may_not() -> None:
        raise NotSent("lease: the lease ended 3.0 s ago")

    config = demo_of(tmp_path / "run", 200)
    runtime = ThreadRuntime(ttl_enforced=False)
    with (
        running_exchange(seed=3, speed=0) as run,
        RunDir(config.run_dir) as run_dir,
        venue_at(run) as live,
    ):
        live = msgspec.structs.replace(live, may_send=may_not)
        system = build(config, run_dir, runtime, live=live)
        assert runtime.start(system.root, 60 * NS_PER_S).problem == ""
        life = system.root.life
        assert life is not None
        assert life.gone.wait(60)
        placed = run.exchange.requests(operation="place")

    orders = list(read_orders(run_dir.ledger))
    assert placed == []
    assert orders
    assert {order.state for order in orders} <= UNSENT
    steps = [step for order in orders for step in read_events(run_dir.ledger, order.order_key)]
    assert any("the lease ended 3.0 s ago" in step.reason for step in steps)
