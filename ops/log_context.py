"""What a log line is about when it does not say so: the actor on whose thread it was written."""

from collections.abc import Mapping

from actors.cell import Cell
from actors.runtime import CURRENT_ASKER
from messages.base import Message
from messages.ids import ActorPath


class LogContext:
    """Asked for each line, on the thread that logs; `cells` is set once there are some."""

    def __init__(self) -> None:
        self.cells: Mapping[ActorPath, Cell] = {}

    def fields(self) -> dict[str, str]:
        """Give the actor, and the trace id of the message that it handles."""
        path = CURRENT_ASKER.get()
        if path is None:
            return {}
        cell = self.cells.get(path)
        message = None if cell is None else cell.handling
        trace = message.trace_id() if isinstance(message, Message) else None
        return {"actor": path} if trace is None else {"actor": path, "trace_id": trace}
