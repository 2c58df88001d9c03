"""The crash rehearsal's cases of a replacement: one order ends, and another takes its place. Pure.

A case is replace/POINT/FAULT/BLOW. An order rests at the exchange; its strategy decides that
another one takes its place; the first is canceled, proved to have ended, and then the second is
sent. The points of the first are those of a cancel, by `first_` and their names; those of the
second are those of any order.
"""

from collections.abc import Iterator

import msgspec

from decisions.drill import Blow, Case, Point, is_possible
from decisions.drill_cancel import CANCEL_FAULTS, FEW_POINTS, CancelPoint, Kind
from decisions.drill_faults import FAULTS, WHERE_IT_RESTS, Outcome

ROAD = "replace"
FIRST, SECOND = "first_", "second_"

_P = CancelPoint
FIRST_POINTS: tuple[CancelPoint, ...] = (
    *(_P.BEFORE_UNWANTED, _P.AFTER_UNWANTED),
    *(_P.CANCEL_HANDED, _P.CANCEL_ON_LOOP, _P.CANCEL_PENDING, _P.CANCEL_REPLIED, _P.CANCEL_SHOWN),
    *(_P.CANCEL_TOLD, _P.BEFORE_END, _P.AFTER_END, _P.FIND_ASKED, _P.FIND_ANSWERED, _P.FIND_TOLD),
)
"""Of the first, from the wish to its proof; with the first two it is written down as well what is
to take its place."""
DECIDED = (Point.INTENT_TOLD, Point.INTENT_TAKEN)
"""Of the second, before anything becomes of the first."""
ROAD_POINTS: tuple[CancelPoint | Point, ...] = (
    *DECIDED,
    *FIRST_POINTS,
    *(point for point in Point if point not in DECIDED),
)

FIRST_FAULTS: dict[str, Kind] = {
    name: kind
    for name, kind in CANCEL_FAULTS.items()
    if kind not in (Kind.LIST, Kind.PLACING) and name not in FEW_POINTS
}
"""What strikes the first's cancel: an order that is replaced is known to be there. What cancels
are struck by at few points tells nothing more here."""
SECOND_FAULTS: dict[str, Outcome] = {
    **{
        SECOND + name: FAULTS[name]
        for name in (
            *("reset_after", "reset_before", "hang_after", "server_error_after", "late_inside"),
            *("too_many_requests", "stale_read", "query_html"),
        )
    },
    **{SECOND + name: outcome for name, outcome in WHERE_IT_RESTS.items()},
}
"""What strikes the second's placement."""
_TWICE = frozenset(SECOND + name for name in WHERE_IT_RESTS)
_TAKEN_TWICE = {
    Blow.KILL: (Point.ANSWER_RECEIVED, Point.BEFORE_OUTCOME),
    Blow.EXECUTOR_CRASH: (Point.ANSWER_RECEIVED,),
}
"""Where it may matter that its request came twice: while its answer is not durable."""
REPLACE_FAULTS: tuple[str, ...] = (*FIRST_FAULTS, *SECOND_FAULTS)

_ENDS_WHOLE = frozenset({"filled_unseen", "cancel_fill_race"})
"""Nothing is left for the second."""
_ASKED_FOR = frozenset(
    {"server_error_before", "timeout_code_before", "too_many_requests", "hang_before"}
    | {"late_outside", "stale_read", "lagging_read", "lagging_race"}
    | {"query_reset", "query_html", "query_429"}
)
"""The cancel does not take place, or what is shown of it does not say so: the first is asked for.
(One that is reset before it arrives is repeated by the client.)"""
_EARLY = (*DECIDED, _P.BEFORE_UNWANTED, _P.AFTER_UNWANTED, _P.CANCEL_HANDED, _P.CANCEL_ON_LOOP)
_ONE_OF_EACH = frozenset(
    {"none", "reset_after", "reset_before", "late_inside", "stale_read", "streamed"}
    | {"filled_unseen", "part_unseen", "expired_unseen", "cancel_partial_race", "lagging_race"}
)
_BEHIND = frozenset({"none", "cancel_partial_race", "reset_before", "expired_unseen"})
"""What is left to tell of the first, once the second is under way."""
_BLOWS = (Blow.KILL, Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG, Blow.FREEZE)
_OTHERS = (Blow.STRATEGY_CRASH, Blow.STRATEGY_HANG)
_OF_STRATEGY = (Point.INTENT_TOLD, _P.AFTER_UNWANTED, _P.AFTER_END, Point.AFTER_CLAIM)


class ReplaceCase(msgspec.Struct, frozen=True):
    """One rehearsal."""

    point: CancelPoint | Point
    fault: str
    blow: Blow

    def __str__(self) -> str:
        return f"{ROAD}/{name_of(self.point)}/{self.fault}/{self.blow}"


def name_of(point: CancelPoint | Point) -> str:
    """Give how a point is called on this road."""
    return f"{FIRST}{point}" if isinstance(point, CancelPoint) else str(point)


def is_replace_possible(case: ReplaceCase) -> bool:
    """Whether the orders surely come by the point."""
    point, fault = case.point, case.fault
    if case.blow not in (Blow.NONE, *_BLOWS, *_OTHERS):
        return False
    if case.blow is Blow.NONE:
        return point is Point.INTENT_TOLD
    if isinstance(point, CancelPoint):
        if point is _P.CANCEL_PENDING:
            return FIRST_FAULTS.get(fault) is Kind.WAIT
        asked = point not in (_P.FIND_ASKED, _P.FIND_ANSWERED, _P.FIND_TOLD)
        return asked or fault in _ASKED_FOR
    if point not in DECIDED and fault in _ENDS_WHOLE:
        return False
    placed = fault.removeprefix(SECOND) if fault in SECOND_FAULTS else "none"
    as_order = placed if placed in FAULTS else "none"
    return is_possible(Case(point, as_order, case.blow))


def _is_worth(case: ReplaceCase) -> bool:
    point, fault = case.point, case.fault
    if case.blow is Blow.NONE:
        return True
    if case.blow in _OTHERS:
        return point in _OF_STRATEGY and fault == "none"
    if case.blow is Blow.FREEZE:
        return fault == _usual(point)
    if fault in _TWICE:
        return point in _TAKEN_TWICE.get(case.blow, ())
    if isinstance(point, Point) and point not in DECIDED:
        return fault in SECOND_FAULTS or fault in _BEHIND
    if fault in SECOND_FAULTS:
        return False  # nothing of the second is there yet
    return point not in _EARLY or fault in _ONE_OF_EACH


def full_replace_cases() -> list[ReplaceCase]:
    """Give every case that is possible and rehearses something of its own."""
    return [
        case
        for point in ROAD_POINTS
        for fault in REPLACE_FAULTS
        for blow in (Blow.NONE, *_BLOWS, *_OTHERS)
        if is_replace_possible(case := ReplaceCase(point, fault, blow)) and _is_worth(case)
    ]


def _usual(point: CancelPoint | Point) -> str:
    """Name the simplest fault under which the orders come by the point."""
    frozen = (ReplaceCase(point, fault, Blow.FREEZE) for fault in REPLACE_FAULTS)
    return next(case.fault for case in frozen if is_replace_possible(case))


def quick_replace_cases() -> list[ReplaceCase]:
    """Give a choice: each durable step, both orders, a case for each kind of fault and blow."""
    return list(_quick())


def _quick() -> Iterator[ReplaceCase]:
    yield ReplaceCase(Point.INTENT_TOLD, "server_error_before", Blow.NONE)
    yield ReplaceCase(Point.INTENT_TOLD, "cancel_partial_race", Blow.NONE)
    yield ReplaceCase(_P.BEFORE_UNWANTED, "none", Blow.EXECUTOR_CRASH)
    yield ReplaceCase(_P.AFTER_UNWANTED, "reset_before", Blow.KILL)
    yield ReplaceCase(_P.CANCEL_REPLIED, "server_error_before", Blow.EXECUTOR_CRASH)
    yield ReplaceCase(_P.AFTER_END, "part_unseen", Blow.EXECUTOR_HANG)
    yield ReplaceCase(_P.AFTER_END, "none", Blow.KILL)
    yield ReplaceCase(Point.AFTER_CLAIM, "cancel_partial_race", Blow.KILL)
    yield ReplaceCase(Point.ANSWER_RECEIVED, f"{SECOND}reset_after", Blow.KILL)


def parse_replace_case(text: str) -> ReplaceCase:
    """Read replace/POINT/FAULT/BLOW.

    Raises:
        ValueError: the sentence says which part is wrong and what it may be.
    """
    parts = text.split("/")
    if len(parts) != 4 or parts[0] != ROAD:
        raise ValueError(f"{text!r} is not {ROAD}/POINT/FAULT/BLOW, such as {next(_quick())}")
    points = {name_of(point): point for point in ROAD_POINTS}
    words: tuple[list[str], ...] = ([*points], [*REPLACE_FAULTS], [Blow.NONE, *_BLOWS, *_OTHERS])
    for part, known in zip(parts[1:], words, strict=True):
        if part not in known:
            raise ValueError(f"{part!r} is none of: {', '.join(known)}")
    case = ReplaceCase(points[parts[1]], parts[2], Blow(parts[3]))
    if not is_replace_possible(case):
        raise ValueError(f"{text}: an order under {case.fault} does not surely come by that point")
    return case
