"""What a supervisor does with its children: start them, stop them, tell of them.

When it does so is decided in `actors.supervisor`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actors.actor import Actor, Reject
from actors.cell import Cell
from actors.children import Child, ChildSpec, SupervisorSpec
from actors.log import logger
from actors.spec_guard import guard
from decisions.supervisor import Restart, RestartWindow, Strategy, is_failure, wants_restart
from messages.errors import ActorUnavailable
from messages.ids import NS_PER_MS
from messages.lifecycle import ActorState, ChildInfo, Exit, ExitReason, Supervision

EventSink = Callable[[Supervision], object]


class Parent(Actor):
    """Has children. `on_event` is told of every exit, restart, hang and halt."""

    def __init__(self, spec: SupervisorSpec, on_event: EventSink | None = None) -> None:
        super().__init__()
        guard(spec)
        self.spec = spec
        self.children: list[Child] = []
        self.window = RestartWindow(spec.intensity)
        self._on_event = on_event
        self._log = logger.bind(actor=self._cell.path)
        self._steps = 0
        self._life.place = lambda: self._steps

    # ------------------------------------------------------------ starting, stopping

    def _cell_for(self, name: str, spec: ChildSpec) -> Cell:
        path = f"{self._cell.path}/{name}" if self._cell.path != "root" else name
        runtime = self.ctx.runtime
        cell = runtime.populate(path, spec.actor_class, spec.arguments, spec.capacity)
        cell.supervisor = self._cell.mailbox
        cell.hang_after_ns = spec.hang_after_ms * NS_PER_MS if spec.hang_after_ms else None
        cell.progress_limit_ns = spec.progress_ms * NS_PER_MS if spec.progress_ms else None
        return cell

    def _launch(
        self, child: Child, *, restarted: bool = False, within_ns: int | None = None
    ) -> str:
        """Start one child and wait; give the problem, empty when it is up."""
        child.waiting, child.retry = False, None
        child.live = True
        child.started_ns = self.ctx.monotonic_ns()
        limit_ns = child.spec.start_timeout_ms * NS_PER_MS
        if within_ns is not None:
            limit_ns = min(limit_ns, within_ns)
        with self._waiting(limit_ns):
            result = self.ctx.runtime.start(child.cell, limit_ns, owner=self.ctx.life)
        if result.outcome is ExitReason.INIT_FAILED:
            child.live = False
            return result.problem
        child.cell.restarts += restarted
        self._tell("restarted" if restarted else "started", child, "")
        return ""

    def _terminate(self, child: Child, *, for_good: bool = False) -> None:
        """Stop it, or its wait for a restart; `for_good` where nobody comes after it."""
        self._check_owner()
        child.cell.ends_for_good = for_good
        begun_ns = self.ctx.monotonic_ns()
        is_due, child.waiting, child.retry = child.waiting, False, None
        is_last, for_good = for_good, for_good and child.drains and not self._is_dynamic
        if child.live:
            child.live = False
            reason = self._stopped(child, child.spec.shutdown_ns)
            is_due = for_good and self._may_try_again(child, reason)
            if is_last and reason is ExitReason.KILLED and _is_branch(child):
                self._given_up_at_the_end(child)
        elif is_due:
            child.cell.set_state(ActorState.STOPPED)
        if for_good and is_due:
            self._finish(child, begun_ns)

    def _stopped(self, child: Child, limit_ns: int | None) -> ExitReason:
        """Stop it and say how it ended. One that has for ever has so until it counts as hung."""
        runtime, cell, drain = self.ctx.runtime, child.cell, child.spec.drain
        if limit_ns is None and cell.hang_after_ns is not None and child.spec.replaces_hung:
            return runtime.stop_while(cell, lambda: self._sees_coming_on(child), drain=drain)
        with self._waiting(limit_ns):
            return runtime.stop(cell, limit_ns, drain=drain)

    def _sees_coming_on(self, child: Child) -> bool:
        """Look at one that is stopped, as in a round: who does so comes on as well."""
        self._come_on()
        cell, limit_ns = child.cell, child.cell.hang_limit_ns
        hung_ns = cell.look(child.hang_watch, self.ctx.monotonic_ns())
        return not cell.lost and (limit_ns is None or hung_ns <= limit_ns)

    @contextmanager
    def _waiting(self, limit_ns: int | None) -> Iterator[None]:
        """Wait for a child that has so long: whoever looks at this one is to have that patience."""
        self.ctx.life.may_wait_ns = limit_ns
        self._come_on()
        try:
            yield
        finally:
            self._come_on()  # before the patience ends: who sees that it did sees this too
            self.ctx.life.may_wait_ns = 0

    def _come_on(self) -> None:
        """Be at another place of the message in hand."""
        self._steps += 1
        self.ctx.progress()
        if not self.ctx.fenced:
            self._cell.came_on_ns = self.ctx.monotonic_ns()

    def _check_owner(self) -> None:
        """Leave alone what a newer incarnation has started since this one was fenced.

        Raises:
            ActorUnavailable: it was.
        """
        if self.ctx.fenced:
            raise ActorUnavailable(f"the children of {self._cell.path} have a newer supervisor now")

    def _part_with(self, child: Child) -> None:
        """Close a child that does not come back by itself; forget it where OTP does."""
        self._check_owner()
        self.ctx.runtime.close(child.cell, "ended")
        if child.spec.restart is Restart.TEMPORARY or self._is_dynamic:
            self.children.remove(child)

    def _stop_all(self, *, for_good: bool = False) -> None:
        """Stop the children; their mail is kept if the supervisor above may restart this one.

        It is the one above that closes what does not come back. Dynamic children never do.
        """
        if self.ctx.fenced:
            return
        self._cell.ends_for_good |= for_good  # whoever watches is to know why its rounds end
        for child in self._take_down(self.children, for_good=for_good):
            if self._is_dynamic or self._cell.supervisor is None:
                self.ctx.runtime.close(child.cell, "stopped")

    def _take_down(self, children: list[Child], *, for_good: bool = False) -> Iterator[Child]:
        """Terminate them, last started first; give each before the next one's turn.

        Dynamic children do not need each other: they end side by side, and are given afterwards.
        """
        down = list(reversed(children))
        if self.spec.template is not None:
            self._terminate_together(down, self.spec.template)
        for child in down:
            self._terminate(child, for_good=for_good)
            yield child

    def _terminate_together(self, children: list[Child], template: ChildSpec) -> None:
        living = [child for child in children if child.live]
        for child in living:
            child.live = False
        cells = [child.cell for child in living]
        with self._waiting(template.shutdown_ns):
            self.ctx.runtime.stop_together(cells, template.shutdown_ns, drain=template.drain)

    @property
    def _is_dynamic(self) -> bool:
        return self.spec.strategy is Strategy.SIMPLE_ONE_FOR_ONE

    @property
    def _ends_for_good(self) -> bool:
        """Whether nobody starts this supervisor again once it has ended."""
        return self._cell.supervisor is None or self._cell.ends_for_good

    # ------------------------------------------------------------ the last mail

    def _may_try_again(self, child: Child, reason: ExitReason) -> bool:
        """Whether it failed while it was stopped, and may be started once more; that counts.

        One that overran its time has none left: what it had in hand is not done, or nobody was
        told of it.
        """
        if not is_failure(reason) or not wants_restart(child.spec.restart, reason):
            return False
        if reason is ExitReason.KILLED:
            self._given_up_at_the_end(child)
            return False
        error = child.cell.life.error if child.cell.life is not None else ""
        self._tell("exited", child, f"{reason}: {error}")
        why = self._why_no_more(child, self._notice_of(child, error, reason))
        if why:
            self._leave_undone(child, why)
        return not why

    def _given_up_at_the_end(self, child: Child) -> None:
        why = self._problem_of(child, ExitReason.KILLED)
        self._tell("exited", child, f"{ExitReason.KILLED}: {why}")
        self._leave_undone(child, why)

    def _finish(self, child: Child, begun_ns: int) -> None:
        """Start it now, for what waits for it, and stop it: all within the time of one stop.

        Also with an empty mailbox: what its last incarnation had in hand may be kept elsewhere,
        and answers may be on their way to it.
        """
        reason = ExitReason.INIT_FAILED
        problem = self._launch(child, restarted=True, within_ns=self._left_ns(child, begun_ns))
        if not problem:
            child.live = False
            left_ns = self._left_ns(child, begun_ns)
            with self._waiting(left_ns):
                reason = self.ctx.runtime.stop(child.cell, left_ns, drain=True)
            problem = self._problem_of(child, reason)
        if problem:
            self._tell("exited", child, f"{reason}: {problem}")
            self._leave_undone(child, problem)

    def _left_ns(self, child: Child, begun_ns: int) -> int | None:
        """Give how much of the time for its stop is left; None where it may take for ever."""
        limit_ns = child.spec.shutdown_ns
        spent_ns = self.ctx.monotonic_ns() - begun_ns
        return None if limit_ns is None else max(limit_ns - spent_ns, 0)

    def _problem_of(self, child: Child, reason: ExitReason) -> str:
        if not is_failure(reason):
            return ""
        if reason is ExitReason.KILLED:
            return "it did not end in time"
        return child.cell.last_error

    def _leave_undone(self, child: Child, why: str) -> None:
        """Halt it: what waited for it is lost to this process, and whoever looks is to know."""
        text = (
            f"{child.name} failed at the end, and what waited for it is not done; "
            f"the next start settles what is open: {why}"
        )
        self._log.critical("{}", text)
        child.cell.set_state(ActorState.HALTED, text)
        self._tell("halted", child, why)

    # ------------------------------------------------------------ one attempt more

    def _why_no_more(self, child: Child, notice: Exit) -> str:
        """Count an attempt to start it again; say why it is not to be made, empty where it is."""
        now_ns = self.ctx.monotonic_ns()
        if notice.error_class in self.spec.fatal_errors:
            return f"{notice.error} (a restart cannot mend it)"
        if notice.error_class in self.spec.passing_errors:
            return ""
        window = child.window if self.spec.intensity_per_child else self.window
        within = window.add(now_ns)
        self._show_window(child, window.count(now_ns))
        if within:
            return ""
        limit = self.spec.intensity
        used_up = f"{limit.max_restarts} restarts in {limit.window_s:g} s used up"
        return f"{used_up}; last: {notice.error or notice.reason}"

    def _notice_of(
        self, child: Child, problem: str, reason: ExitReason = ExitReason.INIT_FAILED
    ) -> Exit:
        """Give the notice of a failure that nobody else tells; `problem` begins with its class."""
        kind, _, _ = problem.partition(":")
        return Exit(
            child=child.cell.path,
            epoch=child.cell.epoch,
            reason=reason,
            error_class=kind,
            error=problem,
            ts_ns=self.ctx.utc_ns(),
        )

    def _show_window(self, child: Child, count: int) -> None:
        # The attempt that was one too many is no restart: none came of it.
        child.cell.restart_limit = self.spec.intensity.max_restarts
        child.cell.restarts_in_window = min(count, child.cell.restart_limit)

    # ------------------------------------------------------------ telling

    def _find(self, name: str) -> Child:
        for child in self.children:
            if child.name == name:
                return child
        raise Reject(f"{self._cell.path} has no child {name}")

    def _info(self, child: Child) -> ChildInfo:
        return ChildInfo(
            child=child.name,
            path=child.cell.path,
            state=child.cell.state,
            epoch=child.cell.epoch,
            is_supervisor=_is_branch(child),
            restarts_in_window=child.cell.restarts_in_window,
            problem=child.cell.problem,
        )

    def _tell(self, event: str, child: Child, reason: str) -> None:
        if event != "started":
            orderly = event == "restarted" or reason in (ExitReason.NORMAL, ExitReason.SHUTDOWN)
            level = "INFO" if orderly else "WARNING"
            self._log.log(level, "{} {} {}", child.cell.path, event, reason)
        if self._on_event is not None and not self.ctx.fenced:
            self._on_event(
                Supervision(
                    supervisor=self._cell.path,
                    child=child.cell.path,
                    event=event,
                    reason=reason,
                    epoch=child.cell.epoch,
                    restarts_in_window=child.cell.restarts_in_window,
                    ts_ns=self.ctx.utc_ns(),
                )
            )


def _is_branch(child: Child) -> bool:
    return issubclass(child.spec.actor_class, Parent)
