"""The rehearsal's trap: who was struck counts as back at work once it is, and not before."""

from typing import Any

from actors.thread_runtime import ThreadRuntime
from decisions.drill import Blow, Point
from messages.ids import EXECUTOR, ClientOrderId, Epoch, OrderKey
from messages.lifecycle import ActorState
from ops.drill_trap import Target, Trap

TARGET = Target(order_key=OrderKey("1" * 32), client_order_id=ClientOrderId("wk-1"))


def test_as_it_springs_nobody_is_back_at_work_yet() -> None:
    """Asked between the two, it had said so, and the process was ended with a hung executor."""
    seen: list[bool] = []

    def asks(**_: Any) -> None:
        seen.append(trap.recovered)

    trap = Trap(TARGET, Point.FIND_TOLD, Blow.EXECUTOR_HANG, asks)
    trap.runtime = ThreadRuntime()
    cell = trap.runtime.cell(EXECUTOR)
    cell.set_state(ActorState.RUNNING)

    assert trap.reach(Point.FIND_TOLD, TARGET.order_key, holds=False)
    assert seen == [False]
    assert not trap.recovered

    cell.epoch = Epoch(cell.epoch + 1)
    assert trap.recovered
