"""What Pykka sees as an actor's inbox: one incarnation's door to the cell's mailbox."""

from typing import Any

from actors.cell import Incarnation
from actors.envelope import Envelope
from actors.mailbox import FENCED, Mailbox


class WouldBlock(Exception):  # noqa: N818 - a signal to the stepper, not an error
    """Nothing to read now. Raised outside the `try` of Pykka's loop, so it passes through."""


class Inbox:
    """Given to Pykka for one incarnation; `empty` hides the mail from Pykka's teardown."""

    def __init__(self, mailbox: Mailbox, life: Incarnation) -> None:
        self.current: Envelope = FENCED
        self.drain_on_stop = True
        self.stepped = False
        self.grant = 0
        """How many messages a stepper lets through before `WouldBlock`."""
        self._mailbox = mailbox
        self._life = life

    def put(self, envelope: Any) -> None:
        """Take what Pykka's own refs send; only its stop request ever comes this way."""
        stop = Envelope(envelope.message, envelope.reply_to, 0)
        self._mailbox.put_stop(stop, drain=self.drain_on_stop)

    def get(self) -> Envelope:
        """Wait for the next message (threads) or give the granted one (steps)."""
        if self.stepped:
            return self._step()
        envelope = self._mailbox.take(self._life)
        self.current = envelope
        return envelope

    def _step(self) -> Envelope:
        if self.grant <= 0:
            raise WouldBlock
        self.grant -= 1
        envelope = self._mailbox.poll(self._life)
        if envelope is None:
            raise WouldBlock
        self.current = envelope
        return envelope

    def empty(self) -> bool:
        """Always True: queued mail belongs to the cell, not to this incarnation."""
        return True
