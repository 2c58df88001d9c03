"""What Pykka sees as an actor's inbox: one incarnation's door to the cell's mailbox."""

from collections.abc import Callable
from contextlib import suppress
from queue import Full
from typing import Any

from actors.cell import Incarnation
from actors.envelope import Envelope, StopRequest
from actors.mailbox import FENCED, Mailbox


class WouldBlock(Exception):
    """Nothing to read now. Raised outside the `try` of Pykka's loop, so it passes through."""


class Inbox:
    """Given to Pykka for one incarnation; `empty` hides the mail from Pykka's teardown."""

    def __init__(self, mailbox: Mailbox, life: Incarnation) -> None:
        self.current: Envelope = FENCED
        self.drain_on_stop = True
        self.stepped = False
        self.grant = 0
        """How many messages a stepper lets through before `WouldBlock`."""
        self.handle_plain: Callable[[], Envelope | None] = lambda: None
        """Handles messages short of Pykka; gives the one that failed, for Pykka to see."""
        self._mailbox = mailbox
        self._life = life

    def put(self, envelope: Any) -> None:
        """Take what Pykka's own refs send; only its stop request ever comes this way."""
        request = StopRequest(envelope.message, envelope.reply_to, 0, reader=self._life)
        self._mailbox.put_stop(request, drain=self.drain_on_stop)

    def get(self) -> Envelope:
        """Wait for the next message (threads) or give the granted one (steps).

        A told message of the plain policy is handled right here: Pykka's own loop would
        only pass it through five more calls. Whatever fails, asks or stops goes to Pykka.
        """
        if self.stepped:
            return self._step()
        self._life.reading = True
        envelope = self.handle_plain()
        if envelope is None:
            envelope = self.current = self._mailbox.take(self._life)
        return envelope

    def detach(self) -> Envelope:
        """Take the message in hand, with its asker, away from Pykka, which would answer it."""
        held = self.current
        self.current = Envelope(held.message, held.reply_to, held.enqueued_ns)
        held.reply_to = None
        return self.current

    def part_with(self) -> Envelope:
        """Give up the message in hand, for somebody else to handle and to answer."""
        held = self.detach()
        self.current = FENCED
        return held

    def fail(self, error: Exception) -> None:
        """Answer whoever asked the message in hand: its incarnation was given up."""
        reply_to, self.current.reply_to = self.current.reply_to, None
        if reply_to is not None:
            with suppress(Full):  # it answered at the last moment
                reply_to.set_exception((type(error), error, None))

    def _step(self) -> Envelope:
        if self.grant <= 0:
            raise WouldBlock
        failed = self.handle_plain()
        if failed is not None:
            return failed
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
