"""Where actors note what they began with, were told and decided: the journal, where one is kept."""

from typing import Protocol

from messages.base import Message
from messages.ids import ActorPath


class Notes(Protocol):
    """Whoever keeps them; called on the thread of the actor that notes."""

    @property
    def stretch(self) -> int:
        """Another one where what is kept from now on stands apart from what was kept before.

        Then whoever has a memory says it anew: nobody may ever read what was before.
        """

    def note(self, path: ActorPath, message: Message) -> None:
        """Take one message; must not block, and must not raise."""
