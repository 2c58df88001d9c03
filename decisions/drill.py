"""The crash rehearsal's cases: where an order can be struck, by what, and who dies there. Pure.

A case is POINT/FAULT/BLOW. Not every point is on the road of every fault: an order that the
venue answers is never asked for, one that it has is never sent again. `is_possible` says so.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from decisions.drill_faults import (
    ASKED_INTO,
    EVERYWHERE,
    FAULTS,
    PROVED,
    SENT_INTO,
    WAITS,
    Outcome,
)


class Point(StrEnum):
    """A durable step or a message boundary in the life of an order, in their order."""

    INTENT_TOLD = "intent_told"
    INTENT_TAKEN = "intent_taken"
    BEFORE_CLAIM = "before_claim"
    AFTER_CLAIM = "after_claim"
    HANDED_OVER = "handed_over"
    ON_THE_LOOP = "on_the_loop"
    IN_FENCE = "in_fence"
    PAST_FENCE = "past_fence"
    ANSWER_PENDING = "answer_pending"
    ANSWER_RECEIVED = "answer_received"
    ANSWER_TOLD = "answer_told"
    BEFORE_OUTCOME = "before_outcome"
    AFTER_OUTCOME = "after_outcome"
    FIND_ASKED = "find_asked"
    FIND_ANSWERED = "find_answered"
    FIND_TOLD = "find_told"
    BEFORE_SETTLED = "before_settled"
    AFTER_SETTLED = "after_settled"
    ABSENCE_RECORDED = "absence_recorded"
    BEFORE_RESEND = "before_resend"
    AFTER_RESEND = "after_resend"
    RESTART_ASKED = "restart_asked"
    RESTART_ANSWERED = "restart_answered"


POINTS: dict[Point, str] = {
    Point.INTENT_TOLD: "the strategy has told the executor what it decided",
    Point.INTENT_TAKEN: "the executor has taken the intent from its mailbox",
    Point.BEFORE_CLAIM: "the decision is judged; its claim is about to be committed",
    Point.AFTER_CLAIM: "the claim is durable; the gateway does not have the order yet",
    Point.HANDED_OVER: "the gateway has the order",
    Point.ON_THE_LOOP: "the venue's loop begins to build the request",
    Point.IN_FENCE: "the request is signed; the fence has not been asked",
    Point.PAST_FENCE: "the fence has let the request pass; it has not left",
    Point.ANSWER_PENDING: "the request has left; no answer has come",
    Point.ANSWER_RECEIVED: "the answer has come; the executor has not been told",
    Point.ANSWER_TOLD: "the executor has the answer in its mailbox",
    Point.BEFORE_OUTCOME: "the answer is about to be committed",
    Point.AFTER_OUTCOME: "the answer is durable; nothing has been done about it",
    Point.FIND_ASKED: "the venue is about to be asked for an order of unknown outcome",
    Point.FIND_ANSWERED: "the venue has said what it has; the executor has not been told",
    Point.FIND_TOLD: "the executor has that in its mailbox",
    Point.BEFORE_SETTLED: "what the venue has is about to be committed",
    Point.AFTER_SETTLED: "what the venue has is durable; nothing has been done about it",
    Point.ABSENCE_RECORDED: "it is durable that the venue does not have it; not sent again yet",
    Point.BEFORE_RESEND: "the second send is about to be committed",
    Point.AFTER_RESEND: "the second send is durable; the gateway does not have it yet",
    Point.RESTART_ASKED: "after a kill, the new process is about to ask for the order",
    Point.RESTART_ANSWERED: "after a kill, the new process has its answer, the executor not yet",
}


class Blow(StrEnum):
    """Who dies at the point, and how."""

    NONE = "none"
    KILL = "kill"
    EXECUTOR_CRASH = "executor_crash"
    EXECUTOR_HANG = "executor_hang"
    STRATEGY_CRASH = "strategy_crash"
    STRATEGY_HANG = "strategy_hang"
    FEED_CRASH = "feed_crash"
    FEED_HANG = "feed_hang"
    METRICS_CRASH = "metrics_crash"
    METRICS_HANG = "metrics_hang"
    FREEZE = "freeze"
    """All of the process stands still for longer than a request is good for, and goes on."""
    LEDGER_LOST = "ledger_lost"
    """Of a ledger in PostgreSQL: its server is gone at the point, and back in a moment."""
    COMMIT_UNANSWERED = "commit_unanswered"
    """The same, after a commit was carried out and before that is told."""


_ASKED = (
    *(Point.FIND_ASKED, Point.FIND_ANSWERED, Point.FIND_TOLD),
    *(Point.BEFORE_SETTLED, Point.AFTER_SETTLED),
)
_AGAIN = (Point.ABSENCE_RECORDED, Point.BEFORE_RESEND, Point.AFTER_RESEND)
RESTART = (Point.RESTART_ASKED, Point.RESTART_ANSWERED)
"""In a second life, after a first was killed when the answer had come."""
_LOST = (Outcome.TAKEN, Outcome.LATE, Outcome.ABSENT)
OTHERS = (Blow.STRATEGY_CRASH, Blow.STRATEGY_HANG, Blow.FEED_CRASH, Blow.METRICS_CRASH)
OF_OTHERS = (Point.INTENT_TOLD, Point.AFTER_CLAIM, Point.ANSWER_PENDING)
"""Where those die."""
STILL = (Blow.FEED_HANG, Blow.METRICS_HANG)
"""The feed as if it had crashed, after a second in which it does nothing; the metrics for good."""
LEDGER_BLOWS = (Blow.LEDGER_LOST, Blow.COMMIT_UNANSWERED)
COMMITTED = frozenset(
    {Point.AFTER_CLAIM, Point.AFTER_OUTCOME, Point.AFTER_SETTLED, Point.AFTER_RESEND}
)
"""A commit of the order's has just been carried out."""
ONE_OF_EACH = ("none", "reset_after", "reset_before", "late_inside", "too_many_requests")
"""One fault of each outcome; the others differ only in how an answer is lost."""
ONE_OF_EACH_AND_A_HANG = (*ONE_OF_EACH, "hang_after")
"""The same, and one that keeps the sender waiting."""


class Case(msgspec.Struct, frozen=True, order=True):
    """One rehearsal."""

    point: Point
    fault: str
    blow: Blow

    def __str__(self) -> str:
        return f"{self.point}/{self.fault}/{self.blow}"


def is_possible(case: Case) -> bool:
    """Whether an order that the fault strikes surely comes by the point."""
    outcome, point = FAULTS[case.fault], case.point
    if case.blow is Blow.NONE and point is not Point.INTENT_TOLD:
        return False  # nobody dies, so the place says nothing
    if case.blow is Blow.COMMIT_UNANSWERED and point not in COMMITTED:
        return False
    if case.fault == "streamed" and point in (*_ASKED, *RESTART):
        return False  # the stream tells what the questions would
    if point is Point.ANSWER_PENDING:
        return case.fault in WAITS
    if point in _ASKED:
        return outcome in _LOST and case.fault not in PROVED
    if point in _AGAIN:
        return outcome is Outcome.ABSENT
    return True


def parse_case(text: str) -> Case:
    """Read POINT/FAULT/BLOW.

    Raises:
        ValueError: the sentence says which part is wrong and what it may be.
    """
    parts = text.split("/")
    if len(parts) != 3:
        raise ValueError(f"{text!r} is not POINT/FAULT/BLOW, such as in_fence/reset_after/kill")
    words: tuple[list[str], ...] = ([*Point], [*FAULTS], [*Blow])
    for part, known in zip(parts, words, strict=True):
        if part not in known:
            raise ValueError(f"{part!r} is none of: {', '.join(known)}")
    case = Case(Point(parts[0]), parts[1], Blow(parts[2]))
    if not is_possible(case):
        raise ValueError(f"{text}: an order under {case.fault} does not surely come by that point")
    return case


def full_cases() -> list[Case]:
    """Give every case that is possible, wherever the ledger is."""
    return [
        case
        for point in Point
        for fault in FAULTS
        for blow in Blow
        if blow not in LEDGER_BLOWS
        and is_possible(case := Case(point, fault, blow))
        and _is_worth(case)
    ]


def lost_ledger_cases() -> list[Case]:
    """Give those of a ledger in PostgreSQL: every point, and one fault of each outcome."""
    return [
        case
        for point in Point
        for fault in ONE_OF_EACH_AND_A_HANG
        for blow in LEDGER_BLOWS
        if (fault != "hang_after" or point is Point.ANSWER_PENDING)
        and is_possible(case := Case(point, fault, blow))
    ]


def _is_worth(case: Case) -> bool:
    """The other actors hold no order: they die where an order has just been made or sent."""
    if case.fault in SENT_INTO:
        return case.blow is Blow.NONE or case.point in _of_sending(case.fault, case.blow)
    if case.fault in ASKED_INTO:
        return case.blow is Blow.NONE or case.point in _ASKING.get(case.blow, ())
    if case.blow in (*OTHERS, *STILL):
        return case.point in OF_OTHERS and (
            case.fault in ONE_OF_EACH_AND_A_HANG or case.blow in OTHERS
        )
    if case.blow is Blow.FREEZE:
        return case.fault in ONE_OF_EACH_AND_A_HANG
    return True


_ASKING: dict[Blow, tuple[Point, ...]] = {
    Blow.KILL: (
        Point.BEFORE_OUTCOME,  # the next process asks first, and meets the fault as it starts
        *(Point.FIND_ANSWERED, Point.FIND_TOLD),  # it asks for what has failed once
        Point.RESTART_ANSWERED,  # and so does the third
    ),
    # Its successor meets the fault as it starts, or asks again; what hung wakes up beside it.
    Blow.EXECUTOR_CRASH: (Point.ANSWER_RECEIVED, Point.FIND_ASKED, Point.FIND_ANSWERED),
    Blow.EXECUTOR_HANG: (Point.ANSWER_RECEIVED, Point.FIND_ASKED, Point.FIND_ANSWERED),
}
"""Where questions that fail can matter: who asks again, and whom a late answer reaches."""


def _of_sending(fault: str, blow: Blow) -> tuple[Point, ...]:
    """Give where somebody dies under a fault that a placement meets."""
    if blow is Blow.EXECUTOR_CRASH:  # its successor gets an answer that it has not asked for
        return (Point.PAST_FENCE, Point.ANSWER_PENDING, Point.ANSWER_RECEIVED)
    if blow is Blow.EXECUTOR_HANG:  # the same, and what hung wakes up and hears of it, too
        waits = (Point.ANSWER_PENDING, Point.ANSWER_RECEIVED)
        return (*waits, Point.FIND_ASKED, Point.FIND_ANSWERED)
    if blow is not Blow.KILL:
        return ()
    # Past the fence the second send meets it, by the process that found the order absent.
    sent = (Point.PAST_FENCE, Point.ANSWER_PENDING, Point.ANSWER_RECEIVED, Point.BEFORE_OUTCOME)
    match SENT_INTO[fault]:
        case Outcome.ANSWERED:
            return (*sent, Point.RESTART_ASKED)
        case Outcome.TAKEN:
            return (*sent, Point.FIND_ASKED)
        case Outcome.LATE:
            return (*sent, Point.FIND_ASKED, Point.RESTART_ASKED)
        case Outcome.ABSENT:
            return (*sent, Point.FIND_ASKED, Point.BEFORE_RESEND)
        case Outcome.REFUSED:
            return (*sent, Point.AFTER_OUTCOME)


def quick_lost_ledger_cases() -> list[Case]:
    """Give a choice: before and after a commit, in it, and while the order is on its way."""
    return [
        Case(Point.BEFORE_CLAIM, "none", Blow.LEDGER_LOST),
        Case(Point.AFTER_CLAIM, "none", Blow.COMMIT_UNANSWERED),
        Case(Point.PAST_FENCE, "reset_after", Blow.LEDGER_LOST),
        Case(Point.AFTER_OUTCOME, "none", Blow.COMMIT_UNANSWERED),
    ]


def quick_cases() -> list[Case]:
    """Give a choice: every point is killed at, every kind of fault strikes, every blow falls."""
    return sorted({*_every_point(), *_every_fault(), *_every_blow()}, key=_by_place)


def _every_point() -> Iterator[Case]:
    for point in Point:
        fault = "reset_after"
        if point is Point.ANSWER_PENDING:
            fault = "hang_after"
        elif point in _AGAIN:
            fault = "reset_before"
        elif point in (Point.INTENT_TOLD, Point.INTENT_TAKEN, Point.ANSWER_TOLD):
            fault = "none"
        elif point is Point.FIND_TOLD:
            fault = "query_maintenance"
        yield Case(point, fault, Blow.KILL)


_LIKE_OTHERS = frozenset(
    {"reset_after", "reset_before", "hang_after", "close_after", "close_before", "half_json"}
    | {"empty_object", "timeout_code_before", "server_error_before", "query_html"}
    | {"empty_body", "timeout_code_after"}
)
"""Killed at above, or so near to another fault that the full matrix is the place for it."""


def _every_fault() -> Iterator[Case]:
    for fault in EVERYWHERE:
        if fault in ("none", "late_inside", "stale_read", "too_many_requests", "hang_before"):
            continue
        if fault in PROVED:
            continue  # killed at below
        if fault not in _LIKE_OTHERS:
            yield Case(Point.INTENT_TOLD, fault, Blow.NONE)
    yield Case(Point.INTENT_TOLD, "none", Blow.NONE)
    yield Case(Point.ANSWER_RECEIVED, "key_revoked", Blow.EXECUTOR_CRASH)
    yield Case(Point.ANSWER_RECEIVED, "unexpected_response_after", Blow.EXECUTOR_HANG)
    yield Case(Point.ABSENCE_RECORDED, "connection_refused", Blow.KILL)
    yield Case(Point.AFTER_OUTCOME, "stale_read", Blow.KILL)
    yield Case(Point.ANSWER_PENDING, "late_inside", Blow.KILL)
    yield Case(Point.ANSWER_RECEIVED, "too_many_requests", Blow.KILL)
    yield Case(Point.RESTART_ASKED, "hang_before", Blow.KILL)
    yield Case(Point.FIND_ASKED, "hang_before", Blow.EXECUTOR_CRASH)


def _every_blow() -> Iterator[Case]:
    yield Case(Point.AFTER_CLAIM, "none", Blow.EXECUTOR_CRASH)
    yield Case(Point.BEFORE_CLAIM, "none", Blow.EXECUTOR_HANG)
    yield Case(Point.IN_FENCE, "none", Blow.EXECUTOR_CRASH)
    yield Case(Point.PAST_FENCE, "none", Blow.EXECUTOR_HANG)
    yield Case(Point.PAST_FENCE, "none", Blow.FREEZE)
    yield Case(Point.ANSWER_RECEIVED, "none", Blow.EXECUTOR_CRASH)
    yield Case(Point.INTENT_TOLD, "none", Blow.EXECUTOR_CRASH)
    yield Case(Point.INTENT_TOLD, "none", Blow.STRATEGY_CRASH)
    yield Case(Point.INTENT_TOLD, "none", Blow.STRATEGY_HANG)
    yield Case(Point.AFTER_CLAIM, "none", Blow.FEED_CRASH)
    yield Case(Point.AFTER_CLAIM, "none", Blow.METRICS_CRASH)


def _by_place(case: Case) -> tuple[int, int, int]:
    places = (list(Point), list(FAULTS), list(Blow))
    return (
        places[0].index(case.point),
        places[1].index(case.fault),
        places[2].index(case.blow),
    )
