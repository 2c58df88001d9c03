"""Questions whose every failure is one error that says that nothing is known."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exchanges.ccxt_call import Call, recorded
from exchanges.ccxt_gate import check_answer
from exchanges.ccxt_numbers import Unclear
from exchanges.rate_budget import Urgency
from messages.errors import OutcomeUnknown

Heard = Callable[[Call, BaseException | None], object]


@contextmanager
def asking(what: str, heard: Heard, *, is_signed: bool) -> Iterator[None]:
    """Ask within the block; `heard` is told of a failure, and of success if it needed the key.

    Raises:
        OutcomeUnknown: the question failed.
    """
    with recorded(Urgency.DATA) as call:
        try:
            yield
            check_answer(call)
            if is_signed:
                heard(call, None)
        except Exception as error:
            heard(call, error)
            seen = call.evidence(error)
            raise OutcomeUnknown(
                f"no_answer: the venue could not {what}: {seen.error}: {seen.text}",
                http_status=seen.http_status,
                code=seen.code,
                retry_after_ms=seen.retry_after_ms,
            ) from error


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
