"""What a person was told, as a fact for the metrics."""

from typing import ClassVar

from messages.base import Delivery, Message, Overflow
from messages.ids import TimestampNs


class AlertTold(Message, kw_only=True, frozen=True):
    """A fault, or its end, was told to the addresses of alerts, or could not be.

    Alerts -> Metrics. Not lost while Metrics lives. Again when a later attempt got through.
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.GROW)

    rule: str
    key: str
    state: str
    """``firing`` or ``recovered``."""
    severity: str
    """``warning`` or ``critical``."""
    sentence: str
    delivered: bool
    """Whether an address took it."""
    problem: str
    """Why an address did not; empty when all did."""
    ts_ns: TimestampNs
    """When it was first to be told."""
