"""The crash rehearsal's faults of an order: what each does to it, and where it is played. Pure."""

from enum import StrEnum


class Outcome(StrEnum):
    """What a fault does to one order."""

    ANSWERED = "answered"
    TAKEN = "taken"
    """The venue has it and the answer is lost."""
    LATE = "late"
    """The venue will have it, after the sender has given up waiting."""
    ABSENT = "absent"
    """The venue does not have it, which the answer proves where it is in `PROVED` alone."""
    REFUSED = "refused"
    """The venue says that it does not take it; final."""


EVERYWHERE: dict[str, Outcome] = {
    "none": Outcome.ANSWERED,
    "reset_after": Outcome.TAKEN,
    "reset_before": Outcome.ABSENT,
    "hang_after": Outcome.TAKEN,
    "hang_before": Outcome.ABSENT,
    "close_after": Outcome.TAKEN,
    "close_before": Outcome.ABSENT,
    "empty_body": Outcome.TAKEN,
    "empty_object": Outcome.TAKEN,
    "html_body": Outcome.TAKEN,
    "half_json": Outcome.TAKEN,
    "server_error_after": Outcome.TAKEN,
    "server_error_before": Outcome.ABSENT,
    "timeout_code_after": Outcome.TAKEN,
    "timeout_code_before": Outcome.ABSENT,
    "late_inside": Outcome.LATE,
    "late_outside": Outcome.ABSENT,
    "too_many_requests": Outcome.REFUSED,
    "stale_read": Outcome.TAKEN,
    "query_reset": Outcome.TAKEN,
    "query_html": Outcome.TAKEN,
    "query_429": Outcome.TAKEN,
    "streamed": Outcome.TAKEN,
    "connection_refused": Outcome.ABSENT,
}
"""Each strikes one order once, and is played at every point that an order under it comes by. The
last six: its answer is lost, and then the questions see too old a state, are reset, are answered
with HTML or with 429, or the stream tells first; and nobody listens where it is sent to."""

PROVED: frozenset[str] = frozenset({"connection_refused"})
"""The request has surely not left: nobody asks for the order, it is sent again."""

SENT_INTO: dict[str, Outcome] = {
    "truncated_length": Outcome.TAKEN,
    "truncated_chunked": Outcome.TAKEN,
    "gateway_timeout_after": Outcome.TAKEN,
    "gateway_timeout_before": Outcome.ABSENT,
    "unexpected_response_after": Outcome.TAKEN,
    "unexpected_response_before": Outcome.ABSENT,
    "disconnected_after": Outcome.TAKEN,
    "disconnected_before": Outcome.ABSENT,
    "unknown_code_after": Outcome.TAKEN,
    "server_busy": Outcome.ABSENT,
    "firewall": Outcome.ABSENT,
    "maintenance": Outcome.ABSENT,
    "too_many_orders": Outcome.REFUSED,
    "ip_banned": Outcome.REFUSED,
    "key_revoked": Outcome.REFUSED,
    "clock_refused": Outcome.REFUSED,
    "delayed_engine": Outcome.LATE,
    "delayed_engine_outside": Outcome.ABSENT,
    "delayed_reply": Outcome.TAKEN,
    "partial_fill": Outcome.ANSWERED,
    "no_fill": Outcome.ANSWERED,
    "reset_idle_keep_alive": Outcome.ANSWERED,
}
"""What else a placement meets, once. Of an order whose answer is durable nothing tells which of
them it was, so they are played where the request leaves, where its answer is read, and at one step
of what becomes of it."""

ASKED_INTO: dict[str, Outcome] = dict.fromkeys(
    (
        *("query_hang", "query_close", "query_empty", "query_half", "query_truncated"),
        *("query_502", "query_504", "query_busy", "query_unknown_code", "query_firewall"),
        *("query_maintenance", "query_banned", "query_clock", "query_revoked"),
        *("query_delayed", "query_lagging"),
    ),
    Outcome.TAKEN,
)
"""What else the questions for an order meet whose answer is lost: played where it is asked for."""

WHERE_IT_RESTS: dict[str, Outcome] = {"delivered_twice": Outcome.ANSWERED}
"""What a placement meets where its order rests, so not on the road of an order of its own: one that
has filled is taken a second time, since an exchange wants ids to differ only of what is open, and
no client can keep the network from that."""

FAULTS: dict[str, Outcome] = {**EVERYWHERE, **SENT_INTO, **ASKED_INTO}

HALTING: frozenset[str] = frozenset({"key_revoked", "query_revoked"})
"""A key that is refused is a person's business: the process that hears of it says that it has
halted. There it must be said, and anywhere else it may not be."""

WAITS: frozenset[str] = frozenset(
    {"hang_after", "hang_before", "late_inside", "late_outside"}
    | {"delayed_engine", "delayed_engine_outside", "delayed_reply"}
)
"""The sender waits until it gives up."""

OF_PLACING: frozenset[str] = PROVED | {"too_many_orders", "partial_fill", "no_fill"}
"""A cancel meets them not: they are about what is placed, or strike no other request here."""
