"""An order that is ended or replaced: the wishes, the venue's answers, and a ledger that dies."""

from decimal import Decimal
from typing import Any

from decisions.risk import RiskLimits
from messages.errors import LedgerUnavailable
from messages.halting import CancelDone
from messages.ids import NS_PER_S, StrategyId, TimestampNs
from messages.orders import CancelIntent, OrderIntent, OrderReport, OrderUpdate
from messages.values import OrderState as S
from messages.values import OrderType, Side
from persistence.ledger import SqliteLedger
from tests.actors.order_path import BTC, OrderPath, key_of

AGE_NS = 10 * NS_PER_S
OPEN = RiskLimits(max_position_notional=Decimal(150))
"""One order of 1 at 100 fits, two do not."""


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


def limit(desk: OrderPath, number: int, price: str = "100", **more: Any) -> OrderIntent:
    changes: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(price)}
    return desk.intent(number, **changes | more)


def replacing(desk: OrderPath, number: int = 2, first: int = 1, **changes: Any) -> OrderIntent:
    return limit(desk, number, "101", replaces=key_of(first), **changes)


def ending(desk: OrderPath, first: int = 1, **changes: Any) -> CancelIntent:
    fields: dict[str, Any] = {
        "order_key": key_of(99),
        "cancels": key_of(first),
        "strategy_id": StrategyId("one"),
        "symbol": BTC,
        "side": Side.BUY,
        "quantity": Decimal(1),
        "decided_at_ns": TimestampNs(1),
        "ts_created_ns": desk.runtime.clock.utc_ns(),
        "reason": "the market went away",
    }
    return CancelIntent(**fields | changes)


def canceled(desk: OrderPath, report: OrderReport | None, problem: str = "") -> OrderPath:
    call = desk.gateway.canceled[-1]
    done = CancelDone(order_key=call.key, epoch=call.epoch, report=report, problem=problem)
    return desk.tell(done)


def found(desk: OrderPath, report: OrderReport | None, problem: str = "") -> OrderPath:
    return desk.tell(desk.answer(desk.gateway.asked[-1], report, problem))


def cancels(desk: OrderPath, number: int = 1) -> int:
    return sum(one.key == key_of(number) for one in desk.gateway.canceled)
