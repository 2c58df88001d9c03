"""One message on its way, in the shape that Pykka's loop expects.

Pykka reads `message` and `reply_to` and nothing else; a contract test pins that. These are
structs because one is made for every message: a third of the cost of a class with slots.
"""

from typing import Any

import msgspec


class Envelope(msgspec.Struct, eq=False):
    """A message, who waits for its answer, and since when it is queued (monotonic ns)."""

    message: Any
    reply_to: Any
    enqueued_ns: int
    buried: bool = False
    """Whether it became a dead letter because its mailbox closed under it."""


class Told(Envelope, eq=False):
    """A message of the plain policy for the actor's own handler, with nobody who asks."""


class Fact(Envelope, eq=False):
    """A message that may never be lost and has no longest wait, with nobody who asks."""


class Perishable(Envelope, eq=False):
    """A message whose class has a longest useful wait."""


class Place(Envelope, eq=False):
    """A place in the queue whose message may still change for a newer one."""


class Own(Envelope, eq=False):
    """What means something to one incarnation only, and is void for every later one."""

    reader: Any = None


class Due(Own, eq=False):
    """A timer that this incarnation has set has come due."""


class StopRequest(Own, eq=False):
    """Pykka's stop message to this incarnation."""
