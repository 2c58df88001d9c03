"""A decision that reaches the executor late: refused and written down, and its strategy told."""

from pathlib import Path

from actors.clock import VirtualClock
from messages.ids import NS_PER_S
from messages.values import OrderState
from tests.actors.changing import told
from tests.actors.order_path import OrderPath

AGE_NS = 5 * NS_PER_S


def test_a_decision_that_slept_with_its_process_is_refused_and_not_lost(tmp_path: Path) -> None:
    """It lay in the executor's mailbox while the process was stopped, longer than any queue keeps.

    Of one that is lost there is no row, and a strategy that manages its orders waits for ever.
    """
    desk = OrderPath(tmp_path, max_decision_age_ns=AGE_NS).start()
    desk.cell.mailbox.ttl_enforced = True  # as in a live run

    desk.address.tell(desk.intent(1))
    clock = desk.runtime.clock
    assert isinstance(clock, VirtualClock)
    clock.advance_to(clock.now_ns + 60 * NS_PER_S)
    desk.rest()

    order = desk.order(1)
    assert (order.state, order.state_reason) == (OrderState.REFUSED, "stale: decided 60.0 s ago")
    assert desk.gateway.sent == []
    assert desk.runtime.dead_letters.reasons(desk.cell.path) == {}
    assert told(desk, 1) == [OrderState.REFUSED]
