"""An actor's only reach into the world: time, timers, sends, its own end."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from actors.address import Address
from actors.cell import Cell, Incarnation
from actors.dead_letters import DeadLetter
from actors.envelope import Envelope
from actors.hops import StageNotes
from actors.mailbox import FENCED
from actors.notes import Note, Notes
from messages.base import Message
from messages.ids import ActorPath, Epoch, TimestampNs
from messages.lifecycle import ActorState, ExitReason

if TYPE_CHECKING:
    import random

    from actors.runtime import Runtime


class Context:
    """Handed to one incarnation; once that is fenced, nothing here has an effect."""

    def __init__(self, cell: Cell, life: Incarnation, runtime: "Runtime") -> None:
        self.cell = cell
        self.life = life
        self.runtime = runtime
        self.stop_reason = ExitReason.SHUTDOWN

    @property
    def path(self) -> ActorPath:
        """Where this actor stands in the tree."""
        return self.cell.path

    @property
    def epoch(self) -> Epoch:
        """Which incarnation this is."""
        return self.life.epoch

    @property
    def fenced(self) -> bool:
        """Whether this incarnation was replaced: what it does is void."""
        return self.life.fenced

    @property
    def ending(self) -> bool:
        """Whether this incarnation was asked to end: what can be left to the next one may be."""
        return self.life.ending or self.life.fenced

    @property
    def rng(self) -> "random.Random":
        """Seeded randomness of the runtime."""
        return self.runtime.rng

    def utc_ns(self) -> TimestampNs:
        """Now, for facts."""
        return self.cell.utc_ns()

    def monotonic_ns(self) -> int:
        """Now, for spans and timers."""
        return self.cell.monotonic_ns()

    def tell(self, address: "Address[Any]", message: Message) -> bool:
        """Send, unless this incarnation was replaced; False when it did not go out."""
        if self.life.fenced:
            return False
        return address.tell(message)

    def show_state(self, state: ActorState, problem: str = "") -> None:
        """Show what the cell does, unless another incarnation is in it now.

        It is for people: one that is fenced at this very moment may still have shown its own.
        """
        if not self.life.fenced:
            self.cell.set_state(state, problem)

    def after(self, delay_ns: int, message: Message) -> None:
        """Deliver `message` to this actor once, after a span."""
        self.cell.mailbox.timers.set(self.life, self.monotonic_ns() + delay_ns, message)

    def every(self, period_ns: int, message: Message) -> None:
        """Deliver `message` to this actor again and again, first after one period."""
        due_ns = self.monotonic_ns() + period_ns
        self.cell.mailbox.timers.set(self.life, due_ns, message, period_ns)

    def drain(self, kinds: tuple[type[Message], ...], limit: int) -> list[Any]:
        """Take more messages of some classes that already wait at the head of the queue."""
        return self.cell.mailbox.drain(kinds, limit, self.life)

    @property
    def waited_for(self) -> bool:
        """Whether more messages wait for this actor."""
        return self.cell.mailbox.depth() > 0

    def hand_back(self, messages: Sequence[Message]) -> None:
        """Put messages that were taken and not handled first in the queue, in their order."""
        if not self.life.fenced:
            self.hand_on(messages)

    def hand_on(self, messages: Sequence[Message]) -> None:
        """Give drained messages to the incarnation that has replaced this one meanwhile."""
        for message in reversed(messages):
            self.cell.mailbox.hand_on(Envelope(message, None, self.monotonic_ns()))

    def rest(self) -> "Iterator[Any]":
        """Take what still waits, for an orderly end; replies are not given.

        Each counts as handled once the next is asked for.
        """
        while True:
            envelope = self.cell.mailbox.poll(self.life)
            if envelope is None or envelope is FENCED:
                return
            if isinstance(envelope.message, Message):
                begun_ns = self.monotonic_ns()
                self.cell.mailbox.drained = 0
                yield envelope.message
                self.cell.count_handled(envelope, begun_ns, self.monotonic_ns())

    @property
    def stages(self) -> StageNotes | None:
        """Where stages of decisions are noted, if they are."""
        return self.runtime.stages

    @property
    def notes(self) -> Notes | None:
        """Where this actor notes what a replay needs; None where nobody keeps it."""
        return self.runtime.notes

    def note(self, message: Note) -> None:
        """Note it, if anybody keeps notes."""
        notes = self.runtime.notes
        if notes is not None and not self.life.fenced:
            notes.note(self.cell.path, message)

    def judge(self, trace_id: str, outcome: str, reason: str = "") -> None:
        """Say what became of a decision in hand, for the line of its message."""
        if self.cell.hops is not None and not self.life.fenced:
            self.cell.hops.judge(trace_id, outcome, reason)

    def progress(self) -> None:
        """Say that useful work was done; health holds the age of the last against a limit."""
        if not self.life.fenced:
            self.cell.progress_ns = self.cell.monotonic_ns()
            self.cell.progress_on = type(self.cell.handling)

    def stop(self, reason: ExitReason = ExitReason.NORMAL) -> None:
        """End this actor after the present message."""
        self.stop_reason = reason
        inbox = self.life.actor_ref.actor_inbox
        inbox.drain_on_stop = False
        self.life.actor_ref.stop(block=False)

    def dead_letter(self, message: Any, why: str, detail: str = "") -> None:
        """Put a message where lost ones are counted."""
        letter = DeadLetter(self.cell.path, message, why, detail, self.monotonic_ns())
        self.runtime.dead_letters.add(letter)

    def block_forever(self) -> None:
        """Hang until fenced: the rehearsal of a call that never returns."""
        self.runtime.hang(self.life)
