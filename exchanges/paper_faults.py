"""Misbehaviour on request: a paper venue that fails as real ones do, for rehearsals."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from messages.errors import NotSent, OutcomeUnknown, Rejected


class PaperFault(StrEnum):
    """What goes wrong at one submit, or at one cancel."""

    NOT_SENT = "not_sent"
    """The connection is refused: the order is surely not there."""
    REJECTED = "rejected"
    """The venue refuses the order and does not keep it."""
    LOST_BEFORE = "lost_before"
    """The request is lost on its way: outcome unknown, and the order is not there."""
    LOST_AFTER = "lost_after"
    """The answer is lost on its way: outcome unknown, and the order is there."""


class PaperFaults:
    """A script: which submit or cancel of this venue object, each from 1, fails and how.

    ``PaperFaults({2: PaperFault.LOST_AFTER})`` loses the answer to the second submit.
    """

    def __init__(
        self,
        script: Mapping[int, PaperFault],
        cancels: Mapping[int, PaperFault] = MappingProxyType({}),
    ) -> None:
        self._script, self._cancel_script = dict(script), dict(cancels)
        self._submits = self._cancels = 0

    def next_submit(self) -> PaperFault | None:
        """Count one submit and give what goes wrong with it."""
        self._submits += 1
        return self._script.get(self._submits)

    def next_cancel(self) -> PaperFault | None:
        """Count one cancel and give what goes wrong with it."""
        self._cancels += 1
        return self._cancel_script.get(self._cancels)


def fail_before(fault: PaperFault | None) -> None:
    """Raise what happens before the venue has the order.

    Raises:
        NotSent, Rejected, OutcomeUnknown: as the script says.
    """
    if fault is PaperFault.NOT_SENT:
        raise NotSent("scripted fault: the connection was refused")
    if fault is PaperFault.REJECTED:
        raise Rejected("scripted fault: the venue refused the order")
    if fault is PaperFault.LOST_BEFORE:
        raise OutcomeUnknown("scripted fault: no answer came")


def fail_after(fault: PaperFault | None) -> None:
    """Raise what happens after the venue has the order.

    Raises:
        OutcomeUnknown: as the script says.
    """
    if fault is PaperFault.LOST_AFTER:
        raise OutcomeUnknown("scripted fault: no answer came")
