"""The JSON schemas of what a run writes and `health` says; docs/schemas/ holds what they are."""

import json
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec

from decisions.json_schema import schema_of
from decisions.metric_lines import HopLine, StageLine
from messages.lifecycle import Supervision
from messages.market import FeedEnded, FeedGap, FeedReport, FeedState
from messages.orders import DuplicateFiltered, OrderUpdate
from ops.health_schema import Health, NoRun
from ops.lines_schema import START_LINES, OrderRow, PositionRow, StopRow, TradeRow
from ops.report import RunReport

Counts = dict[str, int]


class Latency(msgspec.Struct, kw_only=True):
    """Nanoseconds; percentiles by HdrHistogram's buckets, two digits, `max` exact."""

    count: int
    max: int
    p50: int
    p95: int
    p99: int
    p999: int


class ActorFigures(Latency, kw_only=True):
    """One actor: the latencies are from taking a message up until it is done with."""

    capacity: int
    dead_letters: int
    high_water: int
    mailbox: int
    processed: int
    restarts: int
    outcomes: Counts | msgspec.UnsetType = msgspec.UNSET
    wait_ns: Latency | msgspec.UnsetType = msgspec.UNSET


class LedgerFigures(msgspec.Struct, kw_only=True):
    """The ledger's own, of this process."""

    busy_retries: int
    checkpoint_ns: Latency
    checkpoints: int
    claims_per_commit: Latency
    """Not nanoseconds: claims."""
    commit_ns: Latency
    commits: int
    lock_waits: int
    wal_bytes: int


class FeedFigures(msgspec.Struct, kw_only=True):
    """One feed."""

    delivered: int
    duplicate: int
    ended: bool
    gaps: int
    malformed: int
    missing: int
    out_of_order: int


class Position(msgspec.Struct, kw_only=True):
    """One symbol; money is text, exact."""

    average_cost: str
    mark_price: str | None
    quantity: str
    realized: str
    unrealized: str


class Pnl(msgspec.Struct, kw_only=True):
    """One quote currency; money is text, exact."""

    equity: str
    fees: str
    max_drawdown_since_start: str
    realized: str
    since_start: str
    unrealized: str


class Stages(msgspec.Struct, kw_only=True):
    """Of one decision's way."""

    feed: Latency
    strategy: Latency
    risk: Latency
    claim: Latency
    send: Latency
    ack: Latency
    fill: Latency


class Keeping(msgspec.Struct, kw_only=True):
    """How the keeping of metrics itself goes."""

    dropped_lines: int
    lines: int
    problem: str


class RunTotals(msgspec.Struct, kw_only=True):
    """Of the run directory since its beginning."""

    by_state: Counts
    filled: int
    open: int
    orders: int
    positions: dict[str, dict[str, str]]
    rejected: int


class FiringAlert(msgspec.Struct, kw_only=True):
    """One alert that holds now."""

    key: str
    rule: str
    sentence: str
    since_ns: int


class Earlier(msgspec.Struct, kw_only=True):
    """What earlier processes executed, which `pnl` and `positions` begin with."""

    executions: int
    orders: int | None
    """How many orders the ledger held when this process first opened it."""
    pending: bool
    problem: str


class Alerts(msgspec.Struct, kw_only=True):
    """What is alerted, where alerts are set up."""

    firing: list[FiringAlert]
    undelivered: int


class SummaryBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """metrics_summary.json."""

    actors: dict[str, ActorFigures]
    alerts: Alerts | msgspec.UnsetType = msgspec.UNSET
    allowed: int
    dupes_filtered: int
    earlier: Earlier
    errors: int
    errors_by_reason: Counts
    feeds: dict[str, FeedFigures]
    filled: int
    latency_ns: dict[str, Latency]
    ledger: LedgerFigures | msgspec.UnsetType | None = msgspec.UNSET
    metrics: Keeping
    outcomes_by_stage: dict[str, Counts]
    pnl: dict[str, Pnl]
    positions: dict[str, Position]
    processed: int
    rejected: int
    rejects_by_reason: Counts
    restarts: Counts
    retries: int
    run_totals: RunTotals | None
    schema: Literal[2]
    stages: Stages
    started_at_ns: int


class Since(msgspec.Struct, kw_only=True):
    """Of one interval alone."""

    handled: int
    seconds: float
    stages: Stages


class IntervalLine(SummaryBody, kw_only=True):
    """The summary at that moment."""

    at_ns: int
    kind: Literal["interval"]
    since: Since | msgspec.UnsetType = msgspec.UNSET


class OrderLine(msgspec.Struct, kw_only=True):
    """A step of an order, or a decision that was made again."""

    at_ns: int
    kind: Literal["order"]
    message: OrderUpdate | DuplicateFiltered
    schema: Literal[2]


class SupervisionLine(msgspec.Struct, kw_only=True):
    """An exit, restart, backoff, hang or halt of one actor."""

    at_ns: int
    kind: Literal["supervision"]
    message: Supervision
    schema: Literal[2]


class FeedLine(msgspec.Struct, kw_only=True):
    """A feed's report, or a change of it."""

    at_ns: int
    kind: Literal["feed"]
    message: FeedReport | FeedEnded | FeedGap | FeedState
    schema: Literal[2]


class AlertLine(msgspec.Struct, kw_only=True):
    """An alert began or ended."""

    at_ns: int
    delivered: bool
    key: str
    kind: Literal["alert"]
    problem: str
    rule: str
    schema: Literal[2]
    sentence: str
    severity: Literal["warning", "critical"]
    state: Literal["firing", "recovered"]


LINES: tuple[type, ...] = (
    HopLine,
    StageLine,
    OrderLine,
    SupervisionLine,
    FeedLine,
    IntervalLine,
    AlertLine,
)


def schemas() -> dict[str, dict[str, Any]]:
    """Give each schema (draft 2020-12) by its file's name."""
    return {
        "metrics_summary.schema.json": schema_of("metrics_summary.json", (SummaryBody,)),
        "metrics_line.schema.json": schema_of("one line of metrics.ndjson", LINES),
        "health.schema.json": schema_of("status.json and health --json", (Health, NoRun)),
        "report.schema.json": schema_of("report --json", (RunReport,)),
        "orders_line.schema.json": schema_of("one line of orders --json", (OrderRow,)),
        "stops_line.schema.json": schema_of("one line of orders --stops --json", (StopRow,)),
        "trades_line.schema.json": schema_of("one line of trades --json", (TradeRow,)),
        "positions_line.schema.json": schema_of("one line of positions --json", (PositionRow,)),
        "start_line.schema.json": schema_of("one line of start --json", START_LINES),
    }


def main(folder: str) -> None:
    """Write the schemas."""
    for name, document in schemas().items():
        text = json.dumps(document, indent=1, sort_keys=True) + "\n"
        (Path(folder) / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
