"""An executor that has one order open, which dies at the commit that a test names."""

from typing import Any

from messages.errors import LedgerUnavailable
from messages.orders import OrderUpdate
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from tests.actors.order_path import OrderPath, key_of
from tests.actors.test_cancel_desk import (
    limit,
)


def with_one(made: OrderPath) -> OrderPath:
    made.start().tell(limit(made, 1))
    return made.tell(made.submitted(1, S.ACCEPTED))


def told(desk: OrderPath, number: int) -> list[S]:
    """What its strategy was told of an order since the last look."""
    found, mailbox = [], desk.runtime.cell("strategy").mailbox
    assert desk.cell.life is not None
    while (envelope := mailbox.poll(desk.cell.life)) is not None:
        if isinstance(envelope.message, OrderUpdate):
            found.append(envelope.message)
    return [one.state for one in found if one.order_key == key_of(number)]


def revive(desk: OrderPath) -> None:
    life = desk.cell.life
    if life is None or life.gone.is_set():
        desk.start()


class Dying(SqliteLedger):
    """Fails at the commit that `dies` says, before or after it has written."""

    commits = 0
    dies: tuple[int, bool] | None = None
    error: type[LedgerUnavailable] = LedgerUnavailable

    def _commit(self, writes: Any) -> None:
        Dying.commits += 1
        number, after = Dying.dies or (0, False)
        if number == Dying.commits and not after:
            raise Dying.error("test")
        super()._commit(writes)
        if number == Dying.commits and after:
            raise Dying.error("test")
