"""What one executor leaves to the next: what it had seen, and nothing that it does afterwards."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.executor_kept import GROUP_LIMIT
from decisions.risk import RiskLimits
from messages.ids import NS_PER_S, TimestampNs
from messages.lifecycle import ActorState
from messages.market import Trade
from messages.values import OrderState as S
from messages.values import Side
from persistence.ledger import Claim, LedgerEntry, SqliteLedger
from tests.actors.order_path import BTC, OrderPath


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


def test_many_decisions_that_waited_are_written_in_groups_as_any_others_are(
    tmp_path: Path,
) -> None:
    written: list[int] = []

    class Watched(SqliteLedger):
        def write(self, steps: Any, claims: Sequence[Claim], *more: Any) -> list[LedgerEntry]:
            written.append(len(claims))
            return super().write(steps, claims, *more)

    desk = OrderPath(tmp_path, open_ledger=lambda: Watched(tmp_path / "ledger.db"))
    desk.start().tell(desk.intent(1)).start()
    for number in range(2, 602):
        desk.tell(desk.intent(number))
    written.clear()

    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(1, S.ACCEPTED)))

    assert [count for count in written if count] == [GROUP_LIMIT, GROUP_LIMIT, 88]


def test_a_decision_waits_until_all_is_settled_whatever_is_shown(desk: OrderPath) -> None:
    desk.start()
    desk.cell.set_state(ActorState.RUNNING)

    desk.tell(desk.intent(2))

    assert desk.sends(2) == 0


def test_the_next_one_knows_the_last_price_so_that_no_decision_is_refused_for_want_of_one(
    tmp_path: Path,
) -> None:
    limits = RiskLimits(max_market_age_ms=5_000)
    desk = OrderPath(tmp_path, limits=limits, max_decision_age_ns=10 * NS_PER_S).start()
    now_ns = TimestampNs(desk.runtime.clock.utc_ns())
    desk.tell(
        Trade(
            symbol=BTC,
            price=Decimal(100),
            quantity=Decimal(1),
            aggressor_side=Side.BUY,
            ts_event_ns=now_ns,
        )
    )
    desk.start()

    desk.tell(desk.intent(1)).after(6)
    desk.tell(desk.intent(2))

    assert (desk.sends(1), desk.sends(2)) == (1, 0), "the second's market is too old"
