"""What Prometheus is told: read from the cells and the folds, without a message to anybody."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from actors.cell import Cell
from actors.hops import outcomes
from decisions.ledger_figures import LedgerFigures
from decisions.metrics import MetricsFold
from decisions.stages import OK, OUTCOMES
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState
from ops.describe import wal_bytes
from ops.exposition_snapshot import of_snapshot
from ops.prometheus_text import NO_LABELS, Labels, counter, durations, gauge, sizes
from ops.turns import longer_turns
from ops.wiring import System

Samples = list[tuple[Labels, float]]
PREFIX = "watchkeeper_"


class Exposition:
    """Any thread may ask for the `text`. `take` gives the snapshot that `health` shows."""

    def __init__(
        self,
        system: System,
        ledger: Path,
        name: str,
        mode: str,
        take: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._system, self._ledger_path, self._take = system, ledger, take
        self._info = {"name": name, "mode": mode, "version": _version()}
        self._started_s = time.time()
        self._most: dict[tuple[str, str], int] = {}
        """The most that was told of what may be less for a while; see `_no_less`."""
        self._comparing = threading.Lock()

    def text(self) -> str:
        """Give everything, in the text format 0.0.4."""
        with longer_turns():
            return self._text()

    def _text(self) -> str:
        parts = [
            self._process(),
            _decisions(self._system.fold),
            _stages(self._system.fold),
            self._actors(),
            self._ledger(),
            _money(self._system.fold),
            self._feeds(),
            _keeping(self._system.fold),
            of_snapshot(self._take()),
        ]
        return "".join(line for part in parts for line in part)

    def _process(self) -> Iterator[str]:
        system = self._system
        halted = [(NO_LABELS, float(bool(system.board.halt.text or _is_halted(system))))]
        ready = system.executor.cell.state is ActorState.RUNNING
        up = system.root.state is ActorState.RUNNING
        yield from gauge(f"{PREFIX}info", "What runs here.", [(self._info, 1)])
        yield from gauge(
            f"{PREFIX}ready", "Whether decisions are taken: 1 or 0.", [(NO_LABELS, ready and up)]
        )
        yield from gauge(f"{PREFIX}halted", "Whether trading is halted: 1 or 0.", halted)
        yield from gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            [(NO_LABELS, self._started_s)],
        )
        cpu = os.times()
        yield from counter(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            [(NO_LABELS, cpu.user + cpu.system)],
        )
        resident = _resident_bytes()
        if resident:
            yield from gauge(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
                [(NO_LABELS, resident)],
            )

    def _actors(self) -> Iterator[str]:
        cells = sorted(self._system.runtime.cells.copy().items())
        labelled = [({"actor": str(path)}, cell) for path, cell in cells]
        yield from durations(
            f"{PREFIX}actor_message_duration_seconds",
            "From taking a message up until it is done with.",
            [(labels, cell.latency) for labels, cell in labelled],
        )
        yield from durations(
            f"{PREFIX}actor_message_wait_seconds",
            "How long messages waited in the mailbox.",
            [(labels, c.hops.waits) for labels, c in labelled if c.hops is not None],
        )
        yield from self._actor_counts(labelled)
        yield from _actor_gauges(labelled, self._system.runtime.clock.monotonic_ns())

    def _actor_counts(self, labelled: list[tuple[dict[str, str], Cell]]) -> Iterator[str]:
        letters = self._system.runtime.dead_letters
        lost, handled = Samples(), Samples()
        for labels, cell in labelled:
            processed, reasons = cell.processed, letters.reasons(cell.path)
            lost += [({**labels, "reason": why}, n) for why, n in sorted(reasons.items())]
            if cell.hops is not None:
                told = outcomes(processed, cell.hops, reasons)
                told[OK] = self._no_less(cell.path, OK, told[OK])
                handled += [({**labels, "outcome": word}, n) for word, n in told.items()]
        yield from counter(
            f"{PREFIX}actor_messages_total", "Messages by what became of them.", handled
        )
        yield from counter(
            f"{PREFIX}actor_dead_letters_total", "Messages that nobody handled, or failed.", lost
        )
        yield from counter(
            f"{PREFIX}actor_restarts_total",
            "How often an actor was started again.",
            [(labels, cell.restarts) for labels, cell in labelled],
        )

    def _feeds(self) -> Iterator[str]:
        feeds = sorted(self._system.fold.feeds().items())
        for name, attribute, help_text in _FEED_COUNTS:
            samples: Samples = [
                ({"feed": path}, self._no_less(path, attribute, getattr(one, attribute)))
                for path, one in feeds
            ]
            yield from counter(PREFIX + name, help_text, samples)

    def _no_less(self, path: str, what: str, count: int) -> int:
        """Tell no less than before: Prometheus takes what falls for a counter that began anew.

        Of an actor at work `ok` may lag by a few; a feed that begins anew reads its recording
        from the beginning, and counts what is wrong with it again. No true beginning is hidden:
        cells count on over the restarts of their actors, and a new process has another of these.
        """
        with self._comparing:  # somebody else who asks now has perhaps been told more
            most = self._most[path, what] = max(count, self._most.get((path, what), 0))
            return most

    def _ledger(self) -> Iterator[str]:
        figures = self._system.ledger_figures
        if figures is not None:
            yield from _ledger(figures, wal_bytes(self._ledger_path))


def _is_halted(system: System) -> bool:
    cells = system.runtime.cells.copy().values()
    return any(cell.state is ActorState.HALTED for cell in cells)


def _actor_gauges(labelled: list[tuple[dict[str, str], Cell]], now_ns: int) -> Iterator[str]:
    yield from gauge(
        f"{PREFIX}actor_up",
        "Whether an actor runs, or is reconciling: 1 or 0.",
        [(labels, cell.state in _UP) for labels, cell in labelled],
    )
    yield from gauge(
        f"{PREFIX}actor_mailbox_messages",
        "Messages that wait now.",
        [(labels, cell.mailbox.depth()) for labels, cell in labelled],
    )
    yield from gauge(
        f"{PREFIX}actor_mailbox_capacity_messages",
        "How many may wait.",
        [(labels, cell.mailbox.capacity) for labels, cell in labelled],
    )
    yield from gauge(
        f"{PREFIX}actor_mailbox_high_water_messages",
        "The most that ever waited.",
        [(labels, cell.mailbox.high_water) for labels, cell in labelled],
    )
    yield from gauge(
        f"{PREFIX}actor_handling_seconds",
        "For how long the present message is being handled; 0 when none is.",
        [(labels, cell.hung_for_ns(now_ns) / NS_PER_S) for labels, cell in labelled],
    )


_UP = (ActorState.RUNNING, ActorState.RECONCILING)


def _decisions(fold: MetricsFold) -> Iterator[str]:
    for name, help_text, value in (
        ("events_processed_total", "Market events that the feeds have delivered.", fold.processed),
        ("decisions_allowed_total", "Decisions that were claimed.", fold.allowed),
        ("orders_filled_total", "Orders that were filled completely.", fold.filled),
        ("duplicates_filtered_total", "Decisions that were made again.", fold.dupes_filtered),
        ("sends_retried_total", "Second sends of orders proved not sent.", fold.retries),
    ):
        yield from counter(PREFIX + name, help_text, [(NO_LABELS, value)])
    yield from counter(
        f"{PREFIX}decisions_rejected_total",
        "Decisions that risk, age, a halt or the venue refused.",
        _by("reason", fold.rejects_by_reason),
    )
    yield from counter(
        f"{PREFIX}actor_failures_total",
        "Incarnations of actors that ended badly.",
        _by("reason", fold.errors_by_reason),
    )


def _stages(fold: MetricsFold) -> Iterator[str]:
    stages = fold.stages
    yield from durations(
        f"{PREFIX}stage_duration_seconds",
        "What the stages of decisions took, from the market event to the fill.",
        [({"stage": stage}, one) for stage, one in stages.histograms.items()],
    )
    # Also those that there were none of: Prometheus sees no increase to what was not there.
    samples = [
        ({"stage": stage, "outcome": outcome}, float(counts[outcome]))
        for stage, counts in stages.outcomes.items()
        for outcome in sorted(OUTCOMES)
    ]
    yield from counter(
        f"{PREFIX}stage_outcomes_total", "How the stages of decisions went.", samples
    )


def _ledger(figures: LedgerFigures, log_bytes: int) -> Iterator[str]:
    yield from durations(
        f"{PREFIX}ledger_commit_duration_seconds",
        "From the wish to commit until it is durable.",
        [(NO_LABELS, figures.commit_ns)],
    )
    yield from sizes(
        f"{PREFIX}ledger_commit_claims",
        "Decisions that share a commit.",
        [(NO_LABELS, figures.claims_per_commit)],
    )
    yield from durations(
        f"{PREFIX}ledger_checkpoint_duration_seconds",
        "Copying the log into the file, in quiet moments.",
        [(NO_LABELS, figures.checkpoint_ns)],
    )
    yield from counter(
        f"{PREFIX}ledger_lock_waits_total",
        "Statements that found the file locked.",
        [(NO_LABELS, figures.lock_waits)],
    )
    yield from counter(
        f"{PREFIX}ledger_busy_retries_total",
        "How often those tried again.",
        [(NO_LABELS, figures.busy_retries)],
    )
    yield from gauge(
        f"{PREFIX}ledger_wal_bytes", "The write-ahead log now.", [(NO_LABELS, log_bytes)]
    )


def _money(fold: MetricsFold) -> Iterator[str]:
    money = fold.money
    yield from gauge(
        f"{PREFIX}positions_incomplete",
        "Whether positions and profit lack what earlier processes executed: 1 or 0.",
        [(NO_LABELS, float(not money.is_whole))],
    )
    holdings = money.portfolio.holdings.copy()
    yield from gauge(
        f"{PREFIX}position_base_units",
        "What the run directory's orders hold of a symbol's base currency, signed.",
        [({"symbol": symbol}, float(one.quantity)) for symbol, one in sorted(holdings.items())],
    )
    for name, help_text, attribute in (
        (
            "realized",
            "Profit of what was closed since the run directory's beginning, in quote currency.",
            "realized",
        ),
        ("unrealized", "Profit of what is held, in quote currency.", "unrealized"),
        ("fees", "Fees paid since the run directory's beginning, in quote currency.", "fees"),
    ):
        samples = [
            ({"symbol": symbol}, float(getattr(one, attribute)))
            for symbol, one in sorted(holdings.items())
        ]
        yield from gauge(f"{PREFIX}{name}_quote_units", help_text, samples)


_FEED_COUNTS = (
    ("feed_events_total", "delivered", "Events that a feed has delivered."),
    ("feed_malformed_total", "malformed", "Events that could not be used."),
    ("feed_duplicates_total", "duplicate", "Events that came twice."),
    ("feed_out_of_order_total", "out_of_order", "Events that came too late."),
    ("feed_gaps_total", "gaps", "Holes in the market's data."),
)


def _keeping(fold: MetricsFold) -> Iterator[str]:
    keeping = fold.keeping
    yield from counter(
        f"{PREFIX}metric_lines_total", "Lines that were written.", [(NO_LABELS, keeping.lines)]
    )
    yield from counter(
        f"{PREFIX}metric_lines_dropped_total",
        "Lines that were not.",
        [(NO_LABELS, keeping.dropped_lines)],
    )
    yield from gauge(
        f"{PREFIX}metrics_failing",
        "Whether the disk refuses metrics now: 1 or 0.",
        [(NO_LABELS, float(bool(keeping.problem)))],
    )


def _by(label: str, counts: "Counter[str]") -> Samples:
    return [({label: word}, count) for word, count in sorted(counts.copy().items())]


def _resident_bytes() -> int:
    try:
        fd = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        try:  # in as few calls as can be: after each one the interpreter has to be had again
            pages = int(os.read(fd, 256).split()[1])
        finally:
            os.close(fd)
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _version() -> str:
    try:
        return version("watchkeeper")
    except PackageNotFoundError:
        return "unknown"
