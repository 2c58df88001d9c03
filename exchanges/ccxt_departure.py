"""How one signed order leaves: it asks the fence, and is gone.

It bears the time of its signature, which is a little before that. A clock that was set in between,
and compared since, would pass the fence with a time that nobody has compared.
"""

from collections.abc import Callable

from exchanges.protocol import SEND_WITHIN_MS
from messages.ids import NS_PER_MS

SET_MS = 500
"""The wall clock does not move by more than this by itself while an order waits."""


class Fenced(Exception):
    """The fence stopped the request."""


class Departure:
    """One order's, from the call of `submit`. `left` is called when nothing stops it any more."""

    def __init__(
        self,
        fence: Callable[[], None],
        left: Callable[[], None],
        monotonic_ns: Callable[[], int],
        utc_ns: Callable[[], int],
    ) -> None:
        self._fence, self._left = fence, left
        self._monotonic_ns, self._utc_ns = monotonic_ns, utc_ns
        self._began_ns, self._began_utc_ns = monotonic_ns(), utc_ns()

    def leave(self) -> None:
        """Decide at the last moment, the request signed, whether it leaves.

        Raises:
            Fenced: it does not.
        """
        waited_ns = self._monotonic_ns() - self._began_ns
        waited_ms = waited_ns // NS_PER_MS
        if waited_ms > SEND_WITHIN_MS:
            raise Fenced(f"it waited {waited_ms} ms for its turn, too long to be sent")
        set_by_ms = (self._utc_ns() - self._began_utc_ns - waited_ns) // NS_PER_MS
        if abs(set_by_ms) > SET_MS:
            raise Fenced(f"the clock was set while it waited, by {set_by_ms:+} ms")
        try:
            self._fence()
        except Exception as error:
            raise Fenced(f"{type(error).__name__}: {error}") from error
        self._left()
