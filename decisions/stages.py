"""The stages of one decision's way, and what they took: histograms and outcomes. Pure.

==========  ===================================================================================
feed        the market message waited for its strategy
strategy    from there until the strategy had decided
risk        from the decision until it was judged, waiting for the executor included
claim       from there until the claim, or the refusal, was durable
send        from there until the order left for the venue
ack         from there until the venue's answer was durable
fill        from there until the order was filled, or ended otherwise
==========  ===================================================================================

The trace id is the order key, which begins with the millisecond of the market event that was
decided on; the line of the feed stage names that event.
"""

from collections import Counter
from typing import Any, NamedTuple

from decisions.histogram import LatencyHistogram
from messages.order_states import RESTING_STATES
from messages.values import OrderState

STAGES = ("feed", "strategy", "risk", "claim", "send", "ack", "fill")
OK, REJECTED, DUPLICATE, ERROR, DROPPED = "ok", "rejected", "duplicate", "error", "dropped"
OUTCOMES = (OK, REJECTED, DUPLICATE, ERROR, DROPPED)


class Cause(NamedTuple):
    """The market event that a decision was made on: its place in its feed, and its moment."""

    feed: str
    event_index: int
    ts_event_ns: int


class StageRecord(NamedTuple):
    """One stage of one decision, over at `at_ns` (monotonic); no latency where none is known."""

    at_ns: int
    stage: str
    trace_id: str
    symbol: str
    latency_ns: int | None
    outcome: str
    reason: str = ""
    client_order_id: str | None = None
    cause: Cause | None = None


class StageFold:
    """What all decisions of one process took; one thread folds, any may read."""

    def __init__(self) -> None:
        self.histograms = {stage: LatencyHistogram() for stage in STAGES}
        self.outcomes = {stage: Counter[str]() for stage in STAGES}

    def fold(self, record: StageRecord) -> None:
        """Count one stage."""
        self.outcomes[record.stage][record.outcome] += 1
        if record.latency_ns is not None:
            self.histograms[record.stage].record(record.latency_ns)

    def copies(self) -> dict[str, LatencyHistogram]:
        """Give what was counted so far, for `since`."""
        return {stage: one.copy() for stage, one in self.histograms.items()}

    def since(self, before: dict[str, LatencyHistogram]) -> dict[str, dict[str, int]]:
        """Give what was counted after `copies`, in nanoseconds."""
        return {
            stage: one.since(before.get(stage)).summary()
            for stage, one in sorted(self.histograms.items())
        }

    def summary(self) -> dict[str, dict[str, int]]:
        """Give count, percentiles and maximum of each stage, in nanoseconds, keys sorted."""
        return {stage: one.summary() for stage, one in sorted(self.histograms.items())}


class OrderClock(NamedTuple):
    """Since when an order waits, and for what; monotonic nanoseconds."""

    durable_ns: int | None
    acked_ns: int | None


class OrderStages:
    """Turns the steps of orders into stages. Used by the executor alone; holds open orders only."""

    def __init__(self) -> None:
        self._clocks: dict[str, OrderClock] = {}

    def __len__(self) -> int:
        return len(self._clocks)

    def claimed(self, key: str, at_ns: int) -> None:
        """Say that an order is durable and goes out, for the first time or once more."""
        self._clocks[key] = OrderClock(at_ns, None)

    def moved(
        self, order: Any, at_ns: int, left_ns: int | None, state: OrderState
    ) -> list[StageRecord]:
        """Give the stages that an order's step ended; `left_ns` is when it left, if it did."""
        key = order.order_key
        if state is OrderState.SENT:
            self.claimed(key, at_ns)
            return []
        clock = self._clocks.pop(key, None)
        records = []
        if clock is not None and clock.durable_ns is not None:
            records += _send_and_ack(order, at_ns, left_ns, clock.durable_ns, state)
            clock = OrderClock(None, at_ns)
        if state in _FILL_ENDS:
            records.append(_fill(order, at_ns, clock, state))
        elif clock is not None and state in RESTING_STATES:
            self._clocks[key] = clock
        return records


_FILL_ENDS = {
    OrderState.FILLED: OK,
    OrderState.CANCELED: DROPPED,
    OrderState.EXPIRED: DROPPED,
}
_SEND_FAILS = {OrderState.NOT_SENT: ERROR, OrderState.REFUSED: DROPPED}
_ACKS = {OrderState.REJECTED: REJECTED, OrderState.UNKNOWN: ERROR}


def _send_and_ack(
    order: Any, at_ns: int, left_ns: int | None, durable_ns: int, state: OrderState
) -> list[StageRecord]:
    failed = _SEND_FAILS.get(state)
    if failed is not None:
        reason = f"{state}: {order.state_reason}"
        return [_record(order, at_ns, "send", at_ns - durable_ns, failed, reason)]
    since_ns = durable_ns if left_ns is None else left_ns
    outcome = _ACKS.get(state, OK)
    reason = "" if outcome is OK else f"{state}: {order.state_reason}"
    return [
        _record(order, since_ns, "send", since_ns - durable_ns, OK),
        _record(order, at_ns, "ack", at_ns - since_ns, outcome, reason),
    ]


def _fill(order: Any, at_ns: int, clock: OrderClock | None, state: OrderState) -> StageRecord:
    acked_ns = None if clock is None else clock.acked_ns
    latency_ns = None if acked_ns is None else at_ns - acked_ns
    reason = "" if state is OrderState.FILLED else str(state)
    return _record(order, at_ns, "fill", latency_ns, _FILL_ENDS[state], reason)


def _record(
    order: Any, at_ns: int, stage: str, latency_ns: int | None, outcome: str, reason: str = ""
) -> StageRecord:
    key, name = order.order_key, order.client_order_id
    latency_ns = None if latency_ns is None else max(latency_ns, 0)
    return StageRecord(at_ns, stage, key, order.symbol, latency_ns, outcome, reason, name)
