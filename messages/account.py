"""What the venue says of the account, and what a person says of it."""

from decimal import Decimal
from typing import ClassVar

from messages.base import Delivery, Message, OnRestart, Overflow
from messages.ids import Epoch
from messages.orders import OrderReport


class AccountRead(Message, kw_only=True, frozen=True):
    """The venue was asked what the account holds and which orders are open.

    Gateway -> Executor. Lost with the incarnation that asked. When the question failed,
    `problem` says why and nothing is known.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP, overflow=Overflow.GROW)

    epoch: Epoch
    balances: dict[str, Decimal]
    """By currency, free and locked together; what is missing is 0."""
    open_orders: tuple[OrderReport, ...]
    problem: str = ""


class AcceptAccount(Message, kw_only=True, frozen=True):
    """A person knows why the account differs: from its next reading on that is right.

    Operator -> Executor. Kept for a minute while there is room, then it has to be said again.
    """

    delivery: ClassVar[Delivery] = Delivery(ttl_ms=60_000)

    reason: str
