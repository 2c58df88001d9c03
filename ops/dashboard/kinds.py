"""The metric lines as far as the dashboard reads them; more fields than these are no matter."""

import msgspec


class MessageLine(msgspec.Struct, gc=False):
    """One hop of one message."""

    at_ns: int
    actor: str = ""
    ended_ns: int = 0
    outcome: str = ""
    every: int = 1


class StageLine(msgspec.Struct, gc=False):
    """One stage of one decision's way."""

    at_ns: int
    stage: str
    latency_ns: int | None = None
    """None: what it counts from was before this process."""


class _OrderMessage(msgspec.Struct, gc=False):
    state: str
    type: str = ""
    reason: str = ""
    claim_latency_ns: int | None = None
    late_fills: bool = False


class OrderLine(msgspec.Struct, gc=False):
    """A step of an order, or a decision made again."""

    at_ns: int
    message: _OrderMessage


class _FeedMessage(msgspec.Struct, gc=False):
    feed: str = ""
    delivered: int | None = None
    phase: str = ""
    reason: str = ""
    symbol: str = ""
    missing: int = 0


class FeedLine(msgspec.Struct, gc=False):
    """How far a feed is, or how its connection stands."""

    at_ns: int
    message: _FeedMessage


class _SupervisionMessage(msgspec.Struct, gc=False):
    child: str
    event: str
    reason: str = ""
    epoch: int = 0


class SupervisionLine(msgspec.Struct, gc=False):
    """An exit, a restart, a halt of one actor."""

    at_ns: int
    message: _SupervisionMessage


class AlertLine(msgspec.Struct, gc=False):
    """An alert fires, or what it was about is over."""

    at_ns: int
    rule: str = ""
    key: str = ""
    state: str = ""
    sentence: str = ""
    delivered: bool = True
    problem: str = ""


class _Actor(msgspec.Struct, gc=False):
    processed: int = 0
    mailbox: int | None = None


class _Percentiles(msgspec.Struct, gc=False):
    count: int = 0
    p50: int = 0
    p95: int = 0
    p99: int = 0
    max: int = 0


class _Since(msgspec.Struct, gc=False):
    stages: dict[str, _Percentiles] = {}


class _Place(msgspec.Struct, gc=False):
    mark_price: str | None = None


class IntervalLine(msgspec.Struct, gc=False):
    """The summary at one moment."""

    at_ns: int
    actors: dict[str, _Actor] = {}
    since: _Since = msgspec.field(default_factory=_Since)
    positions: dict[str, _Place] = {}
