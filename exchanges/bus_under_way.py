"""What a publisher has sent and does not know to be stored, in the order of the feed. Pure.

An event is done with when the server has acknowledged it, or when it was found in the stream; until
then it is ours to send again.
"""

from collections import deque
from collections.abc import Iterator

import msgspec

from exchanges.nats_answers import Ack
from messages.bus import BusFrame


class Entry(msgspec.Struct):
    """An event on its way."""

    index: int
    subject: str = ""
    frame: BusFrame | None = None
    """None where the stream had it."""
    name: str = ""
    is_stored: bool = False
    sent_s: float = 0.0

    @property
    def sequence(self) -> int:
        """Its number on its subject; 0 where the stream had it."""
        return self.frame.sequence if self.frame is not None else 0


class UnderWay:
    """One publisher's, over all its connections."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._by_token: dict[int, Entry] = {}
        self._token = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    def add(self, entry: Entry) -> None:
        """Take the next one."""
        self._entries.append(entry)

    def sending(self, entry: Entry, now_s: float) -> int:
        """Note that one is sent now; give the token that its answer will name."""
        self._token += 1
        self._by_token[self._token] = entry
        entry.sent_s = now_s
        return self._token

    def forget_answers(self) -> None:
        """No answer will come any more: the connection is another one."""
        self._by_token.clear()

    @property
    def is_unanswered(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._by_token)

    def oldest_s(self) -> float:
        """Give since when an answer is waited for; 0 where none is."""
        return min((entry.sent_s for entry in self._by_token.values()), default=0.0)

    def acknowledged(self, token: int, ack: Ack) -> bool:
        """Take the server's answer to one; False where nothing waits for it."""
        entry = self._by_token.pop(token, None)
        if entry is None:
            return False
        # Of a duplicate only we know the name, so it is there.
        entry.is_stored = ack.is_duplicate or not ack.problem
        return True

    def found(self, subject: str, sequence: int) -> None:
        """Learn that the stream has one, whatever was answered."""
        for entry in self._entries:
            if entry.subject == subject and entry.sequence == sequence:
                entry.is_stored = True

    def settled(self) -> Iterator[Entry]:
        """Give those that are done with, and let go of them; up to the first that is not."""
        while self._entries and self._entries[0].is_stored:
            yield self._entries.popleft()
