"""What a person orders over orders and trading, and what the venue answers to it."""

from decimal import Decimal
from typing import ClassVar

from messages.base import Delivery, Message, OnRestart, Overflow
from messages.ids import Epoch, OrderKey
from messages.orders import OrderReport
from messages.values import OrderState

_ORDER = Delivery(overflow=Overflow.GROW, control=True, traced=True)
_ANSWER = Delivery(overflow=Overflow.GROW, traced=True)


class ResumeTrading(Message, kw_only=True, frozen=True):
    """End a halt: a person's word.

    Operator -> Executor. Never lost. `request` names the answer for whoever asked.
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.GROW, control=True)

    request: str
    despite_open: bool
    """Whether the person accepts that nothing proves all orders closed."""


class CancelOrder(Message, kw_only=True, frozen=True):
    """Cancel one order at the venue, and prove it by asking.

    Operator -> Executor. Never lost; the proof is, with its incarnation: ask again.
    """

    delivery: ClassVar[Delivery] = _ORDER

    request: str
    order_key: OrderKey

    def trace_id(self) -> str:
        """The decision that is to end."""
        return self.order_key


class ResolveOrder(Message, kw_only=True, frozen=True):
    """Settle an order that cannot be settled by asking, on a person's evidence.

    Operator -> Executor. Never lost; what came of it is, with its incarnation: ask again.
    `to` is REFUSED for an order that never reached the venue.
    """

    delivery: ClassVar[Delivery] = _ORDER

    request: str
    order_key: OrderKey
    to: OrderState
    filled_quantity: Decimal | None
    """All that was filled, base currency; None: as much as the state and the ledger say."""
    price: Decimal | None
    """Of what was filled and the ledger does not know, on average."""
    evidence: str
    unasked: bool
    """Whether to go on when the venue gives no answer at all."""

    def trace_id(self) -> str:
        """The decision that is settled."""
        return self.order_key


class EndStop(Message, kw_only=True, frozen=True):
    """End a stop: what it protects is a person's from now on. No order comes of it.

    Operator -> Executor. Never lost; the answer is lost with its incarnation, so ask again.
    """

    delivery: ClassVar[Delivery] = _ORDER

    request: str
    order_key: OrderKey
    """The entry's."""
    by: str
    """Who says so."""
    reason: str

    def trace_id(self) -> str:
        """The decision whose stop it is."""
        return self.order_key


class CancelDone(Message, kw_only=True, frozen=True):
    """The gateway finished one cancel; `report` is what the venue showed after it.

    Gateway -> Executor. Kept for ever. Without a report `problem` says why, and nothing is
    known: the cancel may have worked. Nothing comes to a replaced incarnation that asked.
    """

    delivery: ClassVar[Delivery] = _ANSWER

    order_key: OrderKey
    epoch: Epoch
    report: OrderReport | None
    problem: str

    def trace_id(self) -> str:
        """The decision that was to end."""
        return self.order_key


class OpenListed(Message, kw_only=True, frozen=True):
    """The venue was asked what is open on every symbol of the run.

    Gateway -> Executor. Lost with the incarnation that asked, which alone knows the question.
    With a `problem` the reports are not all there is.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP, overflow=Overflow.GROW)

    question: int
    epoch: Epoch
    reports: tuple[OrderReport, ...]
    """Of the whole account: others' orders too."""
    problem: str
