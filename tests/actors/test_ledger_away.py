"""While its ledger is away an executor keeps what needs it, and does what does not."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from messages.errors import LedgerLost
from messages.halting import CancelOrder
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from persistence.stored_ledger import Write
from tests.actors.halt_desk.halts import HALT
from tests.actors.order_path import OrderPath, key_of


class Server:
    is_away = False


class OfServer(SqliteLedger):
    """A ledger on a server that may be away."""

    def __init__(self, path: Path, server: Server) -> None:
        self._server = server
        super().__init__(path)

    def answers(self) -> bool:
        return not self._server.is_away

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Any]:
        self._ask()
        return super()._rows(statement, parameters)

    def _commit(self, writes: Sequence[Write]) -> None:
        self._ask()
        super()._commit(writes)

    def _ask(self) -> None:
        if self._server.is_away:
            raise LedgerLost("the server is away")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def desk(tmp_path: Path, server: Server) -> OrderPath:
    """One order is at the venue, and the ledger is lost with the next."""
    path = tmp_path / "ledger.db"
    desk = OrderPath(tmp_path, open_ledger=lambda: OfServer(path, server)).start()
    desk.tell(desk.intent(0)).tell(desk.submitted(0, S.ACCEPTED))
    server.is_away = True
    return desk.tell(desk.intent(1))


def comes_back(desk: OrderPath, server: Server) -> None:
    """Its executor sees it with the next look, and the next one begins."""
    server.is_away = False
    desk.after(1).start()
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(0, S.ACCEPTED)))


def test_nothing_is_sent_meanwhile_and_what_was_decided_is_sent_once_afterwards(
    desk: OrderPath, server: Server
) -> None:
    desk.tell(desk.intent(2)).after(5)
    assert [desk.sends(number) for number in range(3)] == [1, 0, 0]
    assert "the ledger is away for 5 s" in desk.cell.problem

    comes_back(desk, server)

    assert [desk.sends(number) for number in range(3)] == [1, 1, 1]


def test_what_an_order_did_meanwhile_is_recorded_afterwards(
    desk: OrderPath, server: Server
) -> None:
    desk.tell(desk.report(0, S.FILLED, "1")).after(5)

    comes_back(desk, server)

    assert desk.order(0).state is S.FILLED


def test_a_halt_lets_nothing_leave_at_once_and_is_on_disk_afterwards(
    desk: OrderPath, server: Server
) -> None:
    desk.tell(HALT)
    assert desk.gateway.barred == HALT.reason

    comes_back(desk, server)

    assert (desk.sends(1), desk.gateway.barred) == (0, HALT.reason)
    with closing(SqliteLedger(desk.path)) as ledger:
        assert HALT.reason in (ledger.halt_reason() or "")


def test_what_a_person_asks_for_meanwhile_is_done_afterwards(
    desk: OrderPath, server: Server
) -> None:
    desk.tell(CancelOrder(request="c", order_key=key_of(0))).after(5)
    assert desk.gateway.canceled == []

    comes_back(desk, server)

    assert [one.key for one in desk.gateway.canceled] == [key_of(0)]
