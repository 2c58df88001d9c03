"""What a mailbox needs of others: a queue beneath it, whoever reads it, whoever records it."""

from typing import Any, Protocol

from messages.base import Message
from messages.ids import ActorPath


class Queue(Protocol):
    """What a mailbox needs of its user lane; `SimpleQueue` live, a run queue when stepped."""

    def put(self, item: Any) -> None:
        """Append and wake the reader."""

    def get(self, block: bool = ..., timeout: float | None = ...) -> Any:
        """Take the oldest, or raise `queue.Empty`."""

    def qsize(self) -> int:
        """How many wait."""

    def empty(self) -> bool:
        """Whether none waits."""


Timer = tuple[int, int, Message, int]
"""When it is due, the order of setting, what it delivers, its period or 0."""


class Reader(Protocol):
    """The incarnation that reads; `fenced` turns True when it was replaced."""

    fenced: bool
    timers: list[Timer]
    """A heap; an incarnation's own, so that nothing of it fires in the next."""


class Recorder(Protocol):
    """Whoever keeps what came from outside; called on the reader's thread."""

    def __call__(self, path: ActorPath, message: Any, *, is_timer: bool) -> None:
        """Take one message; must not block, and must not raise."""
