"""The lines of metrics.ndjson that are about one message or one stage, as they are written. Pure.

Fields stand in the order of their names, which is the order of the keys in the line.
"""

from typing import Literal

import msgspec

from decisions.stages import StageRecord

SCHEMA: Literal[2] = 2
Stage = Literal["feed", "strategy", "risk", "claim", "send", "ack", "fill"]
Outcome = Literal["ok", "rejected", "duplicate", "error", "dropped"]


class Event(msgspec.Struct, frozen=True, gc=False):
    """The market event that a decision was made on."""

    feed: str
    index: int
    """Its place among the usable events of the feed."""
    ts_event_ns: int


class HopLine(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One message through one actor; `every` says for how many such it stands. Times are UTC ns."""

    actor: str
    at_ns: int
    client_order_ids: tuple[str, ...] = ()
    """Of a report by the venue, which knows no order keys."""
    ended_ns: int
    enqueued_ns: int
    every: int
    kind: Literal["message"]
    outcome: Outcome
    reason: str
    schema: Literal[2]
    started_ns: int
    trace_id: str | None
    type: str


class StageLine(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One stage of one decision's way; `latency_ns` is null where an earlier process began it."""

    at_ns: int
    client_order_id: str | None = None
    event: Event | None = None
    kind: Literal["stage"]
    latency_ns: int | None
    outcome: Outcome
    reason: str
    schema: Literal[2]
    stage: Stage
    symbol: str
    trace_id: str


def stage_line(record: StageRecord, utc_minus_monotonic_ns: int) -> StageLine:
    """Give a stage as it is written."""
    cause = record.cause
    return StageLine(
        at_ns=record.at_ns + utc_minus_monotonic_ns,
        client_order_id=record.client_order_id,
        event=None if cause is None else Event(*cause),
        kind="stage",
        latency_ns=record.latency_ns,
        outcome=record.outcome,  # type: ignore[arg-type]  # of the words that a line may have
        reason=record.reason,
        schema=SCHEMA,
        stage=record.stage,  # type: ignore[arg-type]  # of the words that a line may have
        symbol=record.symbol,
        trace_id=record.trace_id,
    )
