"""An executor that hung and was replaced comes back to itself: nothing of it concerns the next."""

from pathlib import Path

import pytest

from messages.lifecycle import ActorState
from messages.values import OrderState as S
from tests.actors.order_path import OrderPath


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """Two executors: one that is abandoned, and its successor, which has an order to settle."""
    made = OrderPath(tmp_path).start()
    made.tell(made.intent(1))
    return made


def test_it_does_not_end_the_reconciling_of_its_successor(desk: OrderPath) -> None:
    abandoned = desk.actor
    desk.start()
    abandoned._when_settled()

    assert desk.cell.state is ActorState.RECONCILING


def test_decisions_that_wait_are_sent_once_all_is_settled_whatever_is_shown(
    desk: OrderPath,
) -> None:
    """They were stashed for ever: what is shown of the cell is not what is waited for."""
    desk.start()
    desk.tell(desk.intent(2))
    assert desk.sends(2) == 0
    desk.cell.set_state(ActorState.RUNNING)  # as the abandoned one did

    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(1, S.ACCEPTED)))

    assert desk.sends(2) == 1


def test_a_decision_waits_until_all_is_settled_whatever_is_shown(desk: OrderPath) -> None:
    desk.start()
    desk.cell.set_state(ActorState.RUNNING)

    desk.tell(desk.intent(2))

    assert desk.sends(2) == 0
