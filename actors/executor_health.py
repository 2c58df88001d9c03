"""What health says of an executor. One incarnation's, on its thread."""

from collections.abc import Callable

from actors.cancel_desk import CancelDesk
from actors.context import Context
from actors.exit_desk import ExitDesk
from actors.operator_board import OperatorBoard
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
        cancels: CancelDesk,
        exits: ExitDesk,
        orphans: Orphans,
        venue_text: Callable[[str], str],
    ) -> None:
        self._ctx, self._board, self._venue_text = ctx, board, venue_text
        self._desk, self._stops = desk, stops
        self._cancels, self._exits, self._orphans = cancels, exits, orphans
        board.open_stops = stops.count

    def show(self) -> None:
        """Let health say what is wrong with the venue; a halt has a reason of its own."""
        if self._ctx.fenced:
            return
        cell = self._ctx.cell
        self._board.stuck_stops = self._stops.stuck()
        if cell.state is ActorState.RUNNING:
            cell.problem = self._venue_text(self.problem())
        elif cell.state is ActorState.RECONCILING:
            cell.problem = self._venue_text(self.unsettled())

    def problem(self) -> str:
        """Say what a person must look at first; empty where there is nothing."""
        return (
            self._desk.difference
            or self._desk.late.problem()
            or self._stops.problem()
            or self._exits.problem()
            or self._cancels.problem()
            or self._desk.asking.unanswered()
            or self._orphans.problem()
        )

    def unsettled(self) -> str:
        """Say how many orders are to be settled, and what the venue says instead of an answer."""
        count, unanswered = len(self._desk.orders.unsettled), self._desk.asking.unanswered()
        return f"{count} orders to settle" + (f"; {unanswered}" if unanswered else "")
