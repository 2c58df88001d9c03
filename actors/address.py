"""How others reach an actor: a stable, typed name that survives restarts."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from messages.ids import ActorPath, Epoch

if TYPE_CHECKING:
    from actors.cell import Cell

M_contra = TypeVar("M_contra", contravariant=True)


class Address(Generic[M_contra]):
    """Where to send messages of the types `M`. Works before the first start and in backoff."""

    __slots__ = ("cell", "path", "tell")

    tell: Callable[[M_contra], bool]
    """Queue a message. Never raises and never blocks; False means it is a dead letter."""

    def __init__(self, cell: "Cell") -> None:
        self.cell = cell
        self.path: ActorPath = cell.path
        self.tell = cell.mailbox.put

    @property
    def epoch(self) -> Epoch:
        """Which incarnation is behind the address now; 0 before the first."""
        return self.cell.epoch

    @property
    def is_out(self) -> bool:
        """Whether nobody will read the mailbox before a person acts."""
        return self.cell.mailbox.closed in ("halted", "ended")

    @property
    def is_full(self) -> bool:
        """Whether a message that makes no room for itself would be refused now."""
        return self.cell.mailbox.is_full()

    def __repr__(self) -> str:
        return f"Address({self.path})"
