"""One message on its way, in the shape that Pykka's loop expects.

Pykka reads `message` and `reply_to` and nothing else; a contract test pins that.
"""

from typing import Any


class Envelope:
    """A message, who waits for its answer, and since when it is queued (monotonic ns)."""

    __slots__ = ("buried", "enqueued_ns", "message", "reply_to")

    def __init__(self, message: Any, reply_to: Any, enqueued_ns: int) -> None:
        self.message = message
        self.reply_to = reply_to
        self.enqueued_ns = enqueued_ns
        self.buried = False
        """Whether it became a dead letter because its mailbox closed under it."""


class Place(Envelope):
    """A place in the queue whose message may still change for a newer one."""

    __slots__ = ()


class StopRequest(Envelope):
    """Pykka's stop message to one incarnation; void for every later one."""

    __slots__ = ("reader",)

    def __init__(self, message: Any, reply_to: Any, reader: Any) -> None:
        super().__init__(message, reply_to, 0)
        self.reader = reader
