"""The shell that counts: folds what it is told, writes lines and the summary.

Nobody waits for it and it stands first in the start order, so it is the last to hear.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import msgspec

from actors.actor import Actor
from decisions.metrics import MetricsFold
from messages.alerts import AlertTold
from messages.ids import NS_PER_S
from messages.lifecycle import Supervision, TimerFired
from messages.market import FeedEnded, FeedGap, FeedReport, FeedState
from messages.orders import DuplicateFiltered, OrderUpdate, PriceMark

Accepts = (
    FeedReport
    | FeedGap
    | FeedEnded
    | FeedState
    | OrderUpdate
    | DuplicateFiltered
    | Supervision
    | PriceMark
    | AlertTold
)
INTERVAL = TimerFired(name="interval")

_KINDS: dict[type, str] = {
    OrderUpdate: "order",
    DuplicateFiltered: "order",
    Supervision: "supervision",
    FeedReport: "feed",
    FeedGap: "feed",
    FeedEnded: "feed",
    FeedState: "feed",
}


class LineWriter(Protocol):
    """Where metric lines go; see `persistence.lines`."""

    def write(self, line: bytes) -> None:
        """Append one line."""

    def flush(self) -> None:
        """Hand all lines to the operating system."""

    def close(self) -> None:
        """Flush and let go."""


class MetricsActor(Actor):
    """`fold` outlives the incarnations: what was counted stays counted.

    `describe` gives what only the process knows: actors, ledger states. `write_summary`
    replaces the file at once. Either may be left out; counting goes on.
    """

    gather_ms: ClassVar[int] = 20

    def __init__(
        self,
        *,
        fold: MetricsFold,
        open_lines: Callable[[], LineWriter] | None,
        write_summary: Callable[[bytes], None] | None,
        describe: Callable[[], dict[str, Any]],
        interval_s: float = 5.0,
        observe: Callable[[Any], object] | None = None,
    ) -> None:
        super().__init__()
        self._fold = fold
        self._open_lines = open_lines
        self._lines: LineWriter | None = None
        self._write_summary = write_summary
        self._describe = describe
        self._observe = observe
        self._interval_ns = int(interval_s * NS_PER_S)

    def started(self) -> None:
        """Open the lines' file and begin the interval."""
        self._lines = self._open_lines() if self._open_lines else None
        self.ctx.every(self._interval_ns, INTERVAL)

    def receive(self, message: Any) -> None:
        """Count one message; at the interval, write."""
        if isinstance(message, TimerFired):
            self._line({"kind": "interval", **self.summary()})
            self._flush()
            self.ctx.progress()
            return
        if isinstance(message, AlertTold):
            self._line({"kind": "alert", **_plain(message)})
            return
        if not isinstance(message, FeedGap | FeedState):
            self._fold.fold(message)
        if self._observe is not None:
            self._observe(message)
        kind = _KINDS.get(type(message))
        if kind is not None and self._lines is not None:
            self._line({"kind": kind, "message": message})

    def stopping(self) -> None:
        """Write the last summary after the last message."""
        self._flush()
        if self._lines is not None:
            self._lines.close()

    def crashed(self) -> None:
        """Let go of the lines' file; what was buffered is written."""
        if self._lines is not None:
            self._lines.close()

    def summary(self) -> dict[str, Any]:
        """Everything there is to say now."""
        return {"schema": 1, **self._fold.summary(), **self._describe()}

    def _line(self, fields: dict[str, Any]) -> None:
        if self._lines is not None:
            fields = {"schema": 1, "at_ns": self.ctx.utc_ns(), **fields}
            self._lines.write(msgspec.json.encode(fields, order="sorted") + b"\n")

    def _flush(self) -> None:
        if self._lines is not None:
            self._lines.flush()
        if self._write_summary is not None:
            text = msgspec.json.format(msgspec.json.encode(self.summary(), order="sorted"))
            self._write_summary(text + b"\n")


def _plain(alert: AlertTold) -> dict[str, Any]:
    fields = msgspec.structs.asdict(alert)
    del fields["ts_ns"]  # a line has the moment of its writing
    return fields
