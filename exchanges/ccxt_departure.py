"""How one signed order leaves: it asks the fence, and is gone."""

from collections.abc import Callable

from exchanges.protocol import SEND_WITHIN_MS
from messages.ids import NS_PER_MS


class Fenced(Exception):
    """The fence stopped the request."""


class Departure:
    """One order's, from the call of `submit`. `left` is called when nothing stops it any more."""

    def __init__(
        self,
        fence: Callable[[], None],
        left: Callable[[], None],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._fence, self._left, self._monotonic_ns = fence, left, monotonic_ns
        self._began_ns = monotonic_ns()

    def leave(self) -> None:
        """Decide at the last moment, the request signed, whether it leaves.

        Raises:
            Fenced: it does not.
        """
        waited_ms = (self._monotonic_ns() - self._began_ns) // NS_PER_MS
        if waited_ms > SEND_WITHIN_MS:
            raise Fenced(f"it waited {waited_ms} ms for its turn, too long to be sent")
        try:
            self._fence()
        except Exception as error:
            raise Fenced(f"{type(error).__name__}: {error}") from error
        self._left()
