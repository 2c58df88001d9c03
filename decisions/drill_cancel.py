"""The crash rehearsal's cases of the cancel's road: a halt, or one order at a person's word. Pure.

A case is ROAD/POINT/FAULT/BLOW. Orders rest at the exchange; then a halt falls, or a person
cancels one of them; and somewhere on the way from the order to the proof somebody dies.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from decisions.drill import Blow
from decisions.drill_faults import ASKED_INTO, OF_PLACING, SENT_INTO, WAITS


class Road(StrEnum):
    """What makes an order be canceled."""

    HALT = "halt"
    CANCEL = "cancel"


class CancelPoint(StrEnum):
    """A durable step or a message boundary of a halt or a cancel, in their order."""

    HALT_TOLD = "halt_told"
    BEFORE_HALT_KEPT = "before_halt_kept"
    AFTER_HALT_KEPT = "after_halt_kept"
    LIST_ASKED = "list_asked"
    LIST_ANSWERED = "list_answered"
    LIST_TOLD = "list_told"
    CANCEL_ORDERED = "cancel_ordered"
    BEFORE_UNWANTED = "before_unwanted"
    AFTER_UNWANTED = "after_unwanted"
    CANCEL_HANDED = "cancel_handed"
    CANCEL_ON_LOOP = "cancel_on_loop"
    CANCEL_PENDING = "cancel_pending"
    CANCEL_REPLIED = "cancel_replied"
    CANCEL_SHOWN = "cancel_shown"
    CANCEL_TOLD = "cancel_told"
    BEFORE_END = "before_end"
    AFTER_END = "after_end"
    FIND_ASKED = "find_asked"
    FIND_ANSWERED = "find_answered"
    FIND_TOLD = "find_told"
    PROOF_ASKED = "proof_asked"
    PROOF_ANSWERED = "proof_answered"
    PROOF_TOLD = "proof_told"
    PROVED = "proved"
    RESUME_TOLD = "resume_told"
    BEFORE_HALT_DROPPED = "before_halt_dropped"
    AFTER_HALT_DROPPED = "after_halt_dropped"
    PERSON_ANSWERED = "person_answered"


CANCEL_POINTS: dict[CancelPoint, str] = {
    CancelPoint.HALT_TOLD: "the executor has the halt in its mailbox",
    CancelPoint.BEFORE_HALT_KEPT: "nothing leaves any more; the halt is about to be committed",
    CancelPoint.AFTER_HALT_KEPT: "the halt is durable; nothing has been asked",
    CancelPoint.LIST_ASKED: "the venue is about to be asked what is open",
    CancelPoint.LIST_ANSWERED: "the venue has said what is open; the executor has not been told",
    CancelPoint.LIST_TOLD: "the executor has the list in its mailbox",
    CancelPoint.CANCEL_ORDERED: "the executor has a person's cancel in its mailbox",
    CancelPoint.BEFORE_UNWANTED: "it is about to be committed that the order is not sent again",
    CancelPoint.AFTER_UNWANTED: "that is durable; nothing has been canceled",
    CancelPoint.CANCEL_HANDED: "the gateway has the cancel",
    CancelPoint.CANCEL_ON_LOOP: "the venue's loop is about to send the cancel",
    CancelPoint.CANCEL_PENDING: "the cancel has left; no answer has come",
    CancelPoint.CANCEL_REPLIED: "the answer has come, or is lost; the order is not asked for yet",
    CancelPoint.CANCEL_SHOWN: "the venue has shown the order; the executor has not been told",
    CancelPoint.CANCEL_TOLD: "the executor has the cancel's end in its mailbox",
    CancelPoint.BEFORE_END: "the order's end is about to be committed",
    CancelPoint.AFTER_END: "the order's end is durable; nothing has been done about it",
    CancelPoint.FIND_ASKED: "the venue is about to be asked for the order",
    CancelPoint.FIND_ANSWERED: "the venue has said what it has; the executor has not been told",
    CancelPoint.FIND_TOLD: "the executor has that in its mailbox",
    CancelPoint.PROOF_ASKED: "all have ended; the venue is about to be asked what is open",
    CancelPoint.PROOF_ANSWERED: "the venue has named nothing; the executor has not been told",
    CancelPoint.PROOF_TOLD: "the executor has the proof in its mailbox",
    CancelPoint.PROVED: "the halt says that it is proved",
    CancelPoint.RESUME_TOLD: "the executor has a person's resume in its mailbox",
    CancelPoint.BEFORE_HALT_DROPPED: "the halt's record is about to be deleted",
    CancelPoint.AFTER_HALT_DROPPED: "the record is gone; nothing is let through yet",
    CancelPoint.PERSON_ANSWERED: "the person has been told how the order ended",
}


class Kind(StrEnum):
    """What a fault does, as far as it decides where it is worth a case."""

    CANCEL = "cancel"
    """It strikes the request that cancels."""
    WAIT = "wait"
    """The same, and the sender waits until it gives up."""
    ORDER = "order"
    """The order moves unseen before it is canceled, or while it is."""
    ASKING = "asking"
    """The questions for the order fail, or see too old a state; mostly the answer is lost too."""
    LIST = "list"
    """The list of what is open is not given at first."""
    PLACING = "placing"
    """The order's own placement has no known outcome yet when the cancel falls."""


_AS_ORDERS: dict[str, Kind] = {
    **{
        name: Kind.WAIT if name in WAITS else Kind.CANCEL
        for name in SENT_INTO
        if name not in OF_PLACING
    },
    **dict.fromkeys(ASKED_INTO, Kind.ASKING),
}
FEW_POINTS = frozenset(_AS_ORDERS)
"""What strikes an order at few points does so with a cancel: where its answer is read, where the
order is asked for, and on either road without a blow."""

CANCEL_FAULTS: dict[str, Kind] = {
    "none": Kind.CANCEL,
    "reset_after": Kind.CANCEL,
    "reset_before": Kind.CANCEL,
    "hang_after": Kind.WAIT,
    "hang_before": Kind.WAIT,
    "close_after": Kind.CANCEL,
    "close_before": Kind.CANCEL,
    "empty_body": Kind.CANCEL,
    "empty_object": Kind.CANCEL,
    "html_body": Kind.CANCEL,
    "half_json": Kind.CANCEL,
    "server_error_after": Kind.CANCEL,
    "server_error_before": Kind.CANCEL,
    "timeout_code_after": Kind.CANCEL,
    "timeout_code_before": Kind.CANCEL,
    "late_inside": Kind.WAIT,
    "late_outside": Kind.WAIT,
    "too_many_requests": Kind.CANCEL,
    "delivered_twice": Kind.CANCEL,
    "cancel_fill_race": Kind.ORDER,
    "cancel_partial_race": Kind.ORDER,
    "filled_unseen": Kind.ORDER,
    "part_unseen": Kind.ORDER,
    "expired_unseen": Kind.ORDER,
    "lagging_race": Kind.ORDER,
    "stale_read": Kind.ASKING,
    "query_reset": Kind.ASKING,
    "query_html": Kind.ASKING,
    "query_429": Kind.ASKING,
    "streamed": Kind.ASKING,
    "lagging_read": Kind.ASKING,
    "lagging_streamed": Kind.ASKING,
    "list_reset": Kind.LIST,
    "list_html": Kind.LIST,
    "list_429": Kind.LIST,
    "place_absent": Kind.PLACING,
    "place_late": Kind.PLACING,
    **_AS_ORDERS,
}
"""Each strikes one order's cancel once, but those of kinds that say otherwise."""

_P = CancelPoint
_HALT_FIRST = (
    _P.HALT_TOLD, _P.BEFORE_HALT_KEPT, _P.AFTER_HALT_KEPT,
    _P.LIST_ASKED, _P.LIST_ANSWERED, _P.LIST_TOLD,
)  # fmt: skip
_CANCEL_FIRST = (_P.CANCEL_ORDERED, _P.BEFORE_UNWANTED, _P.AFTER_UNWANTED)
_BETWEEN = (
    _P.CANCEL_HANDED, _P.CANCEL_ON_LOOP, _P.CANCEL_PENDING, _P.CANCEL_REPLIED, _P.CANCEL_SHOWN,
    _P.CANCEL_TOLD, _P.BEFORE_END, _P.AFTER_END, _P.FIND_ASKED, _P.FIND_ANSWERED, _P.FIND_TOLD,
)  # fmt: skip
_HALT_PROOF = (_P.PROOF_ASKED, _P.PROOF_ANSWERED, _P.PROOF_TOLD)
_HALT_LAST = (_P.PROVED, _P.RESUME_TOLD, _P.BEFORE_HALT_DROPPED, _P.AFTER_HALT_DROPPED)
_CANCEL_LAST = (_P.PERSON_ANSWERED,)

ROADS: dict[Road, tuple[CancelPoint, ...]] = {
    Road.HALT: (*_HALT_FIRST, *_BETWEEN, *_HALT_PROOF, *_HALT_LAST),
    Road.CANCEL: (*_CANCEL_FIRST, *_BETWEEN, *_CANCEL_LAST),
}
"""By which points each leads."""

_BLOWS = (Blow.KILL, Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG, Blow.FREEZE)
_ANY = (Kind.CANCEL, Kind.WAIT, Kind.ASKING)
_FEW = {
    (Road.HALT, _P.CANCEL_PENDING, Blow.KILL): (Kind.WAIT,),
    # The next process does not know what became of the cancel.
    (Road.HALT, _P.CANCEL_REPLIED, Blow.KILL): _ANY,
    # The successor is told what it has not asked for.
    (Road.HALT, _P.CANCEL_SHOWN, Blow.EXECUTOR_CRASH): _ANY,
    # It asks again for what has failed once, or is about to.
    (Road.HALT, _P.FIND_ASKED, Blow.EXECUTOR_CRASH): (Kind.ASKING,),
    (Road.HALT, _P.FIND_ANSWERED, Blow.EXECUTOR_CRASH): (Kind.ASKING,),
    # What hung wakes up beside the successor, and hears of the same cancel.
    (Road.HALT, _P.CANCEL_PENDING, Blow.EXECUTOR_HANG): (Kind.WAIT,),
    (Road.HALT, _P.CANCEL_REPLIED, Blow.EXECUTOR_HANG): _ANY,
    (Road.HALT, _P.CANCEL_SHOWN, Blow.EXECUTOR_HANG): _ANY,
    (Road.HALT, _P.FIND_ASKED, Blow.EXECUTOR_HANG): _ANY,
    (Road.HALT, _P.FIND_ANSWERED, Blow.EXECUTOR_HANG): _ANY,
    # Nobody answers the person, who orders it again; asking is as in a halt.
    (Road.CANCEL, _P.CANCEL_REPLIED, Blow.KILL): (Kind.CANCEL, Kind.WAIT),
    (Road.CANCEL, _P.CANCEL_REPLIED, Blow.EXECUTOR_HANG): (Kind.CANCEL, Kind.WAIT),
}
_SETTLED = frozenset({"none", "cancel_partial_race"})
"""What is left to tell once all is settled: a fill that came with the cancel, or nothing."""
_ONE_OF_EACH = frozenset(
    {"none", "reset_after", "reset_before", "late_inside", "stale_read", "streamed"}
    | {"lagging_read", "lagging_streamed"}
    | {name for name, kind in CANCEL_FAULTS.items() if kind in (Kind.LIST, Kind.PLACING)}
    | {name for name, kind in CANCEL_FAULTS.items() if kind is Kind.ORDER}
)
"""One for each thing that can come of a cancel: enough where none has left yet."""


class CancelCase(msgspec.Struct, frozen=True, order=True):
    """One rehearsal."""

    road: Road
    point: CancelPoint
    fault: str
    blow: Blow

    def __str__(self) -> str:
        return f"{self.road}/{self.point}/{self.fault}/{self.blow}"


def is_cancel_possible(case: CancelCase) -> bool:
    """Whether an order that is canceled so surely comes by the point."""
    point, kind = case.point, CANCEL_FAULTS[case.fault]
    if point not in ROADS[case.road] or (case.road is Road.CANCEL and kind is Kind.LIST):
        return False
    if case.blow not in (Blow.NONE, *_BLOWS):
        return False  # the other actors have no part in it
    if case.blow is Blow.NONE:
        return point is ROADS[case.road][0]
    return point is not _P.CANCEL_PENDING or kind is Kind.WAIT


def _is_worth(case: CancelCase) -> bool:
    if case.fault in FEW_POINTS:
        place = (case.road, case.point, case.blow)
        return case.blow is Blow.NONE or CANCEL_FAULTS[case.fault] in _FEW.get(place, ())
    if case.blow is Blow.FREEZE:
        return case.fault == ("none" if case.point is not _P.CANCEL_PENDING else "hang_after")
    if case.point in (*_HALT_LAST, *_CANCEL_LAST):
        return case.fault in _SETTLED
    early = case.point in (*_HALT_FIRST, *_CANCEL_FIRST)
    if case.blow is Blow.NONE or (case.road is Road.HALT and not early):
        return True
    # The two roads are one from the cancel on: there it is what the person is told that differs.
    return case.fault in _ONE_OF_EACH or (case.point is _P.CANCEL_PENDING)


def full_cancel_cases() -> list[CancelCase]:
    """Give every case of the two roads that is possible and rehearses something of its own."""
    return [
        case
        for road, points in ROADS.items()
        for point in points
        for fault in CANCEL_FAULTS
        for blow in (Blow.NONE, *_BLOWS)
        if is_cancel_possible(case := CancelCase(road, point, fault, blow)) and _is_worth(case)
    ]


def quick_cancel_cases() -> list[CancelCase]:
    """Give a choice: both roads, a case for each kind of fault and each blow."""
    return list(_quick())


def _quick() -> Iterator[CancelCase]:
    halt, cancel = Road.HALT, Road.CANCEL
    yield CancelCase(halt, _P.HALT_TOLD, "server_error_before", Blow.NONE)
    yield CancelCase(halt, _P.AFTER_HALT_KEPT, "part_unseen", Blow.KILL)
    yield CancelCase(halt, _P.LIST_ANSWERED, "list_html", Blow.EXECUTOR_CRASH)
    yield CancelCase(halt, _P.CANCEL_REPLIED, "reset_before", Blow.KILL)
    yield CancelCase(halt, _P.AFTER_END, "cancel_partial_race", Blow.EXECUTOR_CRASH)
    yield CancelCase(halt, _P.PROOF_ANSWERED, "streamed", Blow.KILL)
    yield CancelCase(halt, _P.AFTER_HALT_DROPPED, "none", Blow.KILL)
    yield CancelCase(cancel, _P.CANCEL_ORDERED, "server_error_before", Blow.NONE)
    yield CancelCase(cancel, _P.CANCEL_SHOWN, "cancel_fill_race", Blow.EXECUTOR_HANG)


def parse_cancel_case(text: str) -> CancelCase:
    """Read ROAD/POINT/FAULT/BLOW.

    Raises:
        ValueError: the sentence says which part is wrong and what it may be.
    """
    parts = text.split("/")
    if len(parts) != 4:
        raise ValueError(f"{text!r} is not ROAD/POINT/FAULT/BLOW, such as halt/proved/none/kill")
    points = [*ROADS[Road(parts[0])]] if parts[0] in [*Road] else [*CancelPoint]
    words: tuple[list[str], ...] = ([*Road], [*points], [*CANCEL_FAULTS], [Blow.NONE, *_BLOWS])
    for part, known in zip(parts, words, strict=True):
        if part not in known:
            raise ValueError(f"{part!r} is none of: {', '.join(known)}")
    case = CancelCase(Road(parts[0]), CancelPoint(parts[1]), parts[2], Blow(parts[3]))
    if not is_cancel_possible(case):
        raise ValueError(f"{text}: an order under {case.fault} does not surely come by that point")
    return case
