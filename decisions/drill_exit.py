"""The crash rehearsal's cases of an exit that is decided while its entry still fills. Pure.

A case is exit/POINT/FAULT/BLOW. An entry rests at the exchange and nothing of it has filled when
its strategy leaves: the exit waits. The entry fills in parts; the exit is sent for the first, and
further orders for what fills later. The exit comes by the points of any order. So does the first
order that follows it; the names of its points begin with `rest_`.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from decisions.drill import (
    COMMITTED,
    LEDGER_BLOWS,
    ONE_OF_EACH_AND_A_HANG,
    OTHERS,
    Blow,
    Case,
    Point,
    is_possible,
)
from decisions.drill_faults import FAULTS, Outcome

ROAD = "exit"
REST = "rest_"


class ExitPoint(StrEnum):
    """What lies on the road of an exit beside the points of orders, in its order."""

    BEFORE_NOTED = "before_noted"
    AFTER_NOTED = "after_noted"
    FILL_TOLD = "fill_told"
    BEFORE_FILLED = "before_filled"
    AFTER_FILLED = "after_filled"


EXIT_POINTS: dict[ExitPoint, str] = {
    ExitPoint.BEFORE_NOTED: "the exit is to wait; that is about to be committed",
    ExitPoint.AFTER_NOTED: "that is durable",
    ExitPoint.FILL_TOLD: "the executor has in its mailbox what its entry has filled first",
    ExitPoint.BEFORE_FILLED: "that is about to be committed",
    ExitPoint.AFTER_FILLED: "that is durable; the exit that waits has not been judged again",
}

DECIDED = (Point.INTENT_TOLD, Point.INTENT_TAKEN)
"""Of the exit, before it waits. Of what follows it nobody tells the executor."""
BEGINS = (*DECIDED, ExitPoint.BEFORE_NOTED)
"""Until it is durable: with its process the decision is gone."""


class Place(msgspec.Struct, frozen=True, order=True):
    """A point, and whether it is one of what follows the exit."""

    point: ExitPoint | Point
    of_rest: bool = False

    def __str__(self) -> str:
        return f"{REST}{self.point}" if self.of_rest else str(self.point)


PLACES: tuple[Place, ...] = (
    *map(Place, DECIDED),
    *map(Place, ExitPoint),
    *(Place(point) for point in Point if point not in DECIDED),
    *(Place(point, of_rest=True) for point in Point if point is not Point.INTENT_TOLD),
)

EXIT_FAULTS: dict[str, Outcome] = {
    name: FAULTS[name]
    for name in (
        *("none", "reset_after", "reset_before", "hang_after", "hang_before"),
        *("server_error_after", "late_inside", "late_outside", "too_many_requests"),
        *("stale_read", "streamed"),
    )
}
"""What becomes of the placement of the exit, or of what follows it: one of each kind."""
_BLOWS = (Blow.KILL, Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG, Blow.FREEZE)
_OF_OTHERS = (
    Place(Point.INTENT_TOLD),
    Place(ExitPoint.AFTER_NOTED),
    Place(Point.AFTER_CLAIM),
    Place(Point.AFTER_CLAIM, of_rest=True),
)
EXIT_COMMITTED = COMMITTED | {ExitPoint.AFTER_NOTED, ExitPoint.AFTER_FILLED}
"""A commit has just been carried out."""


class ExitCase(msgspec.Struct, frozen=True, order=True):
    """One rehearsal.

    The fault strikes the first order that follows if the place is one of its points, else the exit.
    """

    place: Place
    fault: str
    blow: Blow

    def __str__(self) -> str:
        return f"{ROAD}/{self.place}/{self.fault}/{self.blow}"


def is_exit_possible(case: ExitCase) -> bool:
    """Whether the orders surely come by the place."""
    point, blow = case.place.point, case.blow
    if blow is Blow.NONE:
        return case.place == Place(Point.INTENT_TOLD)  # nobody dies, so it says nothing
    if blow is Blow.COMMIT_UNANSWERED and point not in EXIT_COMMITTED:
        return False
    return isinstance(point, ExitPoint) or is_possible(Case(point, case.fault, blow))


def _is_worth(case: ExitCase) -> bool:
    """Ahead of the exit's claim two faults do; of what follows, one of each kind, and a hang."""
    if case.blow in OTHERS:
        return case.place in _OF_OTHERS and case.fault == "none"
    if case.blow is Blow.FREEZE:
        return case.fault == _usual(case.place.point)
    if case.blow is Blow.NONE:
        return True
    if isinstance(case.place.point, ExitPoint) or case.place.point in DECIDED:
        return case.fault in ("none", "reset_after")
    if case.place.of_rest:
        return case.fault in ONE_OF_EACH_AND_A_HANG
    return True


def full_exit_cases() -> list[ExitCase]:
    """Give every case that is possible and rehearses something of its own."""
    return [
        case
        for place in PLACES
        for fault in EXIT_FAULTS
        for blow in (Blow.NONE, *_BLOWS, *OTHERS)
        if is_exit_possible(case := ExitCase(place, fault, blow)) and _is_worth(case)
    ]


def lost_ledger_exit_cases() -> list[ExitCase]:
    """Give those of a ledger in PostgreSQL: every place where a lost one tells of this road."""
    return [
        case
        for place in PLACES
        for blow in LEDGER_BLOWS
        if isinstance(place.point, ExitPoint) or place.point in EXIT_COMMITTED
        if is_exit_possible(case := ExitCase(place, _usual(place.point), blow))
    ]


def _usual(point: ExitPoint | Point) -> str:
    """Name the simplest fault under which an order comes by the point."""
    return next(
        fault
        for fault in EXIT_FAULTS
        if isinstance(point, ExitPoint) or is_possible(Case(point, fault, Blow.KILL))
    )


def quick_exit_cases() -> list[ExitCase]:
    """Give a choice: each durable step of its own is killed at, both orders, each kind of fault."""
    return list(_quick())


def _quick() -> Iterator[ExitCase]:
    yield ExitCase(Place(Point.INTENT_TOLD), "too_many_requests", Blow.NONE)
    yield ExitCase(Place(ExitPoint.BEFORE_NOTED), "none", Blow.EXECUTOR_CRASH)
    yield ExitCase(Place(ExitPoint.AFTER_NOTED), "none", Blow.KILL)
    yield ExitCase(Place(ExitPoint.BEFORE_FILLED), "none", Blow.KILL)
    yield ExitCase(Place(ExitPoint.AFTER_FILLED), "none", Blow.EXECUTOR_HANG)
    yield ExitCase(Place(Point.AFTER_CLAIM), "none", Blow.KILL)
    yield ExitCase(Place(Point.ANSWER_RECEIVED), "reset_after", Blow.KILL)
    yield ExitCase(Place(Point.BEFORE_CLAIM, of_rest=True), "none", Blow.EXECUTOR_CRASH)
    yield ExitCase(Place(Point.PAST_FENCE, of_rest=True), "reset_after", Blow.EXECUTOR_HANG)
    yield ExitCase(Place(Point.ABSENCE_RECORDED, of_rest=True), "reset_before", Blow.KILL)


def parse_exit_case(text: str) -> ExitCase:
    """Read exit/POINT/FAULT/BLOW.

    Raises:
        ValueError: the sentence says which part is wrong and what it may be.
    """
    parts = text.split("/")
    if len(parts) != 4 or parts[0] != ROAD:
        raise ValueError(f"{text!r} is not {ROAD}/POINT/FAULT/BLOW, such as {next(_quick())}")
    places = {str(place): place for place in PLACES}
    words: tuple[list[str], ...] = ([*places], [*EXIT_FAULTS], [*Blow])
    for part, known in zip(parts[1:], words, strict=True):
        if part not in known:
            raise ValueError(f"{part!r} is none of: {', '.join(known)}")
    case = ExitCase(places[parts[1]], parts[2], Blow(parts[3]))
    if not is_exit_possible(case):
        raise ValueError(f"{text}: an exit under {case.fault} does not surely come by that point")
    return case
