"""The JSON schema of status.json and of `health --json`; `ops.metrics_schema` writes it down."""

from typing import Any, Literal

import msgspec

from messages.lifecycle import ActorState
from ops.left_open import Left

Unset = msgspec.UnsetType
UNSET = msgspec.UNSET


class Actor(msgspec.Struct, kw_only=True):
    """One actor."""

    path: str
    state: ActorState
    epoch: int
    """Which life this is."""
    uptime_s: float
    """Of the incarnation; 0 when there is none."""
    state_s: float
    """In this state."""
    restarts: int
    restarts_in_window: int
    restart_limit: int
    mailbox: int
    capacity: int
    high_water: int
    oldest_ms: float
    processed: int
    p50_us: float
    p99_us: float
    max_us: float
    handling: str | None
    """The class of the message in hand."""
    handling_ms: float
    waiting_on: str | None
    retry_in_s: float | None
    dead_letters: int
    last_error: str
    last_error_at_ns: int | None
    progress_age_s: float | None
    progress_limit_s: float | None
    progress_on: str | None
    """The class of the message that the progress was made on."""
    zombies: int
    problem: str


class Counters(msgspec.Struct, kw_only=True):
    """Of this process."""

    processed: int
    allowed: int
    sent: int
    accepted: int
    rejected: int
    filled: int
    errors: int
    retries: int
    dupes_filtered: int


class Unknown(msgspec.Struct, kw_only=True):
    """Orders with an unknown outcome."""

    count: int
    oldest_s: float


class StuckStop(msgspec.Struct, kw_only=True):
    """A stop that needs a person."""

    entry_key: str
    strategy_id: str
    symbol: str
    problem: str


class Matter(msgspec.Struct, kw_only=True):
    """Something of orders, positions, account or venue that a person must look at."""

    kind: str
    problem: str
    for_s: float


class PnlNow(msgspec.Struct, kw_only=True):
    """One quote currency; money is text, exact."""

    equity: str
    drawdown: str


class EarlierNow(msgspec.Struct, kw_only=True):
    """Whether `pnl` and `traded` hold what earlier processes executed."""

    pending: bool
    """It is being read; until then both are empty."""
    problem: str
    """Why they do not hold it all; empty when they do."""


class Disk(msgspec.Struct, kw_only=True):
    """Of the run directory."""

    free_mb: int | None


class Link(msgspec.Struct, kw_only=True):
    """The connection of one live feed."""

    phase: str
    reason: str
    attempt: int
    skew_ms: int | None
    for_s: float
    gaps: int
    """Holes in the market's data since the start."""


class Dropped(msgspec.Struct, kw_only=True):
    """What one feed could not use of its recording."""

    malformed: int
    duplicate: int
    out_of_order: int
    cut_off: list[str]
    """A sentence for each file whose end cannot be read; each is one of the malformed."""
    first: list[str]
    """The first few rows, each ``file:line: sentence``."""


class RecordingGap(msgspec.Struct, kw_only=True):
    """Where something is missing between two rows; `missing` is 0 where nobody knows how many."""

    symbol: str
    place: str
    """``file:line`` of the row after it."""
    missing: int
    lasted_s: float


class RecordingGaps(msgspec.Struct, kw_only=True):
    """The gaps of one recording."""

    gaps: int
    missing: int
    first: list[RecordingGap]
    """The first few."""


class Halt(msgspec.Struct, kw_only=True):
    """How far a halt is; empty while trading."""

    state: str | Unset = UNSET
    reason: str | Unset = UNSET
    ordered_by: str | Unset = UNSET
    since: str | Unset | None = UNSET
    on_disk: bool | Unset = UNSET
    proved_at: str | Unset | None = UNSET
    ends_with: str | Unset = UNSET
    """The command that ends it."""


class Lease(msgspec.Struct, kw_only=True):
    """Of the account of a live run."""

    account: str
    token: int
    pid: int
    host: str
    expires_in_s: float
    barred: str
    problem: str


class LastDecision(msgspec.Struct, kw_only=True):
    """What became of a strategy's newest decision."""

    state: str
    reason: str
    age_s: float


class Trading(msgspec.Struct, kw_only=True):
    """Why one strategy does not trade, and the figures behind it; `position` is text, exact."""

    why: list[str]
    symbol: str
    events: int
    warmup: int
    position: str
    decisions: int
    last: LastDecision | None


class Firing(msgspec.Struct, kw_only=True):
    """One alert that holds now."""

    rule: str
    key: str
    severity: Literal["warning", "critical"]
    since_ns: int
    sentence: str


class AlertsNow(msgspec.Struct, kw_only=True):
    """What is alerted, and how the telling goes."""

    firing: list[Firing]
    addresses: int
    undelivered: int
    held_back: int
    problem: str
    """Why notices are not taken."""
    rules_problem: str
    """Why nothing is judged."""


class JournalNow(msgspec.Struct, kw_only=True):
    """How far the journal is."""

    problem: str
    frames: int
    lost: int
    waiting: int
    segment: str | None


class MetricsNow(msgspec.Struct, kw_only=True):
    """How the keeping of metrics goes."""

    dropped_lines: int
    lines: int
    problem: str


class Writer(msgspec.Struct, kw_only=True):
    """Whether a file is written."""

    problem: str


class Pulse(msgspec.Struct, kw_only=True):
    """How late threads wake."""

    late_ms: float


class Errors(msgspec.Struct, kw_only=True):
    """Lines of an error or worse."""

    logged: int


class Ended(msgspec.Struct, kw_only=True):
    """How the process ended by itself."""

    at_ns: int
    exit_code: int
    reason: str


class Health(msgspec.Struct, kw_only=True):
    """A run. What stands without `required` is there where the run has such a thing."""

    schema: Literal[1]
    name: str
    mode: str
    pid: int
    started_at_ns: int
    captured_at_ns: int
    uptime_s: float
    verdict: Literal["OK", "WARNING", "CRITICAL", "UNKNOWN"]
    why: str
    root_alive: bool
    ready: bool
    actors: list[Actor]
    market: dict[str, str]
    orders: dict[str, int]
    counters: Counters
    unknown: Unknown
    stuck_stops: list[StuckStop]
    matters: list[Matter]
    pnl: dict[str, PnlNow]
    earlier: EarlierNow
    disk: Disk
    open_orders: int
    newest_claim: str | None
    """An order that the ledger holds: the next start looks for it."""
    link: dict[str, Link]
    dropped: dict[str, Dropped]
    """By feed; empty where every row was used."""
    gaps: dict[str, RecordingGaps]
    """By feed of a recording; empty where there is none."""
    halt: Halt
    lease: Lease | None
    trading: dict[str, Trading]
    metrics: MetricsNow
    status: Writer
    alerts: AlertsNow
    pulse: Pulse
    errors: Errors
    ended: Ended | None
    silent_s: dict[str, float] | Unset = UNSET
    """Of a live market."""
    rate: str | Unset = UNSET
    """Of a run that asks an exchange: for how long that wants to hear nothing, or empty."""
    journal: JournalNow | Unset = UNSET
    prometheus: Writer | Unset = UNSET
    stacks: dict[str, Any] | Unset = UNSET
    """With `--stacks`."""
    errors_of: dict[str, Any] | Unset = UNSET
    """With `--errors`."""
    deep: dict[str, Any] | Unset = UNSET
    """With `--deep`."""
    last_verdict: str | Unset | None = UNSET
    """Of the last one that the process wrote; the verdict is UNKNOWN then."""
    gone: bool | Unset = UNSET
    left: Left | Unset | None = UNSET
    """Of a live run that has ended: what it left at the exchange. Null until then, and on paper."""


class NoRun(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """There is no run, or none that left anything."""

    verdict: Literal["UNKNOWN"]
    why: str
