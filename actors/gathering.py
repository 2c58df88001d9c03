"""What metrics takes from the buffers of hops and stages, as lines."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from actors.cell import Cell
from actors.hops import Hop, StageNotes
from actors.utc_offset import UtcOffset
from decisions.histogram import LatencyHistogram
from decisions.metric_lines import SCHEMA, HopLine, stage_line
from messages.ids import NS_PER_S, ActorPath


class Gathering:
    """Outlives the incarnations of metrics, whose thread alone calls it."""

    def __init__(self, cells: Mapping[ActorPath, Cell], stages: StageNotes) -> None:
        self._cells, self._stages = cells, stages
        self.nudge = stages.nudge
        self._encode = msgspec.json.Encoder().encode
        self._offset: UtcOffset | None = None
        self._dropped = 0
        self._before: dict[str, LatencyHistogram] = {}
        self._handled_before = 0
        self._at_ns = stages.now_ns()

    def waiting(self) -> int:
        """Give how many lines there would be, and let whoever has too many ask again."""
        self.nudge.coming()
        cells = list(self._cells.values())
        return self._stages.waiting() + sum(c.hops.waiting() for c in cells if c.hops is not None)

    def lines(self, utc_ns: Callable[[], int]) -> Iterator[bytes]:
        """Count and give all that waits."""
        if self._offset is None:
            self._offset = UtcOffset(utc_ns, self._stages.now_ns)
        offset_ns = self._offset.current_ns()
        for record in self._stages.take():
            yield self._encode(stage_line(record, offset_ns)) + b"\n"
        for path, cell in list(self._cells.items()):
            if cell.hops is not None:
                for hop in cell.hops.take():
                    yield self._encode(_line(path, hop, offset_ns)) + b"\n"

    def newly_dropped(self) -> int:
        """Give how many lines found a buffer full since this was last asked."""
        cells = list(self._cells.values())
        total = self._stages.dropped + sum(c.hops.dropped for c in cells if c.hops is not None)
        dropped, self._dropped = total - self._dropped, total
        return dropped

    def since(self) -> dict[str, Any]:
        """Give what came since this was last asked; an interval by itself."""
        now_ns, handled = self._stages.now_ns(), self._handled()
        stages = self._stages.fold.since(self._before)
        seconds = (now_ns - self._at_ns) / NS_PER_S
        told = {"handled": handled - self._handled_before, "seconds": seconds, "stages": stages}
        self._before = self._stages.fold.copies()
        self._handled_before, self._at_ns = handled, now_ns
        return told

    def _handled(self) -> int:
        return sum(cell.processed for cell in list(self._cells.values()))


def _line(path: ActorPath, hop: Hop, offset_ns: int) -> HopLine:
    ended_ns = hop.ended_ns + offset_ns
    return HopLine(
        actor=path,
        at_ns=ended_ns,
        client_order_ids=hop.client_order_ids,
        ended_ns=ended_ns,
        enqueued_ns=hop.enqueued_ns + offset_ns,
        every=hop.every,
        kind="message",
        outcome=hop.outcome,  # type: ignore[arg-type]  # of the words that a line may have
        reason=hop.reason,
        schema=SCHEMA,
        started_ns=hop.started_ns + offset_ns,
        trace_id=hop.trace_id,
        type=hop.kind,
    )
