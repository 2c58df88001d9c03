"""The shell that counts: folds what it is told, writes lines and the summary.

Nobody waits for it and it stands first in the start order, so it is the last to hear.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, ClassVar, Protocol

import msgspec

from actors.actor import Actor
from actors.gathering import Gathering
from actors.hops import MUCH
from actors.log import logger
from decisions.metric_lines import SCHEMA
from decisions.metrics import MetricsFold
from messages.alerts import AlertTold
from messages.catalogue import AnyMessage
from messages.codec import to_json
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import GatherNow, Supervision, TimerFired
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
    | GatherNow
)
INTERVAL = TimerFired(name="interval")
GATHER = TimerFired(name="gather")
GATHER_ON = TimerFired(name="gather_on")
GATHER_NS = NS_PER_S
TURN = 16
"""Lines that are made in one turn of the interpreter, some 0.15 ms: an order waits for no more."""
TURNS = 64
"""Where more waits than this many turns would make, a turn makes this part of it."""
PAUSE_NS = NS_PER_MS
"""What others have between two turns."""

_encode = msgspec.json.Encoder(order="sorted").encode

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
    """Where metric lines go; see `persistence.lines`. A disk that refuses raises nothing."""

    written: int
    dropped: int
    problem: str

    def write(self, line: bytes) -> None:
        """Append one line."""

    def flush(self) -> None:
        """Hand all lines to the operating system."""

    def close(self) -> None:
        """Flush and let go."""


class MetricsActor(Actor):
    """`fold` outlives the incarnations: what was counted stays counted.

    `describe` gives what only the process knows: actors, ledger states. `write_summary`
    replaces the file at once. Either may be left out; counting goes on. `settle` waits a little,
    before the last summary, for what is still being counted.
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
        gathering: Gathering | None = None,
        settle: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self._fold = fold
        self._open_lines = open_lines
        self._lines: LineWriter | None = None
        self._write_summary = write_summary
        self._describe = describe
        self._observe = observe
        self._gathering, self._settle = gathering, settle
        self._gathered: Iterator[bytes] | None = None
        """What is left of a gathering that goes on."""
        self._is_set = False
        """Whether a timer is, for its next turn."""
        self._has_much = False
        """Whether more has come meanwhile than may wait for the next."""
        self._is_due = False
        """Whether an interval ends with it."""
        self._interval_ns = int(interval_s * NS_PER_S)

    def started(self) -> None:
        """Open the lines' file and begin the interval."""
        self._lines = self._open_lines() if self._open_lines else None
        self.ctx.every(self._interval_ns, INTERVAL)
        if self._gathering is None:
            return
        self._gathering.nudge.ask = partial(self.ctx.cell.mailbox.put, GatherNow())
        if self._interval_ns > GATHER_NS:
            self.ctx.every(GATHER_NS, GATHER)

    def receive(self, message: Any) -> None:
        """Count one message; at the interval, write."""
        kind = _KINDS.get(type(message))
        if kind is None and isinstance(message, (TimerFired, GatherNow)):
            self._wake(message)
            return
        if kind is None and isinstance(message, AlertTold):
            if self._lines is not None:
                self._lines.write(alert_line(message, self.ctx.utc_ns()))
            return
        if kind != "feed" or not isinstance(message, (FeedGap, FeedState)):
            self._fold.fold(message)
        if self._observe is not None:
            self._observe(message)
        if kind is not None and self._lines is not None:
            self._line({"kind": kind, "message": _in_json(message)})

    def _interval(self) -> None:
        since = {} if self._gathering is None else {"since": self._gathering.since()}
        told = self.summary()
        self._line({"kind": "interval", **told, **since})
        self._flush(told)

    def _wake(self, message: TimerFired | GatherNow) -> None:
        """Begin a gathering or go on with one."""
        self._is_due |= message == INTERVAL
        if message == GATHER_ON:
            self._is_set = False
            if self._gathered is None and not self._has_much:
                return
        elif self._is_set and not isinstance(message, GatherNow):
            return  # it goes on in a millisecond
        self._gather()

    def _gather(self, *, at_once: bool = False) -> None:
        """Take some of what the actors have noted, or all; the more waits, the more in a turn."""
        if self._gathering is not None:
            waiting = self._gathering.waiting()
            most = None if at_once else max(TURN, waiting // TURNS)
            gathered = None if at_once else self._gathered
            gathered = gathered or self._gathering.lines(self.ctx.utc_ns)
            count = self._write(islice(gathered, most))
            self._gathered = gathered if count == most else None
            self._has_much = waiting - count >= MUCH
            goes_on = self._gathered is not None or self._has_much
            if goes_on and not at_once and not self._is_set:
                self._is_set = True
                self.ctx.after(PAUSE_NS, GATHER_ON)
            if self._gathered is not None:
                return
            self._fold.keeping.dropped_lines += self._gathering.newly_dropped()
        if self._is_due:
            self._is_due = False
            self._interval()
            self.ctx.progress()

    def _write(self, lines: Iterator[bytes]) -> int:
        count = 0
        for count, line in enumerate(lines, 1):  # noqa: B007 - how many there were
            if self._lines is not None:
                self._lines.write(line)
        return count

    def stopping(self) -> None:
        """Write the last summary after the last message."""
        self._is_due = False
        self._gather(at_once=True)
        if self._settle is not None:
            self._settle()
        if self._lines is not None:
            self._lines.close()
        self._flush(self.summary())

    def crashed(self) -> None:
        """Let go of the lines' file; what was buffered is written."""
        if self._lines is not None:
            self._lines.close()
            self._take_over_counts()

    def summary(self) -> dict[str, Any]:
        """Everything there is to say now."""
        return _summary(self._fold, self._describe())

    def _take_over_counts(self) -> None:
        """Add what the file counted since the last time: the fold outlives both."""
        lines, keeping = self._lines, self._fold.keeping
        if lines is not None:
            keeping.lines += lines.written
            keeping.dropped_lines += lines.dropped
            lines.written = lines.dropped = 0
        keeping.problem = "" if lines is None else lines.problem

    def _log_problem(self, was: str) -> None:
        problem = self._fold.keeping.problem
        self.ctx.cell.problem = f"metrics are not kept: {problem}" if problem else ""
        if problem and not was:
            logger.bind(actor=self.ctx.path).warning("metrics are not kept: {}", problem)
        elif was and not problem:
            logger.bind(actor=self.ctx.path).info("metrics are kept again")

    def _line(self, fields: dict[str, Any]) -> None:
        if self._lines is not None:
            self._lines.write(_line_of(fields, self.ctx.utc_ns()))

    def _flush(self, told: dict[str, Any]) -> None:
        """Hand over the lines and write the summary, with how the keeping went until now."""
        if self._lines is not None:
            self._lines.flush()
        was = self._fold.keeping.problem
        self._take_over_counts()
        if self._write_summary is not None:
            told = {**told, "metrics": msgspec.structs.asdict(self._fold.keeping)}
            try:
                self._write_summary(_text_of(told))
            except OSError as error:  # a full disk stops metrics, never trading
                self._fold.keeping.problem = f"metrics_summary.json: {error.strerror or error}"
        self._log_problem(was)


def alert_line(alert: AlertTold, at_ns: int) -> bytes:
    """Give an alert as a line, written at this moment."""
    fields = msgspec.structs.asdict(alert)
    del fields["ts_ns"]  # a line has the moment of its writing
    return _line_of({"kind": "alert", **fields}, at_ns)


def summary_text(fold: MetricsFold, described: dict[str, Any]) -> bytes:
    """Give metrics_summary.json."""
    return _text_of(_summary(fold, described))


def _text_of(summary: dict[str, Any]) -> bytes:
    return msgspec.json.format(_encoded(summary)) + b"\n"


def _summary(fold: MetricsFold, described: dict[str, Any]) -> dict[str, Any]:
    return {"schema": SCHEMA, **fold.summary(), **described}


def _in_json(message: AnyMessage) -> AnyMessage | msgspec.Raw:
    try:
        return msgspec.Raw(to_json(message))
    except UnicodeEncodeError:  # which `_encoded` knows how to write
        return message


def _line_of(fields: dict[str, Any], at_ns: int) -> bytes:
    return _encoded({"schema": SCHEMA, "at_ns": at_ns, **fields}) + b"\n"


def _encoded(fields: dict[str, Any]) -> bytes:
    try:
        return _encode(fields)
    except UnicodeEncodeError:  # somebody's text, a file's name, say: no reason to end metrics
        text = json.dumps(msgspec.to_builtins(fields), ensure_ascii=False, sort_keys=True)
        return text.encode("utf-8", "replace")
