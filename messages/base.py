"""What every message is: frozen, tagged by its class name, with its own delivery rules."""

from enum import StrEnum
from typing import Any, ClassVar

import msgspec


class OnRestart(StrEnum):
    """What becomes of a queued message when its receiver is restarted."""

    KEEP = "keep"
    DROP = "drop"


class Overflow(StrEnum):
    """What a full mailbox does with one more message of a class."""

    REJECT = "reject"
    """The new one becomes a dead letter; the sender's `tell` returns False."""
    DROP_OLDEST = "drop_oldest"
    """The oldest queued message of the same class makes room."""
    CONFLATE = "conflate"
    """Full or not, a newer message with the same key replaces the queued one."""
    GROW = "grow"
    """Accepted beyond the bound: facts that may never be lost, few by nature."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How a class of messages may be lost. `ttl_ms` is its longest useful wait in a queue."""

    on_restart: OnRestart = OnRestart.KEEP
    overflow: Overflow = Overflow.REJECT
    ttl_ms: int | None = None
    control: bool = False
    """Goes before everything that is not control."""
    traced: bool = False
    """Order-bearing: every handling of it is a line in metrics.ndjson."""


class Message(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, tag=True
):
    """The base of the catalogue. Fields are facts: no defaults from clocks or chance."""

    delivery: ClassVar[Delivery] = Delivery()

    def conflation_key(self) -> Any:
        """Messages with equal keys replace each other where the class conflates."""
        return None

    def trace_id(self) -> str | None:
        """The order key that this message is about, if it is about one."""
        return None
