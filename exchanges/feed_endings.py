"""What has ended a connection to a live market, and what that says of its symbols. Pure."""

from collections.abc import Iterator

from exchanges.ccxt_watch import Stale
from exchanges.outcomes import cut
from messages.errors import VenueRefused

_ANSWERS = frozenset({"ExchangeError", "ExchangeNotAvailable", "Unclear"})
"""ccxt makes the second of any HTTP 404 that it has no better word for."""


class ListedAgain(Exception):
    """A symbol that was left out can be followed again: by a new connection."""


class NotBackfilled(Exception):
    """Of a symbol, the exchange refused to say what was missed; its cause is the refusal."""


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """Give what is in a group of errors, in its order; of a single one, itself."""
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for one in error.exceptions:
        yield from leaves_of(one)


def is_answer(error: BaseException) -> bool:
    """Whether it is, or may be, the exchange's word on a question: not that all of it is away."""
    kinds = [*type(error).__mro__, *type(error.__cause__).__mro__]
    names = {kind.__name__ for kind in kinds}
    return "OnMaintenance" not in names and not _ANSWERS.isdisjoint(names)


def is_word_of_exchange(error: BaseException) -> bool:
    """Whether the exchange itself has said so, and nobody on the way to it."""
    return "ExchangeError" in {kind.__name__ for kind in type(error).__mro__}


def is_refusal(error: BaseException) -> bool:
    """Whether the exchange says that it does not answer such a question, of a symbol it has."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return "BadRequest" in names and "BadSymbol" not in names


def is_of_a_symbol(error: BaseException) -> bool:
    """Whether it says by its class that there is no such symbol."""
    return "BadSymbol" in (type(error).__name__, type(error.__cause__).__name__)


def reason_of(error: BaseException | None) -> str:
    """Say in one line what ended a connection."""
    if error is None:
        return "it ended"
    if isinstance(error, VenueRefused | Stale | ListedAgain):
        return str(error)
    if isinstance(error, NotBackfilled):
        return f"{error}: {reason_of(error.__cause__)}"
    return cut(f"{type(error).__name__}: {error}".splitlines()[0])
