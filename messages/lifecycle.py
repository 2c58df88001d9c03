"""What actors, supervisors and operators say about life, death and health."""

from enum import StrEnum
from typing import ClassVar

from messages.base import Delivery, Message, OnRestart, Overflow
from messages.ids import ActorPath, Epoch, TimestampNs

_CONTROL = Delivery(overflow=Overflow.GROW, control=True)
_FACT = Delivery(overflow=Overflow.GROW)


class ExitReason(StrEnum):
    """Why an incarnation ended; the first two are not failures."""

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    CRASHED = "crashed"
    INIT_FAILED = "init_failed"
    KILLED = "killed"
    """Did not stop in time, or hung: fenced off, its thread abandoned."""


class ActorState(StrEnum):
    """What a cell is doing, as `health` shows it."""

    STARTING = "starting"
    RUNNING = "running"
    RECONCILING = "reconciling"
    BACKOFF = "backoff"
    HUNG = "hung"
    HALTED = "halted"
    """Restarts exhausted or a fatal error: parked until a person acts."""
    STOPPED = "stopped"


class Exit(Message, kw_only=True, frozen=True):
    """An incarnation ended.

    Child -> its Supervisor, on the control lane. Never lost. A late one of a replaced
    incarnation is told by its epoch.
    """

    delivery: ClassVar[Delivery] = _CONTROL

    child: ActorPath
    epoch: Epoch
    reason: ExitReason
    error_class: str
    error: str
    ts_ns: TimestampNs


class TimerFired(Message, kw_only=True, frozen=True):
    """A timer that this actor set has come due.

    Runtime -> the actor itself. Lost with its incarnation: the next one sets its own.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP, overflow=Overflow.GROW)

    name: str


class Supervision(Message, kw_only=True, frozen=True):
    """A supervisor did something worth telling.

    Supervisor -> Metrics. Not lost while Metrics lives.
    """

    delivery: ClassVar[Delivery] = _FACT

    supervisor: ActorPath
    child: ActorPath
    event: str
    """``started``, ``exited``, ``backoff``, ``restarted``, ``hung``, ``halted``, ``gave_up``."""
    reason: str
    epoch: Epoch
    restarts_in_window: int
    ts_ns: TimestampNs


class GatherNow(Message, kw_only=True, frozen=True):
    """Much waits to be written: take it before the next round.

    Whoever notes what messages went through -> Metrics, on the control lane. May be lost: the
    next round takes it all the same.
    """

    delivery: ClassVar[Delivery] = _CONTROL


class HaltTrading(Message, kw_only=True, frozen=True):
    """No new orders from now on, until a person resumes.

    Operator, Gateway -> Executor. Never lost: a durable one is also in the ledger, and cancels
    what is open. One that is not durable leaves open orders as they are.
    """

    delivery: ClassVar[Delivery] = _CONTROL

    reason: str
    durable: bool
    """Whether it outlives the process; a venue that failed does not, an operator's word does."""
    request: str = ""
    """Names the answer for the person who ordered it; empty when nobody did."""


class InjectCrash(Message, kw_only=True, frozen=True):
    """Fail now: the rehearsal of a crash, between two messages.

    Operator, demo, tests -> any actor. May be lost.
    """

    delivery: ClassVar[Delivery] = _CONTROL

    reason: str


class InjectHang(Message, kw_only=True, frozen=True):
    """Hang now, until fenced: the rehearsal of a call that never returns.

    Operator, tests -> any actor. May be lost.
    """

    delivery: ClassVar[Delivery] = _CONTROL

    reason: str


class Ping(Message, kw_only=True, frozen=True):
    """Answer with your path: proof that the loop turns.

    Anyone -> any actor, by ask. May be lost: dropped at a restart, and by a full mailbox.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP)


class Inspect(Message, kw_only=True, frozen=True):
    """Say what you hold: a small table for a person.

    Operator -> any actor, by ask; before everything that waits. May be lost: dropped at a
    restart, and by a full mailbox.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP, control=True)


class Supervise(Message, kw_only=True, frozen=True):
    """Look after the children: hung ones, deadlines.

    Supervisor -> itself, by timer. May be lost.
    """

    delivery: ClassVar[Delivery] = _CONTROL


class RetryStart(Message, kw_only=True, frozen=True):
    """A backoff is over: start this child (and who follows it) again.

    Supervisor -> itself, by timer. Lost with its incarnation.
    """

    delivery: ClassVar[Delivery] = _CONTROL

    child: ActorPath
    attempt: int


class StartChild(Message, kw_only=True, frozen=True):
    """Add a child to a living supervisor, or revive a known one.

    Operator, tests -> Supervisor, by ask; answers a `ChildInfo`. Kept over a restart, however
    many wait; whoever asked is told when the Supervisor ends for good. `child` is the name of a
    spec that the supervisor was given, or of its template with `arguments`.
    """

    delivery: ClassVar[Delivery] = _CONTROL

    child: str
    arguments: tuple[str, ...] = ()


class RestartChild(Message, kw_only=True, frozen=True):
    """Start a terminated or halted child again; its restart count begins anew.

    Operator, tests -> Supervisor, by ask. Kept over a restart, however many wait; whoever asked
    is told when the Supervisor ends for good.
    """

    delivery: ClassVar[Delivery] = _CONTROL

    child: str


class TerminateChild(Message, kw_only=True, frozen=True):
    """Stop a child and keep its spec.

    Operator, tests -> Supervisor, by ask. Kept over a restart, however many wait; whoever asked
    is told when the Supervisor ends for good.
    """

    delivery: ClassVar[Delivery] = _CONTROL

    child: str


class DeleteChild(Message, kw_only=True, frozen=True):
    """Forget the spec of a terminated child.

    Operator, tests -> Supervisor, by ask. Kept over a restart, however many wait; whoever asked
    is told when the Supervisor ends for good.
    """

    delivery: ClassVar[Delivery] = _CONTROL

    child: str


class WhichChildren(Message, kw_only=True, frozen=True):
    """List the children in start order, each a `ChildInfo`.

    Anyone -> Supervisor, by ask. Kept over a restart, however many wait; whoever asked is told
    when the Supervisor ends for good.
    """

    delivery: ClassVar[Delivery] = _CONTROL


class ChildInfo(Message, kw_only=True, frozen=True):
    """One row of a supervisor's list.

    Supervisor -> whoever asked. Lost where they wait no longer: ask again.
    """

    child: str
    path: ActorPath
    state: ActorState
    epoch: Epoch
    is_supervisor: bool
    restarts_in_window: int
    problem: str = ""
