"""Where actors note what they began with, were told and decided: the journal, where one is kept."""

from collections.abc import Callable
from typing import Protocol

from messages.base import Message
from messages.ids import ActorPath

Note = Message | Callable[[], Message]
"""What is noted; or what makes it later, from what no longer changes, on a thread that has time."""


class Notes(Protocol):
    """Whoever keeps them; called on the thread of the actor that notes."""

    @property
    def stretch(self) -> int:
        """Another one where what is kept from now on stands apart from what was kept before.

        Then whoever has a memory says it anew: nobody may ever read what was before.
        """

    def note(self, path: ActorPath, message: Note) -> None:
        """Take one; must not block, and must not raise."""
