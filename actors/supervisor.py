"""The supervisor: OTP's rules on cells. Its decisions are in `decisions.supervisor`.

It starts its children from top to bottom, each only when the one before is up, and stops
them from bottom to top, each within its own time, dynamic ones all at once. What it waits
for blocks it, as in OTP; backoff does not: that is a timer in its own mailbox.
"""

from typing import Any, ClassVar

import msgspec

from actors.actor import Reject
from actors.cell import Cell, StartFailed
from actors.children import Child
from actors.parent import Parent
from actors.spec_guard import NAME
from decisions.supervisor import (
    OnExhausted,
    Restart,
    RestartWindow,
    affected,
    ends_supervisor,
    wants_restart,
)
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import (
    ActorState,
    ChildInfo,
    DeleteChild,
    Exit,
    ExitReason,
    RestartChild,
    RetryStart,
    StartChild,
    Supervise,
    TerminateChild,
    WhichChildren,
)

_HALTED_WITH_IT = "halted with it"


class Supervisor(Parent):
    """See the module. `on_event` is told of every exit, restart, hang and halt."""

    shutdown_ms: ClassVar[int | None] = None

    # ------------------------------------------------------------ the actor's life

    def started(self) -> None:
        """Start every child in order; if one fails, stop those before it and fail.

        One that is halted stays so: that this supervisor begins anew is no person's word.
        """
        self._cell.restart_limit = self.spec.intensity.max_restarts
        self._cell.restarts_in_window = 0
        for spec in self.spec.children:
            child = Child(spec, self._cell_for(spec.name, spec), self._look_ns)
            child.window = RestartWindow(self.spec.intensity)
            self.children.append(child)
        self._show_parked()
        for child in [child for child in self.children if not child.cell.is_parked]:
            problem = self._launch(child)
            if problem and self.spec.tolerant_start:
                self._tell("exited", child, f"{ExitReason.INIT_FAILED}: {problem}")
                self._restart(child, self._notice_of(child, problem))
            elif problem:
                raise StartFailed(f"{child.name}: {problem}")
        self.ctx.every(self._look_ns, Supervise())
        self.ctx.progress()  # a start may take longer than rounds may be waited for

    def _show_parked(self) -> None:
        """Show that this branch is halted, where one child halts all."""
        told = [child.cell.problem for child in self.children if child.cell.is_parked]
        if told and not self.spec.intensity_per_child:
            why = next((text for text in told if text != _HALTED_WITH_IT), _HALTED_WITH_IT)
            self._cell.set_state(ActorState.HALTED, why)

    @property
    def _look_ns(self) -> int:
        return self.spec.check_every_ms * NS_PER_MS

    def stopping(self) -> None:
        """Stop every child, last started first."""
        self._stop_all(for_good=self._ends_for_good)

    def crashed(self) -> None:
        """Stop every child: nobody would look after them."""
        self._stop_all()

    def receive(self, message: Any) -> Any:
        """Serve exits, timers and the questions of an operator."""
        match message:
            case Exit():
                return self._child_exited(message)
            case RetryStart():
                return self._retry(message)
            case Supervise():
                return self._look_after()
            case WhichChildren():
                return [self._info(child) for child in self.children]
            case StartChild():
                return self._add(message)
            case RestartChild():
                return self._revive(message.child)
            case TerminateChild():
                return self._terminate_by_name(message.child)
            case DeleteChild():
                return self._delete(message.child)
            case _:
                raise Reject(f"a supervisor does not take {type(message).__name__}")

    # ------------------------------------------------------------ exits

    def _child_exited(self, notice: Exit) -> None:
        child = next((c for c in self.children if c.cell.path == notice.child), None)
        if child is None or not child.live or child.cell.epoch != notice.epoch:
            return
        child.live = False
        self._tell("exited", child, f"{notice.reason}: {notice.error}".rstrip(": "))
        if wants_restart(child.spec.restart, notice.reason):
            self._restart(child, notice)
            return
        self._part_with(child)
        if child.spec.significant:
            self._after_significant()

    def _restart(self, child: Child, notice: Exit) -> None:
        """One more attempt, unless it is one too many or the error is fatal."""
        now_ns = self.ctx.monotonic_ns()
        why = self._why_no_more(child, notice)
        if why:
            self._give_up(child, why)
            return
        for other in self._take_down_with(child):
            if other.spec.restart is Restart.TEMPORARY:
                self._part_with(other)
        self._schedule(child, now_ns)

    def _take_down_with(self, child: Child) -> list[Child]:
        """Stop, last first, the siblings that go down with `child`; none that is halted."""
        others = [c for c in self._with(child) if c is not child and not c.cell.is_parked]
        for other in reversed(others):
            self._terminate(other)
            other.waiting = other.spec.restart is not Restart.TEMPORARY
        return others

    def _with(self, child: Child) -> list[Child]:
        """Give who goes down and comes back with `child`, itself included, in start order."""
        names = affected(self.spec.strategy, [c.name for c in self.children], child.name)
        return [c for c in self.children if c.name in names]

    def _schedule(self, child: Child, now_ns: int) -> None:
        lived_ns = now_ns - child.started_ns
        if lived_ns > self.spec.backoff.reset_after_ms * NS_PER_MS:
            child.attempt = 0
        child.attempt += 1
        child.waiting = True
        delay_ns = self.spec.backoff.delay_ns(child.attempt, self.ctx.rng)
        retry = child.retry = RetryStart(child=child.cell.path, attempt=child.attempt)
        if delay_ns == 0:
            self.ctx.after(0, retry)
            return
        seconds = delay_ns / NS_PER_S
        child.cell.set_state(ActorState.BACKOFF, f"restarts in {seconds:.1f} s")
        child.cell.retry_at_ns = now_ns + delay_ns
        self._tell("backoff", child, f"{seconds:.1f} s before restart {child.attempt}")
        self.ctx.after(delay_ns, retry)

    def _retry(self, retry: RetryStart) -> None:
        """Start the child and whoever waits behind it; a failure counts and tries again."""
        first = next((c for c in self.children if c.cell.path == retry.child), None)
        if first is None or first.retry is not retry:
            return
        for child in [c for c in self._with(first) if c.waiting]:
            problem = self._launch(child, restarted=True)
            if problem:
                notice = self._notice_of(child, problem)
                child.live = False
                self._tell("exited", child, f"{notice.reason}: {problem}")
                self._restart(child, notice)
                return

    # ------------------------------------------------------------ giving up

    def _give_up(self, child: Child, why: str) -> None:
        """Exhausted or fatal: park what failed, or end and let the one above decide."""
        halts = self.spec.on_exhausted is OnExhausted.HALT
        self._log.critical("{} gives up on {}: {}", self._cell.path, child.name, why)
        if not halts:
            self._tell("gave_up", child, why)
            self._cell.set_state(ActorState.STOPPED, f"gave up on {child.name}: {why}")
            self._stop_all(for_good=self._ends_for_good)
            self.ctx.stop(ExitReason.SHUTDOWN)
            return
        alone = self.spec.intensity_per_child
        for parked in self._take_down([child] if alone else self.children):
            self.ctx.runtime.close(parked.cell, "halted")
            parked.cell.set_state(ActorState.HALTED, why if parked is child else _HALTED_WITH_IT)
        if not alone:
            self._cell.set_state(ActorState.HALTED, why)
        self._tell("halted", child, why)
        if self.spec.on_halt is not None:
            self.spec.on_halt(child.name, why)

    def _after_significant(self) -> None:
        left = sum(1 for c in self.children if c.spec.significant and (c.live or c.waiting))
        if ends_supervisor(self.spec.auto_shutdown, significant_left=left):
            self._stop_all(for_good=self._ends_for_good)
            self.ctx.stop(ExitReason.SHUTDOWN)

    # ------------------------------------------------------------ looking after

    def _look_after(self) -> None:
        """Replace hung children; notice dead threads; tell of work that does not come."""
        self.ctx.progress()
        now_ns = self.ctx.monotonic_ns()
        for child in [c for c in self.children if c.live]:
            cell, limit_ns = child.cell, child.cell.hang_limit_ns
            hung_ns = cell.look(child.hang_watch, now_ns)
            is_hung = limit_ns is not None and hung_ns > limit_ns
            if is_hung and child.spec.replaces_hung:
                error = f"{_hung(cell, hung_ns)}; its thread is abandoned and fenced"
                self._tell("hung", child, error)
                self._replace(child, error)
                continue
            self._tell_hung(child, hung_ns if is_hung else 0)
            if cell.lost:
                self._replace(child, "its thread ended without a word")
            elif cell.progress_limit_ns is not None:
                self._judge_progress(child, now_ns)
        for child in self.children:
            window = child.window if self.spec.intensity_per_child else self.window
            self._show_window(child, window.count(now_ns))

    def _tell_hung(self, child: Child, hung_ns: int) -> None:
        """Tell once of one that is not replaced, and that it goes on."""
        was_told, child.is_told_hung = child.is_told_hung, bool(hung_ns)
        if hung_ns and not was_told:
            error = f"{_hung(child.cell, hung_ns)}; it is not replaced"
            self._note_error(child, error)
            self._tell("hung", child, error)
        elif was_told and not hung_ns:
            self._log.info("{} goes on", child.cell.path)

    def _note_error(self, child: Child, error: str) -> None:
        cell = child.cell
        cell.last_error_at_ns, cell.last_error = self.ctx.utc_ns(), error

    def _replace(self, child: Child, error: str) -> None:
        self._check_owner()
        cell = child.cell
        self._note_error(child, error)
        self.ctx.runtime.fence(cell, "poison", error)
        notice = msgspec.structs.replace(
            self._notice_of(child, error), reason=ExitReason.KILLED, error_class=""
        )
        self._child_exited(notice)

    def _judge_progress(self, child: Child, now_ns: int) -> None:
        limit_ns = child.cell.progress_limit_ns or 0
        late = now_ns - child.cell.progress_ns > limit_ns
        if late and not child.late:
            self._tell("no_progress", child, f"no useful work for {limit_ns / NS_PER_S:g} s")
        child.late = late

    # ------------------------------------------------------------ an operator's questions

    def _add(self, request: StartChild) -> ChildInfo:
        spec = self.spec.template
        if spec is None:
            return self._revive(request.child)
        if not NAME.allows(request.child):
            raise Reject(f"the name of a child must be {NAME.words}")
        if any(c.name == request.child for c in self.children):
            raise Reject(f"{request.child} is already started")
        if request.arguments:
            spec = spec.with_arguments(request.arguments)
        child = Child(spec, self._cell_for(request.child, spec), self._look_ns, request.child)
        child.window = RestartWindow(self.spec.intensity)
        problem = self._launch(child)
        if problem:
            child.cell.mailbox.close("ended")
            raise Reject(f"{request.child} did not start: {problem}")
        self.children.append(child)
        return self._info(child)

    def _revive(self, name: str) -> ChildInfo:
        child = self._find(name)
        if child.live or child.waiting:
            raise Reject(f"{name} is already running")
        if self._is_dynamic:
            raise Reject("children of a simple_one_for_one supervisor are not restarted by name")
        (child.window if self.spec.intensity_per_child else self.window).clear()
        child.attempt = 0
        was_halted = child.cell.state is ActorState.HALTED
        problem = self._launch(child, restarted=True)
        if problem:
            self.ctx.runtime.close(child.cell, "halted" if was_halted else "ended")
            if was_halted:
                child.cell.set_state(ActorState.HALTED, problem)
            raise Reject(f"{name} did not start: {problem}")
        if not any(c.cell.state is ActorState.HALTED for c in self.children):
            self._cell.set_state(ActorState.RUNNING)
        return self._info(child)

    def _terminate_by_name(self, name: str) -> None:
        """Stop it; who went down with it, and waits for its restart, comes back without it."""
        child = self._find(name)
        was_first = child.retry is not None
        self._terminate(child)
        behind = next((c for c in self._with(child) if c.waiting), None)
        self._part_with(child)
        if was_first and behind is not None:
            self._schedule(behind, self.ctx.monotonic_ns())

    def _delete(self, name: str) -> None:
        child = self._find(name)
        if self._is_dynamic:
            raise Reject("children of a simple_one_for_one supervisor have no spec to delete")
        if child.live or child.waiting:
            raise Reject(f"{name} is running; terminate it first")
        self.children.remove(child)


def _hung(cell: Cell, hung_ns: int) -> str:
    what, seconds = type(cell.handling).__name__, hung_ns / NS_PER_S
    return f"hung on {what} for {seconds:.1f} s{cell.hung_at()}"
