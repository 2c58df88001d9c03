"""What outlives an actor's incarnations: its name, mailbox, counters and history."""

import sys
import threading
from collections.abc import Callable
from typing import Any

from actors.dead_letters import DeadLetter
from actors.envelope import Envelope
from actors.error_text import Clean, as_it_is, sentence_of, trace_of
from actors.hops import Hops
from actors.mailbox import Mailbox
from actors.mailbox_protocols import Timer
from decisions.histogram import LatencyHistogram
from decisions.supervisor import HangWatch
from messages.base import Message
from messages.errors import said_by
from messages.ids import ActorPath, Epoch, TimestampNs
from messages.lifecycle import ActorState, Exit, ExitReason
from messages.own_lines import line_of_stack


class Incarnation:
    """One life of a cell: what its Pykka actor and its supervisor share.

    `fenced` is set by whoever replaces it; from then on its sends and effects are void.
    """

    __slots__ = (
        "actor_ref",
        "begun_ns",
        "ending",
        "epoch",
        "error",
        "fenced",
        "gone",
        "may_wait_ns",
        "outcome",
        "place",
        "reading",
        "ready",
        "stuck",
        "thread",
        "timers",
    )

    def __init__(self, epoch: Epoch, begun_ns: int) -> None:
        self.epoch = epoch
        self.begun_ns = begun_ns
        """When it began, on the monotonic clock."""
        self.fenced = False
        self.ending = False
        """Whether it was asked to end in order: it is given what waits for it, and no more."""
        self.reading = False
        """Whether its thread waits in the mailbox, or is on its way from there to a hook."""
        self.actor_ref: Any = None
        self.thread: threading.Thread | None = None
        """What it runs on, once it runs; None where actors are stepped."""
        self.timers: list[Timer] = []
        self.ready = threading.Event()
        """Set when `on_start` returned or failed."""
        self.gone = threading.Event()
        """Set when the incarnation will handle nothing more."""
        self.stuck = threading.Event()
        self.outcome: ExitReason | None = None
        self.error = ""
        self.place: Callable[[], int] | None = None
        """Tells any thread how far it came in a message that holds much; None where none does."""
        self.may_wait_ns: int | None = 0
        """How long it may wait for the child that it starts or stops; None for ever, 0 for none."""

    @property
    def runs_on(self) -> bool:
        """Whether it may still execute, gone or not."""
        return self.thread is None or self.thread.is_alive()


class Stopping:
    """What a cell is handling while its actor's `stopping` runs."""


STOPPING = Stopping()


class StartFailed(Exception):
    """A child did not come up while its supervisor was starting: says which, and why."""


class Cell:
    """Written by its incarnation and its supervisor; read by health from any thread."""

    def __init__(
        self,
        path: ActorPath,
        mailbox: Mailbox,
        monotonic_ns: Callable[[], int],
        utc_ns: Callable[[], TimestampNs],
    ) -> None:
        self.path = path
        self.actor_class: type[Any] | None = None
        self.arguments: dict[str, Any] = {}
        self.mailbox = mailbox
        self.monotonic_ns = monotonic_ns
        self.utc_ns = utc_ns
        self.epoch = Epoch(0)
        self.state = ActorState.STOPPED
        self.state_since_ns = monotonic_ns()
        self.life: Incarnation | None = None
        self.supervisor: Mailbox | None = None
        self.on_exit: Callable[[Exit], None] | None = None
        self.latency = LatencyHistogram()
        self.hops: Hops | None = None
        """What messages go through here; None where nobody wants to know."""
        self.processed = 0
        self.handling: Any = None
        self.handling_since_ns = 0
        self.came_on_ns = 0
        """Since when it has been at one place of its message, as its supervisor saw at a look."""
        self.handling_enqueued_ns = monotonic_ns()
        """When the message being handled, or the last one handled, was queued."""
        self.progress_ns = monotonic_ns()
        self.progress_on: type | None = None
        """The message that the last useful work was done for; None before any."""
        self.progress_limit_ns: int | None = None
        self.hang_after_ns: int | None = None
        self.ends_for_good = False
        """Whether it is stopped with all above it, so that its supervisor is not started again."""
        self.restarts = 0
        self.restarts_in_window = 0
        self.restart_limit = 0
        self._abandoned: list[Incarnation] = []
        self.retry_at_ns: int | None = None
        """When a backoff is over."""
        self.own_file = ""
        """The file of a person's own code that runs here; its lines are named in errors."""
        self.last_error = ""
        self.last_traceback = ""
        self.last_error_at_ns: TimestampNs | None = None
        self.problem = ""
        self.clean: Clean = as_it_is
        """Takes secrets out of what an error says, before anybody is told."""

    def set_state(self, state: ActorState, problem: str = "") -> None:
        """Show what the cell does; `problem` is the sentence that health prints."""
        self.problem = problem  # before the state: who sees that looks for its reason
        self.state = state
        self.retry_at_ns = None
        self.state_since_ns = self.monotonic_ns()

    def new_actor(self) -> Any:
        """Make the actor of the next incarnation.

        Raises:
            LookupError: nobody said which actor lives here.
        """
        if self.actor_class is None:
            raise LookupError(f"no actor was given for {self.path}")
        return self.actor_class(**self.arguments)

    @property
    def is_parked(self) -> bool:
        """Whether its supervisor has halted it and no person has revived it since."""
        return self.state is ActorState.HALTED and self.mailbox.closed == "halted"

    @property
    def zombies(self) -> list[Incarnation]:
        """Incarnations that were given up while they executed, and still may."""
        return [life for life in self._abandoned if life.runs_on]

    def abandon(self, life: Incarnation) -> None:
        """Remember a life that was given up while it executed; whoever stops the cell alone."""
        self._abandoned = [*self.zombies, life]

    def next_life(self) -> Incarnation:
        """Begin an incarnation: a higher epoch, no timers, the mail that is kept."""
        life = Incarnation(Epoch(self.epoch + 1), self.monotonic_ns())
        # The epoch is shown last: who sees it sends again what was not finished, and that must
        # not be dropped with the mail of the life before.
        self.mailbox.begin_incarnation(life)
        if self.hops is not None:
            self.hops.begin_incarnation()
        self.life, self.epoch = life, life.epoch
        self.ends_for_good = False
        self.handling = None
        self.progress_ns = self.monotonic_ns()
        self.progress_on = None
        self.set_state(ActorState.STARTING)
        return self.life

    @property
    def lost(self) -> bool:
        """Whether the thread of the present incarnation ended without a word."""
        life = self.life
        return life is not None and not life.runs_on and not life.gone.is_set()

    def count_handled(self, envelope: Envelope, begun_ns: int, ended_ns: int) -> None:
        """Count a message that went well, and those that were drained to go with it."""
        drained = self.mailbox.drained
        for _ in range(drained):
            self.latency.append(ended_ns - begun_ns)
        self.latency.record(ended_ns - begun_ns)
        if self.hops is not None:
            self.hops.handled(envelope.message, envelope.enqueued_ns, begun_ns, ended_ns)
        self.processed += 1 + drained

    def show_handling(self, what: Any) -> None:
        """Show what is being handled from now on."""
        self.handling_since_ns = self.monotonic_ns()
        self.handling = what

    def count_given_up(self, message: Message, why: str, detail: str) -> DeadLetter:
        """Count the present message, whose incarnation was fenced; called by whoever fences it."""
        now_ns, begun_ns = self.monotonic_ns(), self.handling_since_ns
        self.latency.append(now_ns - begun_ns)
        times = (now_ns, self.handling_enqueued_ns, begun_ns)
        return DeadLetter(self.path, message, why, detail, *times)

    def count_failed(
        self, envelope: Envelope, begun_ns: int, ended_ns: int, outcome: str, error: BaseException
    ) -> None:
        """Count a message that did not go well: it took its time all the same."""
        self.latency.record(ended_ns - begun_ns)
        if self.hops is not None:
            times = (envelope.enqueued_ns, begun_ns, ended_ns)
            self.hops.failed(envelope.message, *times, outcome, error)

    def remember_error(self, error: BaseException) -> None:
        """Remember an error for health."""
        noted = getattr(error, "__notes__", ())
        notes = " ".join(f"({note})" for note in noted) if isinstance(noted, list) else ""
        name = "" if isinstance(error, StartFailed) else f"{type(error).__name__}: "
        told = sentence_of(f"{name}{said_by(error)}", self.clean)
        if notes:  # whose line it is, where that is known
            told += " " + sentence_of(notes, self.clean)
        self.last_traceback = trace_of(error, self.clean)
        self.last_error_at_ns = self.utc_ns()
        self.last_error = told  # last: who reads it at this moment has the rest already

    def end_life(self, life: Incarnation, reason: ExitReason, error: BaseException | None) -> None:
        """Say once that `life` is over; a fenced one has been spoken for already."""
        if life.outcome is not None or life.fenced:
            life.gone.set()
            life.ready.set()
            return
        life.outcome = reason
        life.error = self.last_error if error is not None else ""
        if life is self.life:
            self.handling = None
            self.set_state(ActorState.STOPPED, self.problem)
        notice = Exit(
            child=self.path,
            epoch=life.epoch,
            reason=reason,
            error_class=type(error).__name__ if error is not None else "",
            error=life.error,
            ts_ns=self.utc_ns(),
        )
        life.gone.set()
        life.ready.set()
        if self.supervisor is not None:
            self.supervisor.put(notice)
        if self.on_exit is not None:
            self.on_exit(notice)

    def hung_for_ns(self, now_ns: int) -> int:
        """How long it has been at the present message, or at one place of it; 0 when at none."""
        if self.handling is None:
            return 0
        return now_ns - max(self.handling_since_ns, self.came_on_ns)

    @property
    def hang_limit_ns(self) -> int | None:
        """How long it may be at one place of a message, with what it may wait for; None for ever.

        To be read before it is looked at: a wait that ends in between is another place.
        """
        wait_ns = 0 if self.life is None else self.life.may_wait_ns
        if self.hang_after_ns is None or wait_ns is None:
            return None
        return self.hang_after_ns + wait_ns

    def look(self, watch: HangWatch, now_ns: int) -> int:
        """Give the same as its supervisor sees it; to have come on is useful work."""
        since_ns = self.handling_since_ns if self.handling is not None else None
        place = self.life.place if self.life is not None else None
        hung_ns = watch.look(since_ns, now_ns, None if place is None else place())
        self.came_on_ns = now_ns - hung_ns
        if watch.came_on:
            self.progress_ns = now_ns
        return hung_ns

    def hung_at(self) -> str:
        """Give the line of the person's own file that its thread is at now, with a word before."""
        thread = self.life.thread if self.life is not None else None
        if thread is None or not self.own_file:
            return ""
        line = line_of_stack(sys._current_frames().get(thread.ident or 0), self.own_file)
        return f" at {line}" if line else ""

    def oldest_wait_ns(self, now_ns: int) -> int:
        """An upper bound for the age of the oldest waiting message; 0 when none waits.

        What waits came after the message that was taken last, and after the last moment at which
        nothing was known to wait. (Timers and control go before others, so right after one of
        these the bound is that one's.) Any thread; `now_ns` is read before the call.
        """
        mailbox = self.mailbox
        if not mailbox.depth():
            mailbox.empty_ns = now_ns
            return 0
        return max(now_ns - max(self.handling_enqueued_ns, mailbox.empty_ns), 0)

    def uptime_ns(self, now_ns: int) -> int:
        """How long the present incarnation lives; 0 when there is none."""
        life = self.life
        return 0 if life is None or life.gone.is_set() else now_ns - life.begun_ns
