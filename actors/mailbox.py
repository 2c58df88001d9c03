"""The queue of a cell: bounded, with a control lane, timers inside, and a policy per class.

It outlives the incarnations that read it. Order of service: control, due timers, what was
handed back, user. Underneath is a C-level queue; Pykka's own is four fifths of a tell's cost.
"""

import heapq
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from actors.dead_letters import DeadLetter, DeadLetters
from actors.envelope import Envelope
from messages.base import Message, OnRestart, Overflow
from messages.ids import NS_PER_MS, NS_PER_S, ActorPath


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


class Reader(Protocol):
    """The incarnation that reads; `fenced` turns True when it was replaced."""

    fenced: bool


WAKE = Envelope(None, None, 0)
"""A token that makes a waiting reader look at the other lanes again."""

FENCED = Envelope(None, None, 0)
"""What a replaced reader is given instead of a message."""


class Mailbox:
    """Any thread may `put`; only the cell's live incarnation may `take` or set timers."""

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
        self._dead_letters = dead_letters
        self._now = monotonic_ns
        self._user: Queue = queue if queue is not None else SimpleQueue()
        self._control: deque[Envelope] = deque()
        self._front: deque[Envelope] = deque()
        self._timers: list[tuple[int, int, Message, int]] = []
        self._timer_seq = 0
        self._conflated: dict[Any, Envelope] = {}
        self._by_class: dict[type, deque[Envelope]] = {}
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ putting

    def put(self, message: Any, reply_to: Any = None) -> bool:
        """Queue a message by the policy of its class; never blocks, never raises.

        Returns:
            False when the message ended as a dead letter instead.
        """
        if self.closed:
            return self._refuse(message, reply_to, self.closed)
        policy = message.delivery
        if policy.control:
            self._control.append(Envelope(message, reply_to, self._now()))
            self._user.put(WAKE)
            return True
        if policy.overflow is not Overflow.REJECT and policy.overflow is not Overflow.GROW:
            return self._put_replaceable(message, reply_to)
        depth = self._user.qsize()
        if depth >= self.capacity and policy.overflow is Overflow.REJECT:
            return self._refuse(message, reply_to, "full")
        if depth >= self.high_water:
            self.high_water = depth + 1
        self._user.put(Envelope(message, reply_to, self._now()))
        return True

    def put_stop(self, envelope: Envelope, *, drain: bool) -> None:
        """Queue Pykka's stop request: after what is queued, or before it."""
        if not drain:
            self._control.append(envelope)
            envelope = WAKE
        self._user.put(envelope)

    def _put_replaceable(self, message: Message, reply_to: Any) -> bool:
        with self._lock:
            if message.delivery.overflow is Overflow.CONFLATE:
                key = (type(message), message.conflation_key())
                waiting = self._conflated.get(key)
                if waiting is not None:
                    waiting.message = message
                    return True
                envelope = Envelope(message, reply_to, self._now())
                self._conflated[key] = envelope
            else:
                envelope = Envelope(message, reply_to, self._now())
                self._make_room(message)
                self._by_class.setdefault(type(message), deque()).append(envelope)
            self._user.put(envelope)
            self.high_water = max(self.high_water, self._user.qsize())
        return True

    def _make_room(self, message: Message) -> None:
        """Mark the oldest of the same class as dropped while the lane is full."""
        peers = self._by_class.get(type(message))
        live = self._user.qsize() - sum(1 for e in peers or () if e.dropped)
        if peers and live >= self.capacity:
            oldest = peers.popleft()
            oldest.dropped = True
            self._dead(oldest.message, oldest.reply_to, "oldest")

    def _refuse(self, message: Any, reply_to: Any, why: str) -> bool:
        self._dead(message, reply_to, why)
        return False

    def _dead(self, message: Any, reply_to: Any, why: str, detail: str = "") -> None:
        letter = DeadLetter(self.path, message, why, detail, self._now())
        self._dead_letters.add(letter, reply_to)

    # ------------------------------------------------------------------ taking

    def take(self, reader: Reader) -> Envelope:
        """Wait for the next message. `FENCED` when the reader was replaced meanwhile."""
        while True:
            envelope = self._ready(reader)
            if envelope is None:
                envelope = self._wait()
            if envelope is not None and (envelope := self._accept(envelope, reader)) is not None:
                return envelope

    def poll(self, reader: Reader) -> Envelope | None:
        """Take the next message if there is one now."""
        while True:
            envelope = self._ready(reader)
            if envelope is None:
                try:
                    envelope = self._user.get(False)
                except Empty:
                    return None
            assert envelope is not None
            if (accepted := self._accept(envelope, reader)) is not None:
                return accepted

    def _ready(self, reader: Reader) -> Envelope | None:
        """What goes before the user lane."""
        if reader.fenced:
            return FENCED
        if self._control:
            return self._control.popleft()
        if self._timers and self._timers[0][0] <= (now := self._now()):
            return self._pop_timer(now)
        if self._front:
            return self._front.popleft()
        return None

    def _wait(self) -> Envelope | None:
        if not self._timers:
            return self._user.get()  # type: ignore[no-any-return]
        wait_s = (self._timers[0][0] - self._now()) / NS_PER_S
        try:
            return self._user.get(True, max(wait_s, 0.0))  # type: ignore[no-any-return]
        except Empty:
            return None

    def _accept(self, envelope: Envelope, reader: Reader) -> Envelope | None:
        """Give the envelope back unless it is void; a fenced reader hands it on."""
        if envelope is WAKE:
            return None
        if reader.fenced:
            if envelope is not FENCED:
                self._front.append(envelope)
                self._user.put(WAKE)
            return FENCED
        message = envelope.message
        policy = getattr(message, "delivery", None)
        if policy is None:
            return envelope
        if policy.overflow is Overflow.CONFLATE or policy.overflow is Overflow.DROP_OLDEST:
            if envelope.dropped:
                return None
            self._release(envelope)
        if policy.ttl_ms is not None and self.ttl_enforced:
            age_ns = self._now() - envelope.enqueued_ns
            if age_ns > policy.ttl_ms * NS_PER_MS:
                self._dead(message, envelope.reply_to, "expired")
                return None
        return envelope

    def _release(self, envelope: Envelope) -> None:
        """Forget a replaceable envelope: from now on it is being handled."""
        with self._lock:
            message = envelope.message
            if message.delivery.overflow is Overflow.CONFLATE:
                self._conflated.pop((type(message), message.conflation_key()), None)
            else:
                peers = self._by_class.get(type(message))
                if peers and peers[0] is envelope:
                    peers.popleft()

    def drain(self, kind: type[Message], limit: int, reader: Reader) -> list[Any]:
        """Take up to `limit` more messages of one class from the head of the user lane.

        Stops at the first of another class, which stays next. Only for messages without
        an asker: an asked one also stays.
        """
        taken: list[Any] = []
        while len(taken) < limit and not self._control and not self._user.empty():
            try:
                envelope = self._front.popleft() if self._front else self._user.get(False)
            except Empty:
                break
            if envelope is WAKE:
                continue
            if type(envelope.message) is not kind or envelope.reply_to is not None:
                self._front.appendleft(envelope)
                break
            accepted = self._accept(envelope, reader)
            if accepted is FENCED:
                break
            if accepted is not None:
                taken.append(accepted.message)
        return taken

    # ------------------------------------------------------------------ timers

    def set_timer(self, due_ns: int, message: Message, every_ns: int = 0) -> None:
        """Deliver `message` at a monotonic moment, and again every `every_ns` if given."""
        self._timer_seq += 1
        heapq.heappush(self._timers, (due_ns, self._timer_seq, message, every_ns))

    def next_due_ns(self) -> int | None:
        """When the earliest timer fires, on the monotonic clock."""
        return self._timers[0][0] if self._timers else None

    def _pop_timer(self, now: int) -> Envelope:
        due_ns, _, message, every_ns = heapq.heappop(self._timers)
        if every_ns:
            self.set_timer(max(due_ns + every_ns, now), message, every_ns)
        return Envelope(message, None, due_ns)

    # ------------------------------------------------------------------ life

    def depth(self) -> int:
        """How many messages wait, timers apart. Any thread may ask."""
        return self._user.qsize() + len(self._front)

    def has_work(self) -> bool:
        """Whether `poll` would give something now."""
        due = self.next_due_ns()
        return bool(
            self._control
            or self._front
            or not self._user.empty()
            or (due is not None and due <= self._now())
        )

    def begin_incarnation(self) -> None:
        """Drop timers, and the queued messages whose class does not survive a restart."""
        self._timers = []
        kept: list[Envelope] = []
        for envelope in self._empty_user_lane():
            policy = getattr(envelope.message, "delivery", None)
            if policy is not None and policy.on_restart is OnRestart.DROP:
                self._dead(envelope.message, envelope.reply_to, "restart")
            elif policy is not None:
                kept.append(envelope)
        self._front.extend(kept)
        if kept or self._front or self._control:
            self._user.put(WAKE)

    def close(self, why: str) -> None:
        """Refuse everything from now on; what is queued becomes dead letters."""
        self.closed = why
        for envelope in [*self._control, *self._front, *self._empty_user_lane()]:
            if getattr(envelope.message, "delivery", None) is not None:
                self._dead(envelope.message, envelope.reply_to, why)
        self._control.clear()
        self._front.clear()

    def reopen(self) -> None:
        """Take messages again."""
        self.closed = ""

    def _empty_user_lane(self) -> list[Envelope]:
        found: list[Envelope] = []
        while True:
            try:
                envelope = self._user.get(False)
            except Empty:
                return found
            if envelope is not WAKE and not envelope.dropped:
                if getattr(envelope.message, "delivery", None) is not None:
                    self._forget(envelope)
                found.append(envelope)

    def _forget(self, envelope: Envelope) -> None:
        overflow = envelope.message.delivery.overflow
        if overflow in (Overflow.CONFLATE, Overflow.DROP_OLDEST):
            self._release(envelope)
