"""What health says of an executor. One incarnation's, on its thread."""

from collections.abc import Callable

from actors.context import Context
from actors.exit_desk import ExitDesk
from actors.given_up import GivenUp
from actors.operator_board import Matter, OperatorBoard
from actors.order_desk import OrderDesk
from actors.orphans import Orphans
from actors.stops_shown import StopsShown
from messages.lifecycle import ActorState


class ExecutorHealth:
    """`venue_text` says what is wrong with the venue; where nothing is, what it is given."""

    def __init__(
        self,
        *,
        ctx: Context,
        board: OperatorBoard,
        desk: OrderDesk,
        stops: StopsShown,
        given_up: GivenUp,
        exits: ExitDesk,
        orphans: Orphans,
        venue_text: Callable[[str], str],
        venue_matters: Callable[[], dict[str, str]],
    ) -> None:
        self._ctx, self._board = ctx, board
        self._venue_text, self._venue_matters = venue_text, venue_matters
        self._desk, self._stops = desk, stops
        self._given_up, self._exits, self._orphans = given_up, exits, orphans
        board.open_stops = stops.count

    def show(self) -> None:
        """Let health say what is wrong with the venue; a halt has a reason of its own."""
        if self._ctx.fenced:
            return
        cell = self._ctx.cell
        self._board.stuck_stops = self._stops.stuck()
        if cell.state is ActorState.RECONCILING:
            cell.problem = self._venue_text(self.unsettled())
            return  # what it finds wrong is not known before all is settled
        problem = self.problem()
        self._board.matters = self._matters(has_problem=bool(problem))
        if cell.state is ActorState.RUNNING:
            cell.problem = self._venue_text(problem)

    def problem(self) -> str:
        """Say what a person must look at first; empty where there is nothing."""
        return (
            self._desk.doubled.problem()
            or self._desk.difference
            or self._desk.late.problem()
            or self._stops.problem()
            or self._exits.problem()
            or self._given_up.problem()
            or self._desk.asking.unanswered()
            or self._orphans.problem()
        )

    def _matters(self, *, has_problem: bool) -> tuple[Matter, ...]:
        """Give what a person must look at, stops apart. What asking may settle is none of it."""
        found = self._venue_matters()
        if has_problem:
            found |= {
                "doubled": self._desk.doubled.problem(),
                "order": self._desk.difference,
                "filled_late": self._desk.late.problem(),
                "still_held": self._exits.problem(),
                "not_ended": self._given_up.problem(),
                "not_traded": self._orphans.problem(),
            }
        if not found:
            return ()
        since = {one.kind: one.since_ns for one in self._board.matters}
        now_ns = self._ctx.monotonic_ns()
        return tuple(
            Matter(kind=kind, problem=said, since_ns=since.get(kind, now_ns))
            for kind, said in found.items()
            if said
        )

    def unsettled(self) -> str:
        """Say how many orders are to be settled, and what the venue says instead of an answer."""
        count, unanswered = len(self._desk.orders.unsettled), self._desk.asking.unanswered()
        return f"{count} orders to settle" + (f"; {unanswered}" if unanswered else "")
