"""What each message went through in each actor, noted where it happens and told to nobody.

The actor's own thread appends to a bounded buffer; metrics empties it now and then, and at once
when much waits. When it is full, lines are left out and counted; the histograms miss nothing.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from actors.dead_letters import DeadLetter
from actors.error_text import sentence_of
from decisions.histogram import LatencyHistogram
from decisions.stages import (
    DROPPED,
    ERROR,
    OK,
    OUTCOMES,
    REJECTED,
    Cause,
    StageFold,
    StageRecord,
)
from messages.errors import said_by
from messages.orders import MarketReports, OrderIntent, OrderReport

CAPACITY = 32_768
"""Lines that may wait for metrics, for each actor."""

STAGES_CAPACITY = 65_536
"""Stages that may wait: an order has seven, and all orders of a process share one buffer."""

MUCH = 8_192
"""With this many in one buffer metrics is asked to come at once: it needs a while to get there."""


class Nudge:
    """Asks metrics to come before its time: once, until it has come. Any thread.

    Two threads may both ask, which costs a message; it cannot happen that nobody asks, since
    metrics says that it comes before it looks.
    """

    __slots__ = ("_is_asked", "ask")

    def __init__(self) -> None:
        self.ask: Callable[[], object] | None = None
        """How; None while nobody gathers. Must not block nor raise."""
        self._is_asked = False

    def __call__(self) -> None:
        """Ask, if nobody has."""
        if not self._is_asked and self.ask is not None:
            self._is_asked = True
            self.ask()

    def coming(self) -> None:
        """Say that metrics looks at all buffers now."""
        self._is_asked = False


class Hop(NamedTuple):
    """One message through one actor; all times are monotonic nanoseconds."""

    kind: str
    trace_id: str | None
    enqueued_ns: int
    started_ns: int
    ended_ns: int
    outcome: str
    reason: str
    every: int
    client_order_ids: tuple[str, ...]


class Hops:
    """Those of one cell. Its incarnation writes; metrics takes lines; any thread may read."""

    __slots__ = (
        "_buffer",
        "_joined",
        "_nudge",
        "_verdicts",
        "apart",
        "clean",
        "dropped",
        "due",
        "every",
        "given_up",
        "outcomes",
        "waits",
    )

    def __init__(self, every: int, nudge: Nudge, clean: Callable[[str], str] = str) -> None:
        self.every, self.clean = every, clean
        self._nudge = nudge
        self.due = every
        """How many more messages that bear no order pass until one of them is a line."""
        self.waits = LatencyHistogram()
        """How long messages waited in the mailbox."""
        self.outcomes: Counter[str] = Counter()
        """Of all that were noted one by one."""
        self.apart = 0
        """How many of the cell's `processed` are in `outcomes`: all but told ones of the plain
        policy."""
        self.given_up = 0
        """Messages that the actor hung on; not in `outcomes`, which its own thread counts."""
        self.dropped = 0
        """Lines that found the buffer full."""
        self._buffer: deque[Hop] = deque()
        self._joined: list[tuple[Any, int]] = []
        self._verdicts: dict[str, deque[tuple[str, str]]] = {}

    def sampled(self, message: Any, enqueued_ns: int, started_ns: int, ended_ns: int) -> None:
        """Note the one in `every` that stands for all."""
        self._note(message, (enqueued_ns, started_ns, ended_ns), OK, "", self.every)

    def begin_incarnation(self) -> None:
        """Forget what a fenced incarnation had in hand: it went with it, or is handed on."""
        self._joined, self._verdicts = [], {}

    def join(self, message: Any, enqueued_ns: int) -> None:
        """Note one that is handled together with the present message."""
        self._joined.append((message, enqueued_ns))

    def judge(self, trace_id: str, outcome: str, reason: str) -> None:
        """Say what became of a decision in the present message or one that joined it."""
        self._verdicts.setdefault(trace_id, deque()).append((outcome, reason))

    def handled(self, message: Any, enqueued_ns: int, started_ns: int, ended_ns: int) -> None:
        """Note that the present message, and those that joined it, were handled."""
        self.apart += 1 + len(self._joined)
        self._handled(message, enqueued_ns, started_ns, ended_ns)
        if self._joined:
            joined, self._joined = self._joined, []
            for other, since_ns in joined:
                self._handled(other, since_ns, started_ns, ended_ns)
        if self._verdicts:
            self._verdicts.clear()

    def failed(
        self,
        message: Any,
        enqueued_ns: int,
        started_ns: int,
        ended_ns: int,
        outcome: str,
        error: BaseException,
    ) -> None:
        """Note how the present message failed. Those that joined it are handed back."""
        self._joined.clear()
        self._verdicts.clear()
        self.waits.record(started_ns - enqueued_ns)
        self.outcomes[outcome] += 1
        reason = sentence_of(f"{type(error).__name__}: {said_by(error)}", self.clean)
        self._note(message, (enqueued_ns, started_ns, ended_ns), outcome, reason, 1)

    def lost(self, letter: DeadLetter) -> None:
        """Note a message that nobody handled to its end, if it bears an order. Any thread."""
        at_ns, queued_ns, started_ns = letter.at_ns, letter.enqueued_ns, letter.started_ns
        queued_ns = at_ns if queued_ns is None else queued_ns
        if started_ns is not None:
            self.given_up += letter.why in _HANDLED
            self.waits.append(started_ns - queued_ns)  # its own thread hangs, and folds nothing
        elif letter.why in _HANDLED:
            return
        if _is_traced(letter.message):
            times = (queued_ns, at_ns if started_ns is None else started_ns, at_ns)
            self._note(letter.message, times, outcome_of(letter.why), letter.why, 1)

    def waiting(self) -> int:
        """Give how many lines wait."""
        return len(self._buffer)

    def take(self) -> Iterator[Hop]:
        """Give the lines that wait, oldest first; for metrics alone."""
        buffer = self._buffer
        for _ in range(len(buffer)):
            yield buffer.popleft()

    def _handled(self, message: Any, enqueued_ns: int, started_ns: int, ended_ns: int) -> None:
        self.waits.record(started_ns - enqueued_ns)
        outcome, reason, every = OK, "", 1
        if not _is_traced(message):
            self.outcomes[OK] += 1
            self.due -= 1
            if self.due > 0:
                return
            self.due = every = self.every
        else:
            if self._verdicts:
                outcome, reason = self._verdict(message.trace_id())
            self.outcomes[outcome] += 1
        self._note(message, (enqueued_ns, started_ns, ended_ns), outcome, reason, every)

    def _verdict(self, trace_id: str | None) -> tuple[str, str]:
        verdicts = self._verdicts.get(trace_id or "")
        return verdicts.popleft() if verdicts else (OK, "")

    def _note(
        self, message: Any, times: tuple[int, int, int], outcome: str, reason: str, every: int
    ) -> None:
        waiting = len(self._buffer)
        if waiting >= MUCH:
            self._nudge()
            if waiting >= CAPACITY:
                self.dropped += 1
                return
        kind, trace_id = type(message).__name__, None
        names: tuple[str, ...] = ()
        if _is_traced(message):
            trace_id, names = message.trace_id(), _client_order_ids(message)
        self._buffer.append(Hop(kind, trace_id, *times, outcome, reason, every, names))


class StageNotes:
    """The stages of decisions, from whichever thread knows of one. See `decisions.stages`."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self.fold = StageFold()
        self.nudge = Nudge()
        self.dropped = 0
        """Lines that found the buffer full; their stages are counted all the same."""
        self._records: deque[StageRecord] = deque()
        self._left: dict[str, int] = {}
        self._decided: dict[str, int] = {}
        self._decided_before: dict[str, int] = {}
        self._folding = threading.Lock()

    def note(self, record: StageRecord) -> None:
        """Note one stage. Any thread."""
        waiting = len(self._records)
        if waiting >= MUCH:
            self.nudge()
        if waiting < STAGES_CAPACITY:
            self._records.append(record)
            return
        with self._folding:
            self.dropped += 1
            self.fold.fold(record)

    def decided(self, intent: OrderIntent, cause: Cause, enqueued_ns: int, started_ns: int) -> None:
        """Note how long its market message waited and was worked on. The strategy's thread."""
        now_ns, key, symbol = self.now_ns(), intent.order_key, intent.symbol
        waited_ns, took_ns = max(started_ns - enqueued_ns, 0), max(now_ns - started_ns, 0)
        feed = StageRecord(started_ns, "feed", key, symbol, waited_ns, OK, cause=cause)
        self.note(feed)
        self.note(StageRecord(now_ns, "strategy", key, symbol, took_ns, OK))
        if len(self._decided) >= CAPACITY:  # a decision that got lost on its way is never asked for
            self._decided_before, self._decided = self._decided, {}
        self._decided[key] = now_ns

    def decided_at(self, key: str) -> int | None:
        """Give, once, when a decision was made, if it was here. The executor's thread."""
        newer = self._decided.pop(key, None)
        return self._decided_before.pop(key, None) if newer is None else newer

    def leaving(self, key: str) -> None:
        """Say that an order leaves for the venue now. The gateway's thread."""
        self._left[key] = self.now_ns()

    def left(self, key: str) -> int | None:
        """Give, once, when an order left for the venue; None when it is not known to have."""
        return self._left.pop(key, None)

    def waiting(self) -> int:
        """Give how many wait to be counted."""
        return len(self._records)

    def take(self) -> Iterator[StageRecord]:
        """Count the stages that wait, and give them, oldest first; for metrics alone."""
        for _ in range(len(self._records)):
            record = self._records.popleft()
            with self._folding:
                self.fold.fold(record)
            yield record


def outcome_of(why: str) -> str:
    """Sort the reason of a dead letter into the outcomes."""
    if why == "rejected":
        return REJECTED
    return ERROR if why in ("poison", "killed", "hung") else DROPPED


def outcomes(processed: int, hops: Hops, letters: dict[str, int]) -> dict[str, int]:
    """Give how many of an actor's messages had each outcome; `letters` by reason.

    Read `processed` first: the others may be ahead of it.
    """
    found = Counter(dict.fromkeys(OUTCOMES, 0))
    found.update(hops.outcomes.copy())  # the actor may count an outcome now that is new
    found[OK] += max(processed - hops.apart, 0)
    found[ERROR] += hops.given_up
    for why, count in letters.items():
        if why not in _HANDLED:
            found[outcome_of(why)] += count
    return dict(sorted(found.items()))


_HANDLED = ("rejected", "poison")
"""Dead letters that their receiver itself has noted, if it was not given up."""


def _is_traced(message: Any) -> bool:
    delivery = getattr(message, "delivery", None)
    return delivery is not None and delivery.traced


def _client_order_ids(message: Any) -> tuple[str, ...]:
    if isinstance(message, OrderReport):
        return (message.client_order_id,)
    if isinstance(message, MarketReports):
        return tuple(report.client_order_id for report in message.reports)
    return ()
