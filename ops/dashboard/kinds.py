"""The metric lines as far as the dashboard reads them; more fields than these are no matter."""

from typing import Annotated

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""Any that our writers count with; one of 400 digits does not fit into a chart's float."""


class CommonLine(msgspec.Struct, gc=False):
    """A line of one of the three kinds that come by the million, read in one go with its kind.

    It stands in for `MessageLine`, `StageLine` and `OrderLine`, and takes less than each of them: a
    line that does not fit is read again as what its kind says.
    """

    at_ns: Int64
    kind: str
    actor: str = ""
    ended_ns: Int64 = 0
    outcome: str = ""
    every: Int64 = 1
    stage: str | None = None
    latency_ns: Int64 | None = None
    message: "OrderMessage | None" = None


class MessageLine(msgspec.Struct, gc=False):
    """One hop of one message."""

    at_ns: Int64
    actor: str = ""
    ended_ns: Int64 = 0
    outcome: str = ""
    every: Int64 = 1


class StageLine(msgspec.Struct, gc=False):
    """One stage of one decision's way."""

    at_ns: Int64
    stage: str
    latency_ns: Int64 | None = None
    """None: what it counts from was before this process."""


class OrderMessage(msgspec.Struct, gc=False):
    """What an order line tells."""

    state: str
    type: str = ""
    reason: str = ""
    claim_latency_ns: Int64 | None = None
    late_fills: bool = False


class OrderLine(msgspec.Struct, gc=False):
    """A step of an order, or a decision made again."""

    at_ns: Int64
    message: OrderMessage


class _FeedMessage(msgspec.Struct, gc=False):
    feed: str = ""
    delivered: Int64 | None = None
    phase: str = ""
    reason: str = ""
    symbol: str = ""
    missing: Int64 = 0


class FeedLine(msgspec.Struct, gc=False):
    """How far a feed is, or how its connection stands."""

    at_ns: Int64
    message: _FeedMessage


class _SupervisionMessage(msgspec.Struct, gc=False):
    child: str
    event: str
    reason: str = ""
    epoch: Int64 = 0


class SupervisionLine(msgspec.Struct, gc=False):
    """An exit, a restart, a halt of one actor."""

    at_ns: Int64
    message: _SupervisionMessage


class AlertLine(msgspec.Struct, gc=False):
    """An alert fires, or what it was about is over."""

    at_ns: Int64
    rule: str = ""
    key: str = ""
    state: str = ""
    sentence: str = ""
    delivered: bool = True
    problem: str = ""


class _Actor(msgspec.Struct, gc=False):
    processed: Int64 = 0
    mailbox: Int64 | None = None


class _Percentiles(msgspec.Struct, gc=False):
    count: Int64 = 0
    p50: Int64 = 0
    p95: Int64 = 0
    p99: Int64 = 0
    max: Int64 = 0


class _Since(msgspec.Struct, gc=False):
    stages: dict[str, _Percentiles] = {}


class _Place(msgspec.Struct, gc=False):
    mark_price: str | None = None


class IntervalLine(msgspec.Struct, gc=False):
    """The summary at one moment."""

    at_ns: Int64
    actors: dict[str, _Actor] = {}
    since: _Since = msgspec.field(default_factory=_Since)
    positions: dict[str, _Place] = {}
