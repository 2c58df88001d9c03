"""The crash rehearsal's cases of a stop: from its entry's claim until nothing is left of it. Pure.

A case is stop/POINT/FAULT/BLOW. An entry with a stop is filled at the exchange, the market falls
through the stop, and the executor sells by itself. On that road lie the points of any order, of
which nobody tells the executor, and before and behind them those of the stop.
"""

from enum import StrEnum

import msgspec

from decisions.drill import (
    COMMITTED,
    LEDGER_BLOWS,
    ONE_OF_EACH_AND_A_HANG,
    OTHERS,
    RESTART,
    STILL,
    Blow,
    Case,
    Point,
    is_possible,
)
from decisions.drill_faults import FAULTS, Outcome

ROAD = "stop"


class StopPoint(StrEnum):
    """A durable step of a stop, in their order; between `touched` and `before_ended` its exit's."""

    BEFORE_DECLARED = "before_declared"
    AFTER_DECLARED = "after_declared"
    BEFORE_ARMED = "before_armed"
    AFTER_ARMED = "after_armed"
    TOUCHED = "touched"
    BEFORE_ACTED = "before_acted"
    AFTER_ACTED = "after_acted"
    BEFORE_RETRIED = "before_retried"
    AFTER_RETRIED = "after_retried"
    BEFORE_ENDED = "before_ended"
    AFTER_ENDED = "after_ended"


STOP_POINTS: dict[StopPoint, str] = {
    StopPoint.BEFORE_DECLARED: "the entry's claim is about to be committed, and its stop with it",
    StopPoint.AFTER_DECLARED: "both are durable; the gateway does not have the entry yet",
    StopPoint.BEFORE_ARMED: "it is about to be committed that the entry is filled",
    StopPoint.AFTER_ARMED: "that is durable: the stop has something to protect",
    StopPoint.TOUCHED: "the executor has the price that reaches the stop in its mailbox",
    StopPoint.BEFORE_ACTED: "under a halt: it is about to be committed that the stop has acted",
    StopPoint.AFTER_ACTED: "under a halt: that is durable; its exit may not be sent",
    StopPoint.BEFORE_RETRIED: "its exit was rejected; the next is about to be committed",
    StopPoint.AFTER_RETRIED: "the next exit is durable; the gateway does not have it yet",
    StopPoint.BEFORE_ENDED: "it is about to be committed that nothing is left of the stop",
    StopPoint.AFTER_ENDED: "that is durable; nobody has been told",
}

ENTRY_LOST = "entry_lost"
"""The answer to the entry is lost, so that asking arms the stop."""
HALTED = "halted"
"""Trading is halted before the market falls, and resumed afterwards."""

STOP_FAULTS: dict[str, Outcome] = {
    **{
        name: FAULTS[name]
        for name in (
            *("none", "reset_after", "reset_before", "hang_after", "hang_before"),
            *("server_error_after", "late_inside", "late_outside", "too_many_requests"),
            *("stale_read", "streamed"),
        )
    },
    ENTRY_LOST: Outcome.ANSWERED,
    HALTED: Outcome.ANSWERED,
}
"""What becomes of the exit: one of each kind, for orders rehearse the rest; and two of its own."""

ROAD_POINTS: tuple[StopPoint | Point, ...] = (
    *tuple(StopPoint)[: tuple(StopPoint).index(StopPoint.BEFORE_RETRIED)],
    *tuple(Point)[1:],
    *tuple(StopPoint)[tuple(StopPoint).index(StopPoint.BEFORE_RETRIED) :],
)
_HELD = (StopPoint.BEFORE_ACTED, StopPoint.AFTER_ACTED)
_RETRIED = (StopPoint.BEFORE_RETRIED, StopPoint.AFTER_RETRIED)
_ENTRY = (
    *(StopPoint.BEFORE_DECLARED, StopPoint.AFTER_DECLARED),
    *(StopPoint.BEFORE_ARMED, StopPoint.AFTER_ARMED),
)
_NEAR = ("none", "reset_after", "too_many_requests", ENTRY_LOST, HALTED)
STOP_COMMITTED: frozenset[StopPoint | Point] = COMMITTED | {
    StopPoint.AFTER_DECLARED,
    StopPoint.AFTER_ARMED,
    StopPoint.AFTER_ACTED,
    StopPoint.AFTER_RETRIED,
    StopPoint.AFTER_ENDED,
}
"""A commit of the stop's, or of its exit's, has just been carried out."""


class StopCase(msgspec.Struct, frozen=True, order=True):
    """One rehearsal."""

    point: StopPoint | Point
    fault: str
    blow: Blow

    def __str__(self) -> str:
        return f"{ROAD}/{self.point}/{self.fault}/{self.blow}"


def is_stop_possible(case: StopCase) -> bool:
    """Whether a stop whose exit the fault strikes surely comes by the point."""
    point, fault = case.point, case.fault
    if case.blow is Blow.COMMIT_UNANSWERED and point not in STOP_COMMITTED:
        return False
    if case.blow is Blow.NONE:
        return point is StopPoint.TOUCHED  # nobody dies, so the place says nothing
    if point in _HELD:
        return fault == HALTED
    if point in _RETRIED:
        return STOP_FAULTS[fault] is Outcome.REFUSED
    if isinstance(point, StopPoint):
        return True
    as_order = fault if fault in FAULTS else "none"
    return point is not Point.INTENT_TOLD and is_possible(Case(point, as_order, case.blow))


def full_stop_cases() -> list[StopCase]:
    """Give every case that is possible and rehearses something of its own."""
    return [
        case
        for point in ROAD_POINTS
        for fault in STOP_FAULTS
        for blow in Blow
        if blow not in (*LEDGER_BLOWS, *STILL)
        and is_stop_possible(case := StopCase(point, fault, blow))
        and _is_worth(case)
    ]


def lost_ledger_stop_cases() -> list[StopCase]:
    """Give those of a ledger in PostgreSQL: every point, and one fault of each outcome."""
    return [
        case
        for point in ROAD_POINTS
        for fault in (*ONE_OF_EACH_AND_A_HANG, ENTRY_LOST, HALTED)
        for blow in LEDGER_BLOWS
        if _is_near(point, fault) and is_stop_possible(case := StopCase(point, fault, blow))
    ]


def _is_near(point: StopPoint | Point, fault: str) -> bool:
    """Whether a fault is worth its while where the ledger is lost: the rest is as with orders."""
    if fault == "hang_after":
        return point is Point.ANSWER_PENDING
    if fault == ENTRY_LOST:
        return point in _ENTRY
    if fault == HALTED:
        return point in (*_HELD, StopPoint.TOUCHED, Point.BEFORE_CLAIM, Point.AFTER_CLAIM)
    return point not in _ENTRY or fault == "none"


def _is_worth(case: StopCase) -> bool:
    """The strategy is told that its stop acted; the other actors hold nothing of it.

    Before the exit is sent it is one fault of each kind, and after it nothing but the way there.
    """
    if case.blow in OTHERS:
        return case.point in (StopPoint.TOUCHED, Point.AFTER_CLAIM)
    if case.blow is Blow.FREEZE:
        return case.fault == _usual(case.point)
    if case.fault in (ENTRY_LOST, HALTED) and case.point in RESTART:
        return False
    return case.point not in _ENTRY or case.fault in _NEAR


def _usual(point: StopPoint | Point) -> str:
    """Name the simplest fault under which a stop comes by the point."""
    possible = (f for f in STOP_FAULTS if is_stop_possible(StopCase(point, f, Blow.FREEZE)))
    return next(possible)


def quick_stop_cases() -> list[StopCase]:
    """Give a choice: every durable step is killed at or struck, and three kinds of fault."""
    return [
        StopCase(StopPoint.TOUCHED, "too_many_requests", Blow.NONE),
        StopCase(StopPoint.BEFORE_DECLARED, "none", Blow.KILL),
        StopCase(StopPoint.AFTER_ARMED, ENTRY_LOST, Blow.KILL),
        StopCase(StopPoint.TOUCHED, "none", Blow.EXECUTOR_CRASH),
        StopCase(StopPoint.AFTER_ACTED, HALTED, Blow.KILL),
        StopCase(Point.BEFORE_CLAIM, "none", Blow.KILL),
        StopCase(Point.AFTER_CLAIM, "none", Blow.STRATEGY_CRASH),
        StopCase(Point.PAST_FENCE, "reset_after", Blow.EXECUTOR_HANG),
        StopCase(Point.ANSWER_RECEIVED, "reset_after", Blow.KILL),
        StopCase(Point.ABSENCE_RECORDED, "reset_before", Blow.EXECUTOR_CRASH),
        StopCase(StopPoint.AFTER_RETRIED, "too_many_requests", Blow.KILL),
        StopCase(StopPoint.BEFORE_ENDED, "none", Blow.KILL),
    ]


def quick_lost_ledger_stop_cases() -> list[StopCase]:
    """Give a choice: as the stop is declared, as it acts, and as it ends."""
    return [
        StopCase(StopPoint.AFTER_DECLARED, "none", Blow.COMMIT_UNANSWERED),
        StopCase(Point.BEFORE_CLAIM, "none", Blow.LEDGER_LOST),
        StopCase(StopPoint.AFTER_ENDED, "none", Blow.COMMIT_UNANSWERED),
    ]


def parse_stop_case(text: str) -> StopCase:
    """Read stop/POINT/FAULT/BLOW.

    Raises:
        ValueError: the sentence says which part is wrong and what it may be.
    """
    parts = text.split("/")
    if len(parts) != 4 or parts[0] != ROAD:
        raise ValueError(
            f"{text!r} is not {ROAD}/POINT/FAULT/BLOW, such as {ROAD}/before_claim/none/kill"
        )
    words: tuple[list[str], ...] = ([*ROAD_POINTS], [*STOP_FAULTS], [*Blow])
    for part, known in zip(parts[1:], words, strict=True):
        if part not in known:
            raise ValueError(f"{part!r} is none of: {', '.join(known)}")
    place, fault, blow = parts[1:]
    point = next(point for point in ROAD_POINTS if point == place)
    case = StopCase(point, fault, Blow(blow))
    if not is_stop_possible(case):
        raise ValueError(f"{text}: a stop under {fault} does not surely come by that point")
    return case
