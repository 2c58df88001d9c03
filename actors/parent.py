"""What a supervisor does with its children: start them, stop them, tell of them.

When it does so is decided in `actors.supervisor`.
"""

from collections.abc import Callable, Iterator

from actors.actor import Actor, Reject
from actors.cell import Cell
from actors.children import Child, ChildSpec, SupervisorSpec
from actors.log import logger
from actors.spec_guard import guard
from decisions.supervisor import Restart, RestartWindow, Strategy
from messages.ids import NS_PER_MS
from messages.lifecycle import ActorState, ChildInfo, ExitReason, Supervision

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

    # ------------------------------------------------------------ starting, stopping

    def _cell_for(self, name: str, spec: ChildSpec) -> Cell:
        path = f"{self._cell.path}/{name}" if self._cell.path != "root" else name
        runtime = self.ctx.runtime
        cell = runtime.populate(path, spec.actor_class, spec.arguments, spec.capacity)
        cell.supervisor = self._cell.mailbox
        cell.hang_after_ns = spec.hang_after_ms * NS_PER_MS if spec.hang_after_ms else None
        cell.progress_limit_ns = spec.progress_ms * NS_PER_MS if spec.progress_ms else None
        return cell

    def _launch(self, child: Child, *, restarted: bool = False) -> str:
        """Start one child and wait; give the problem, empty when it is up."""
        child.waiting, child.retry = False, None
        child.live = True
        child.started_ns = self.ctx.monotonic_ns()
        limit_ns = child.spec.start_timeout_ms * NS_PER_MS
        result = self.ctx.runtime.start(child.cell, limit_ns, owner=self.ctx.life)
        if result.outcome is ExitReason.INIT_FAILED:
            child.live = False
            return result.problem
        child.cell.restarts += restarted
        self._tell("restarted" if restarted else "started", child, "")
        return ""

    def _terminate(self, child: Child) -> None:
        if child.live:
            child.live = False
            self.ctx.runtime.stop(child.cell, child.spec.shutdown_ns, drain=child.spec.drain)
        elif child.waiting:
            child.cell.set_state(ActorState.STOPPED)
        child.waiting, child.retry = False, None

    def _part_with(self, child: Child) -> None:
        """Close a child that does not come back by itself; forget it where OTP does."""
        self.ctx.runtime.close(child.cell, "ended")
        if child.spec.restart is Restart.TEMPORARY or self._is_dynamic:
            self.children.remove(child)

    def _stop_all(self) -> None:
        """Stop the children; their mail is kept if the supervisor above may restart this one.

        It is the one above that closes what does not come back. Dynamic children never do.
        """
        if self.ctx.fenced:
            return
        for child in self._take_down(self.children):
            if self._is_dynamic or self._cell.supervisor is None:
                self.ctx.runtime.close(child.cell, "stopped")

    def _take_down(self, children: list[Child]) -> Iterator[Child]:
        """Terminate them, last started first; give each before the next one's turn.

        Dynamic children do not need each other: they end side by side, and are given afterwards.
        """
        down = list(reversed(children))
        if self.spec.template is not None:
            self._terminate_together(down, self.spec.template)
        for child in down:
            self._terminate(child)
            yield child

    def _terminate_together(self, children: list[Child], template: ChildSpec) -> None:
        living = [child for child in children if child.live]
        for child in living:
            child.live = False
        cells = [child.cell for child in living]
        self.ctx.runtime.stop_together(cells, template.shutdown_ns, drain=template.drain)

    @property
    def _is_dynamic(self) -> bool:
        return self.spec.strategy is Strategy.SIMPLE_ONE_FOR_ONE

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
            is_supervisor=issubclass(child.spec.actor_class, Parent),
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
