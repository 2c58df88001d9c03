"""The queue of a cell: bounded, with a control lane, timers inside, and a policy per class.

It outlives the incarnations that read it. Order of service: control, due timers, what was
handed back or kept over a restart, user; a timer that overruns its period lets one of the mail
go first. Underneath is a C-level queue; Pykka's own is four fifths of a tell's cost.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from actors.dead_letters import DeadLetter, DeadLetters
from actors.envelope import Due, Envelope, Fact, Own, Perishable, Place, StopRequest, Told
from actors.hops import Hops
from actors.mailbox_protocols import Queue, Reader, Recorder
from actors.places import Places
from actors.timers import Timers, left_s
from messages.base import Delivery, Message, OnRestart, Overflow
from messages.ids import NS_PER_MS, ActorPath

_PLAIN = Message.delivery
"""The policy of a class that declares none: bounded, kept over a restart, never too old."""

_GROW = Overflow.GROW

WAKE = Envelope(None, None, 0)
"""A token that makes a waiting reader look at the other lanes again."""

FENCED = Envelope(None, None, 0)
"""What a replaced reader is given instead of a message."""


_NEVER_VOID = frozenset({Told, Fact, Envelope})

Lanes = tuple[deque[Envelope], deque[Envelope], Callable[[], Any], Callable[[], int]]
"""The control lane and what was handed back, by reference; taking from the user lane, and how
many wait there."""


class Mailbox:
    """Any thread may `put`; only the cell's live incarnation may `take` or set timers.

    A message that conflates or makes room shares its place in the queue with its successors;
    one that is asked never does, because its asker waits for this very one.
    """

    def __init__(
        self,
        path: ActorPath,
        capacity: int,
        dead_letters: DeadLetters,
        monotonic_ns: Callable[[], int],
        queue: Queue | None = None,
    ) -> None:
        self.path = path
        self.capacity = capacity
        self.high_water = 0
        self.closed = ""
        """Why nothing is taken any more; empty while open."""
        self.ttl_enforced = True
        self.recorder: Recorder | None = None
        """Shown what a reader takes, on its thread, but for plain told messages."""
        self.hops: Hops | None = None
        self.drained = 0
        """How many messages the reader took to handle them together with the present one."""
        self.gather_s = 0.0
        """How long a reader that had to wait lets more come; a stop or a fence ends it."""
        self.empty_ns = monotonic_ns()
        """A moment at which nothing waited, or only what the reader has taken since."""
        self._bell = threading.Event()
        self._dead_letters = dead_letters
        self._now = monotonic_ns
        self._user: Queue = queue if queue is not None else SimpleQueue()
        self._put_user, self._take_user = self._user.put, self._user.get
        self._waiting = self._user.qsize
        self._control: deque[Envelope] = deque()
        self._front: deque[Envelope] = deque()
        self._woken = False
        """Whether a `WAKE` is under way, so that there is never a heap of them."""
        self._places = Places()
        self.timers = Timers()

    # ------------------------------------------------------------------ putting

    def put(self, message: Any) -> bool:
        """Queue a message by the policy of its class; never blocks, never raises.

        Returns:
            False when the message ended as a dead letter instead. Of one that a newer one may
            replace, True says no more than that it waited.
        """
        policy = message.delivery
        if self.closed:
            return self._refuse(message, None, self.closed)
        if policy is _PLAIN and not self._front:
            depth = self._waiting()
            if depth >= self.capacity:
                return self._put_by_policy(message, None, policy)
            envelope: Envelope = Told(message, None, self._now())
        elif policy.overflow is _GROW and policy.ttl_ms is None and not policy.control:
            depth = self._waiting() + len(self._front) - self._woken
            envelope = Fact(message, None, self._now())
        else:
            return self._put_by_policy(message, None, policy)
        if depth >= self.high_water:
            self.high_water = depth + 1
        self._put_user(envelope)
        return True if not self.closed else self._closed_under(envelope)

    def ask(self, message: Any, reply_to: Any) -> bool:
        """Queue a message, as `put` does, whose answer somebody waits for."""
        return self._put_by_policy(message, reply_to, message.delivery)

    def _closed_under(self, envelope: Envelope) -> bool:
        """The mailbox closed while a message was put: whether it was taken all the same."""
        self._bury(self.closed)
        return not envelope.buried

    def _put_by_policy(self, message: Any, reply_to: Any, policy: Delivery) -> bool:
        why = self.closed
        if why:
            return self._refuse(message, reply_to, why)
        overflow = policy.overflow
        kind = Envelope if policy.ttl_ms is None else Perishable
        envelope = kind(message, reply_to, self._now())
        if policy.control:
            self._control.append(envelope)
            self.wake()
        elif overflow is Overflow.REJECT or overflow is Overflow.GROW or reply_to is not None:
            depth = self._user.qsize() + len(self._front) - self._woken
            if depth >= self.capacity and overflow is not Overflow.GROW:
                return self._refuse(message, reply_to, "full")
            if depth >= self.high_water:
                self.high_water = depth + 1
            self._user.put(envelope)
        else:
            self._put_replaceable(message)
        return True if not self.closed else self._closed_under(envelope)

    def put_stop(self, request: StopRequest, *, drain: bool) -> None:
        """Queue Pykka's stop request: after what is queued, or before it."""
        if drain:
            self._user.put(request)
        else:
            self._control.append(request)
            self.wake()

    def wake(self) -> None:
        """Make a waiting reader look at all lanes, and at whether it is fenced."""
        if self.gather_s:
            self._bell.set()
        if not self._woken:
            self._woken = True
            self._user.put(WAKE)

    def _put_replaceable(self, message: Message) -> None:
        gone = self._places.enter(message, self._now(), self.is_full, self._put_place)
        if gone is not None:
            oldest, since_ns = gone
            self._dead(oldest, None, "oldest", since_ns)

    def is_full(self) -> bool:
        """Whether as many messages wait as there is room for."""
        return self._user.qsize() + len(self._front) - self._woken >= self.capacity

    def _put_place(self, place: Place) -> None:
        self._user.put(place)
        self.high_water = max(self.high_water, self._user.qsize() + len(self._front))

    def _refuse(self, message: Any, reply_to: Any, why: str) -> bool:
        self._dead(message, reply_to, why)
        return False

    def _dead(self, message: Any, reply_to: Any, why: str, since_ns: int | None = None) -> None:
        letter = DeadLetter(self.path, message, why, "", self._now(), since_ns)
        self._dead_letters.add(letter, reply_to)

    # ------------------------------------------------------------------ taking

    def take(self, reader: Reader) -> Envelope:
        """Wait for the next message. `FENCED` when the reader was replaced meanwhile."""
        while True:
            envelope = self._ready(reader)
            if envelope is None:
                envelope = self._wait(reader)
            if envelope is not None and (envelope := self._accept(envelope, reader)) is not None:
                if self.recorder is not None:
                    self._record(envelope, self.recorder)
                return envelope

    def lanes(self) -> Lanes:
        """Give what a reader of told messages must look at before each of them."""
        return self._control, self._front, self._take_user, self._waiting

    def keep(self, envelope: Envelope, reader: Reader) -> None:
        """Take back, for the next `take`, what came from the user lane and is not for now."""
        if envelope is WAKE:
            self._woken = False
            if reader.fenced:
                self.wake()  # it was perhaps meant for the next reader
            return
        self._front.appendleft(envelope)
        if reader.fenced:
            self.wake()

    def poll(self, reader: Reader) -> Envelope | None:
        """Take the next message if there is one now."""
        while True:
            envelope = self._ready(reader)
            if envelope is None:
                try:
                    envelope = self._user.get(False)
                except Empty:
                    return None
            if (accepted := self._accept(envelope, reader)) is not None:
                if self.recorder is not None:
                    self._record(accepted, self.recorder)
                return accepted

    def note_taken(self, envelope: Envelope) -> None:
        """Do what `take` does, for a fact that was taken straight from the user lane."""
        self.drained = 0
        if self.recorder is not None:
            self._record(envelope, self.recorder)

    def _record(self, envelope: Envelope, recorder: Recorder) -> None:
        kind = type(envelope)
        if kind is not Told and envelope is not FENCED and kind is not StopRequest:
            recorder(self.path, envelope.message, is_timer=kind is Due)

    def _ready(self, reader: Reader) -> Envelope | None:
        """What goes before the user lane."""
        if reader.fenced:
            return FENCED
        if self._control:
            return self._control.popleft()
        if reader.timers and reader.timers[0][0] <= (now := self._now()) and not self._is_owed():
            return self.timers.pop(reader, now)
        if self._front:
            return self._front.popleft()
        return None

    def _is_owed(self) -> bool:
        """Whether mail goes before a timer for once."""
        if not self.timers.gives_way:
            return False
        self.timers.gives_way = False
        return bool(self._front) or not self._user.empty()

    def _wait(self, reader: Reader) -> Envelope | None:
        if self.gather_s and self._user.empty():
            envelope = self._wait_for_one(reader)
            if envelope is None:
                return None  # a timer is due, and was set for this moment
            self.empty_ns = max(self.empty_ns, envelope.enqueued_ns)  # the first to come
            due_s = left_s(reader, self._now)
            self._bell.wait(self.gather_s if due_s is None else min(self.gather_s, due_s))
            self._bell.clear()
            return envelope
        return self._wait_for_one(reader)

    def _wait_for_one(self, reader: Reader) -> Envelope | None:
        try:
            return self._user.get(True, left_s(reader, self._now))  # type: ignore[no-any-return]  # a queue's items have no type
        except Empty:
            return None

    def _accept(self, envelope: Envelope, reader: Reader) -> Envelope | None:
        """Give the envelope back unless it is void; a fenced reader hands it on."""
        if envelope is WAKE:
            self._woken = False
            if reader.fenced:
                self.wake()  # it was perhaps meant for the next reader
            return None
        if reader.fenced:
            if envelope is not FENCED:
                self.hand_on(envelope)
            return FENCED
        kind = type(envelope)
        if kind in _NEVER_VOID:
            return envelope
        if kind is not Perishable:
            if isinstance(envelope, Own):
                return envelope if envelope.reader is reader else None
            if isinstance(envelope, Place):
                envelope = self._places.settle(envelope)
        policy = envelope.message.delivery
        if policy.ttl_ms is not None and self.ttl_enforced:
            age_ns = self._now() - envelope.enqueued_ns
            if age_ns > policy.ttl_ms * NS_PER_MS:
                self._dead(envelope.message, envelope.reply_to, "expired", envelope.enqueued_ns)
                return None
        return envelope

    def hand_on(self, envelope: Envelope) -> None:
        """Give back what was taken and not handled: the next reader has it first."""
        if not isinstance(envelope, Own):
            lane = self._control if envelope.message.delivery.control else self._front
            lane.appendleft(envelope)
        self.wake()

    def drain(self, kinds: tuple[type[Message], ...], limit: int, reader: Reader) -> list[Any]:
        """Take up to `limit` more messages of some classes from the head of the user lane.

        Stops at the first of another class, which stays next. Only for messages without
        an asker: an asked one also stays.
        """
        taken: list[Any] = []
        while len(taken) < limit and not self._control and not reader.fenced:
            try:
                envelope = self._front.popleft() if self._front else self._user.get(False)
            except Empty:
                break
            if envelope is not WAKE and (
                type(envelope.message) not in kinds or envelope.reply_to is not None
            ):
                self.keep(envelope, reader)
                break
            accepted = self._accept(envelope, reader)
            if accepted is FENCED:
                break
            if accepted is not None:
                if self.recorder is not None:
                    self._record(accepted, self.recorder)
                taken.append(accepted.message)
                self.drained += 1
                if self.hops is not None:
                    self.hops.join(accepted.message, accepted.enqueued_ns)
        return taken

    # ------------------------------------------------------------------ life

    def depth(self) -> int:
        """How many messages wait, timers apart. Any thread may ask."""
        return max(self._user.qsize() - self._woken, 0) + len(self._front) + len(self._control)

    def has_work(self) -> bool:
        """Whether `poll` would give something now."""
        due = self.timers.next_due_ns()
        return bool(
            self._control
            or self._front
            or not self._user.empty()
            or (due is not None and due <= self._now())
        )

    def begin_incarnation(self, reader: Reader) -> None:
        """Drop the queued messages whose class does not survive a restart; keep the rest first.

        Nobody reads now, but others put: what they put meanwhile comes after what is kept.
        """
        self.timers.begin(reader)
        waiting = [self._front.popleft() for _ in range(len(self._front))]
        with suppress(Empty):
            for _ in range(self._user.qsize()):
                waiting.append(self._user.get(False))  # noqa: PERF401 - it may end early
        for envelope in waiting:
            if envelope is WAKE:
                self._woken = False
            elif isinstance(envelope, Own):
                continue
            elif envelope.message.delivery.on_restart is OnRestart.DROP:
                self._dead_as(envelope, "restart")
            else:
                self._front.append(envelope)
        if self._front or self._control:
            self.wake()

    def close(self, why: str) -> None:
        """Refuse everything from now on; what is queued becomes dead letters."""
        self.closed = why
        self._bury(why)

    def reopen(self) -> None:
        """Take messages again."""
        self.closed = ""

    def _bury(self, why: str) -> None:
        """Empty a closed mailbox; whoever puts into it at that moment does the same."""
        for take in (self._control.popleft, self._front.popleft, lambda: self._user.get(False)):
            with suppress(IndexError, Empty):
                while True:
                    envelope = take()
                    if envelope is WAKE:
                        self._woken = False
                    elif not isinstance(envelope, Own):
                        self._dead_as(envelope, why)

    def _dead_as(self, envelope: Envelope, why: str) -> None:
        if isinstance(envelope, Place):
            envelope = self._places.settle(envelope)
        envelope.buried = True
        self._dead(envelope.message, envelope.reply_to, why, envelope.enqueued_ns)
