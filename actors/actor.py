"""The base of every actor: Pykka's four hooks sealed, so that no death goes unseen.

Pykka alone misses failures of `on_start` and `on_stop`, lets an actor live on after an
exception in an ask, and stops every actor of the process on a BaseException. Here each of
these becomes one `Exit` notice on the supervisor's control lane.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, ClassVar, final

import pykka

from actors.cell import STOPPING
from actors.context import Context
from actors.envelope import Envelope, Fact, Told
from actors.inbox import Inbox
from actors.inspection import inspected
from actors.mailbox import FENCED
from actors.runtime import CURRENT_ASKER, SPAWNING
from decisions.histogram import FOLD_AT
from decisions.stages import ERROR, REJECTED
from messages.errors import ActorCrashed, WatchkeeperError
from messages.lifecycle import (
    ActorState,
    ExitReason,
    InjectCrash,
    InjectHang,
    Inspect,
    Ping,
    TimerFired,
)


class Reject(WatchkeeperError):
    """Raised by a handler to refuse a message without dying of it.

    Whoever asked gets it; a message that was told becomes a dead letter.
    """


class _Fenced(Exception):
    """The incarnation was replaced while it handled a message: nothing it did counts."""


class StuckInHandler(BaseException):
    """How a stepped actor hangs: it leaves its handler and is never scheduled again."""


class Actor(pykka.ThreadingActor):
    """Override `started`, `receive`, `stopping`; reach the world through `self.ctx`.

    Everything but `__init__` runs in the actor's own thread (or step), one message at a
    time. An exception in `started` or `receive`, asked or told, ends the incarnation.
    """

    use_daemon_thread: ClassVar[bool] = True
    gather_ms: ClassVar[int] = 0
    """How long messages may wait for others, so that one wake-up serves them all.

    For an actor that is told much and never waited for: each wake-up takes the interpreter
    from one that is. Threads only; an order to stop does not wait.
    """

    def __init__(self) -> None:
        super().__init__()
        cell, life, runtime = SPAWNING.get()
        self._cell = cell
        self._life = life
        self.ctx = Context(cell, life, runtime)
        self._inbox: Inbox = self.actor_inbox  # type: ignore[assignment]  # Pykka calls it a queue
        self._now = cell.monotonic_ns
        self._failure: BaseException | None = None
        self._has_let_go = False
        self._inbox.handle_plain = self._handle_plain

    # ------------------------------------------------------------ for subclasses

    def started(self) -> None:
        """Prepare, before the first message. If this raises, the start has failed."""

    def receive(self, message: Any) -> Any:
        """Handle one message; what is returned answers an ask."""

    def stopping(self) -> None:
        """Leave things in order, after the last message of an orderly stop."""

    def inspect(self) -> dict[str, Any]:
        """Give a few things that a person may want to know of its state; plain values."""
        return {}

    def crashed(self) -> None:
        """Let go of what the next incarnation needs; the state is not to be trusted.

        After a failure in any hook, and when a fenced incarnation has come back to itself.
        """

    # ------------------------------------------------------------ sealed

    @staticmethod
    def _create_actor_inbox() -> Any:
        cell, life, _ = SPAWNING.get()
        return Inbox(cell.mailbox, life)

    def _start_actor_loop(self) -> None:
        if self.ctx.runtime.threaded:
            super()._start_actor_loop()

    @final
    def on_start(self) -> None:
        """Sealed: use `started`."""
        if self.ctx.runtime.threaded:
            self._life.thread = threading.current_thread()
            CURRENT_ASKER.set(self._cell.path)
        if self.ctx.fenced:
            pykka.ActorRegistry.unregister(self.actor_ref)
            self.actor_stopped.set()
            self._has_let_go = True  # of what it never took
            return
        try:
            self.started()
        except StuckInHandler:
            return
        except BaseException as error:
            self._fail(error)
            self._cell.end_life(self._life, ExitReason.INIT_FAILED, error)
            raise ActorCrashed(f"{self._cell.path} failed to start") from error
        if self._life.fenced:
            self.let_go()
            return
        if self._cell.state is ActorState.STARTING:
            self._cell.set_state(ActorState.RUNNING)
        self._life.ready.set()

    def _handle_plain(self) -> Envelope | None:
        """Handle told messages one after another: what `on_receive` does when all goes well.

        Give the message that failed, which then fails once more where Pykka sees it; None when
        something other than a told message is due, or may be. One loop with local names, since
        it runs for every message there is.
        """
        cell, inbox, now = self._cell, self._inbox, self._now
        life: Any = self._life  # others fence it at any moment
        mailbox = cell.mailbox
        control, front, take, waiting = mailbox.lanes()
        timers, receive, latency = life.timers, self.receive, cell.latency
        record, handled, ended_ns = latency.append, 0, 0
        hops = cell.hops
        waited, due = (None, 0) if hops is None else (hops.waits.append, hops.due)
        stop = FOLD_AT if hops is None else min(FOLD_AT, due)
        # Who waits in `take` could do nothing else, and what a timer says may be due first.
        stepped = inbox.stepped
        looks = stepped or mailbox.gather_s
        while not (control or front or life.fenced):
            if (timers or looks) and (
                not waiting()
                or (timers and timers[0][0] <= (ended_ns or now()))
                or (stepped and inbox.grant <= 0)
            ):
                break
            envelope: Envelope = take()
            kind = type(envelope)
            if (kind is not Told and kind is not Fact) or life.fenced:
                mailbox.keep(envelope, life)
                break
            inbox.grant -= 1
            inbox.current = envelope
            cell.handling_enqueued_ns = queued_ns = envelope.enqueued_ns
            # What waited already begins where the last one ended: a clock costs too.
            begun_ns = cell.handling_since_ns = ended_ns if queued_ns < ended_ns else now()
            cell.handling = message = envelope.message
            life.reading = False
            try:
                if kind is Fact:
                    mailbox.note_taken(envelope)
                receive(message)
            except BaseException as error:  # noqa: BLE001 - raised again where Pykka sees it
                self._failure = error
                return envelope
            if life.fenced:
                self._failure = _Fenced()
                return envelope
            ended_ns = now()
            if kind is Fact and (hops is not None or mailbox.drained):
                if hops is not None:
                    hops.due = due - handled
                cell.count_handled(envelope, begun_ns, ended_ns)
                if hops is not None:
                    due = hops.due + handled
                cell.handling = None
                life.reading = True
                continue
            record(ended_ns - begun_ns)
            handled += 1
            if waited is not None:
                waited(begun_ns - queued_ns)
            if handled >= stop:
                latency.fold_when_full()
                stop = handled + FOLD_AT
                if hops is not None:
                    hops.waits.fold_when_full()
                    if handled == due:
                        due += hops.every
                        hops.sampled(message, queued_ns, begun_ns, ended_ns)
                    stop = min(stop, due)
            cell.processed += 1
            cell.handling = None
            life.reading = True
        latency.fold_when_full()
        if hops is not None:
            hops.due = due - handled
            hops.waits.fold_when_full()
        return None

    @final
    def on_receive(self, message: Any) -> Any:
        """Sealed: use `receive`."""
        life = self._life
        failure, self._failure = self._failure, None
        if life.fenced:
            return self._not_handled() if failure is None else self._came_back()
        cell = self._cell
        envelope = self._inbox.current
        cell.handling_enqueued_ns = envelope.enqueued_ns
        # What has failed on the plain road began there.
        begun_ns = cell.handling_since_ns = (
            self._now() if failure is None else cell.handling_since_ns
        )
        cell.handling = message
        life.reading = False
        cell.mailbox.drained = 0
        try:
            answer = self._handler_of(message, failure)(message)
        except StuckInHandler:
            self._inbox.detach()
            return None
        except BaseException as error:
            if self.ctx.fenced:
                return self._came_back()
            outcome = REJECTED if isinstance(error, Reject) else ERROR
            cell.count_failed(envelope, begun_ns, self._now(), outcome, error)
            if isinstance(error, Reject):
                return self._rejected(envelope, error)
            self._poisoned(envelope, error)
            raise ActorCrashed(f"{cell.path} failed on {type(message).__name__}") from error
        if self.ctx.fenced:
            return self._came_back()
        cell.count_handled(envelope, begun_ns, self._now())
        cell.handling = None
        return answer

    @final
    def on_failure(
        self,
        exception_type: type[BaseException] | None,  # noqa: ARG002 - Pykka's signature
        exception_value: BaseException | None,
        traceback: TracebackType | None,  # noqa: ARG002 - Pykka's signature
    ) -> None:
        """Sealed: the supervisor is told."""
        cause = getattr(exception_value, "__cause__", None) or exception_value
        if not self._life.fenced:
            self._cell.show_handling(STOPPING)
        self.let_go()
        self._cell.end_life(self._life, ExitReason.CRASHED, cause)

    @final
    def on_stop(self) -> None:
        """Sealed: use `stopping`."""
        self._life.reading = False
        if self._life.fenced:
            return
        reason, problem = self.ctx.stop_reason, None
        self._cell.show_handling(STOPPING)
        try:
            self.stopping()
            self._has_let_go = True
        except StuckInHandler:
            return
        except BaseException as error:  # noqa: BLE001 - the firewall: it becomes an Exit
            self._fail(error)
            reason, problem = ExitReason.CRASHED, error
        self._cell.end_life(self._life, reason, problem)

    @final
    def _actor_loop_teardown(self) -> None:
        """Let go where Pykka's loop saw the fence first: nothing is handed to it any more."""
        super()._actor_loop_teardown()
        if self._life.fenced and not self._has_let_go:
            self.let_go()

    def _fail(self, error: BaseException) -> None:
        if not self._life.fenced:
            self._cell.remember_error(error)
        self.let_go()

    def let_go(self) -> None:
        """Give the next incarnation what it needs; whatever that raises is of no use to anybody."""
        self._has_let_go = True
        with suppress(BaseException):
            self.crashed()

    def _came_back(self) -> None:
        """Fenced while it handled: what it answers is void, and whoever asked is told so."""
        self._inbox.fail(ActorCrashed(f"{self._cell.path} was given up"))
        self.let_go()

    def _not_handled(self) -> None:
        """Fenced with a message in hand, and perhaps an asker: the next incarnation's."""
        if self._inbox.current is not FENCED:
            self._cell.mailbox.hand_on(self._inbox.part_with())
        self._life.reading = False
        self.let_go()

    def _rejected(self, envelope: Envelope, error: Reject) -> None:
        """Tell whoever asked; when nobody did, the message is a dead letter."""
        self._cell.handling = None
        if envelope.reply_to is not None:
            raise error
        self.ctx.dead_letter(envelope.message, "rejected", str(error))

    def _handler_of(self, message: Any, failure: BaseException | None) -> Callable[[Any], Any]:
        if failure is not None:
            return _raising(failure)
        return self._built_in if type(message) in BUILT_IN else self.receive

    def _built_in(self, message: Any) -> Any:
        match message:
            case InjectCrash(reason=reason):
                raise ActorCrashed(f"crash injected: {reason}")
            case InjectHang():
                return self.ctx.block_forever()
            case Inspect():
                return inspected(self)
            case _:
                return self._cell.path

    def _poisoned(self, envelope: Envelope, error: BaseException) -> None:
        """Answer whoever asked, then let Pykka take the failure path as for a tell."""
        self._cell.remember_error(error)
        if type(envelope.message) not in _MISSED_BY_NOBODY:
            self.ctx.dead_letter(envelope.message, "poison", self._cell.last_traceback)
        if envelope.reply_to is not None:
            problem = ActorCrashed(f"{self._cell.path}: {self._cell.last_error}")
            problem.__cause__ = error
            envelope.reply_to.set_exception((ActorCrashed, problem, None))
            envelope.reply_to = None


BUILT_IN = frozenset({InjectCrash, InjectHang, Inspect, Ping})
"""What every actor answers by itself. None is plain or of those that may never be lost, so none
comes as `Told` or `Fact`."""


_MISSED_BY_NOBODY = (InjectCrash, TimerFired)


def _raising(failure: BaseException) -> Callable[[Any], Any]:
    """Give a handler that fails as the message's own handling did, where Pykka sees it."""

    def fail(_: Any) -> Any:
        raise failure

    return fail
