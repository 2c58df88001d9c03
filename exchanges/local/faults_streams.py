"""Everything that can go wrong with a stream, each by a name."""

from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec


class StreamFault(StrEnum):
    """The catalogue. What each one does is said in `STREAM_SENTENCES`."""

    DROP = "drop"
    CLOSE = "close"
    SERVER_SHUTDOWN = "server_shutdown"
    STALL = "stall"
    STALL_WITH_PONGS = "stall_with_pongs"
    STREAM_TERMINATED = "stream_terminated"
    DUPLICATE_EVENT = "duplicate_event"
    DROPPED_EVENT = "dropped_event"
    OUT_OF_ORDER = "out_of_order"
    LATE_EVENT = "late_event"
    DEPTH_GAP = "depth_gap"
    SUBSCRIBE_REFUSED = "subscribe_refused"
    SLOW_SUBSCRIBE = "slow_subscribe"


STREAM_SENTENCES: dict[StreamFault, str] = {
    StreamFault.DROP: "the connection breaks without a closing frame",
    StreamFault.CLOSE: "the connection is closed in order, as after 24 hours",
    StreamFault.SERVER_SHUTDOWN: "serverShutdown is announced and the connection closed after it",
    StreamFault.STALL: "the connection stays open; nothing comes and no ping is answered",
    StreamFault.STALL_WITH_PONGS: "nothing comes any more, but pings are answered",
    StreamFault.STREAM_TERMINATED: "eventStreamTerminated ends the user's events",
    StreamFault.DUPLICATE_EVENT: "the event comes twice",
    StreamFault.DROPPED_EVENT: "the event never comes",
    StreamFault.OUT_OF_ORDER: "the event comes after the next one of its kind",
    StreamFault.LATE_EVENT: "the event comes `delay_ms` late, after the answer to the request",
    StreamFault.DEPTH_GAP: "one depth event is lost: the update ids have a gap",
    StreamFault.SUBSCRIBE_REFUSED: "the subscription is refused",
    StreamFault.SLOW_SUBSCRIBE: "the subscription is confirmed `delay_ms` late",
}
AT_SUBSCRIBE = frozenset({StreamFault.SUBSCRIBE_REFUSED, StreamFault.SLOW_SUBSCRIBE})
ON_CONNECTIONS = frozenset(
    {
        StreamFault.DROP,
        StreamFault.CLOSE,
        StreamFault.SERVER_SHUTDOWN,
        StreamFault.STALL,
        StreamFault.STALL_WITH_PONGS,
        StreamFault.STREAM_TERMINATED,
    }
)
"""Those that strike a connection, and so can also strike at once."""

USER = "user"
"""The name of the account's own stream; market streams are called as the venue calls them."""


class StreamPlan(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One armed fault: it strikes the nth event, or subscription, of the streams it matches."""

    fault: StreamFault
    stream: str = "*"
    """A shell pattern: ``user``, ``btcusdt@trade``, ``*@depth*``."""
    event: str = "*"
    """A shell pattern for the kind of event: ``executionReport``, and of OKX ``orders``."""
    client_order_id: str = "*"
    """A shell pattern; of an event that is about no order it is empty."""
    nth: int = 1
    times: int | None = 1
    delay_ms: int = 1_000

    def __post_init__(self) -> None:
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise ValueError("nth and times count from 1")


class ArmedStream(msgspec.Struct, kw_only=True):
    """A plan at work, and what it has seen and done so far."""

    plan: StreamPlan
    seen: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        """Count one, and say whether it is struck."""
        self.seen += 1
        is_spent = self.plan.times is not None and self.struck >= self.plan.times
        if self.seen < self.plan.nth or is_spent:
            return False
        self.struck += 1
        return True


class StreamFaults:
    """The plans that are armed; the oldest that matches strikes."""

    def __init__(self) -> None:
        self.armed: list[ArmedStream] = []

    def on_event(self, stream: str, event: str, client_order_id: str = "") -> StreamPlan | None:
        """Give the plan that strikes an event."""
        return self._strike(
            one
            for one in self.armed
            if one.plan.fault not in AT_SUBSCRIBE
            and fnmatchcase(stream, one.plan.stream)
            and fnmatchcase(event, one.plan.event)
            and fnmatchcase(client_order_id, one.plan.client_order_id)
            and (one.plan.fault is not StreamFault.DEPTH_GAP or event == "depthUpdate")
        )

    def on_subscribe(self, streams: Iterable[str]) -> StreamPlan | None:
        """Give the plan that strikes a subscription."""
        asked = list(streams)
        return self._strike(
            one
            for one in self.armed
            if one.plan.fault in AT_SUBSCRIBE
            and any(fnmatchcase(stream, one.plan.stream) for stream in asked)
        )

    def _strike(self, matching: Iterable[ArmedStream]) -> StreamPlan | None:
        return next((one.plan for one in matching if one.strikes()), None)
