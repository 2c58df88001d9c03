"""Questions whose every failure is one error that says that nothing is known."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exchanges.ccxt_call import Call, recorded
from exchanges.ccxt_gate import check_answer
from exchanges.ccxt_numbers import Unclear
from exchanges.outcomes import Evidence
from exchanges.rate_budget import Urgency
from messages.errors import OutcomeUnknown

Heard = Callable[[Call, BaseException | None], object]
"""Told of a question's end, with the error if it failed."""


@contextmanager
def asking(
    what: str, heard: Heard, *, is_signed: bool, urgency: Urgency = Urgency.QUESTION
) -> Iterator[None]:
    """Ask within the block; `heard` is told of a failure, and of success if it needed the key.

    Raises:
        OutcomeUnknown: the question failed.
    """
    with recorded(urgency) as call:
        try:
            yield
            check_answer(call)
            if is_signed:
                heard(call, None)
        except Exception as error:
            heard(call, error)
            raise unanswered(f"the venue could not {what}", call.evidence(error)) from error


def unanswered(what: str, seen: Evidence) -> OutcomeUnknown:
    """Make the error of a question that failed: nothing is known, and why."""
    return OutcomeUnknown(
        f"no_answer: {what}: {seen.error}: {seen.text}",
        http_status=seen.http_status,
        code=seen.code,
        retry_after_ms=seen.retry_after_ms,
    )


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Read an answer within the block.

    Raises:
        OutcomeUnknown: it cannot be read as what it should be.
    """
    try:
        yield
    except Unclear as error:
        raise OutcomeUnknown(f"no_answer: {what} cannot be read: {error}") from error
