"""How one signed order leaves: it is held until it may, asks the fence, and is gone."""

from collections.abc import Callable

from exchanges.protocol import HOLD_MS, SEND_WITHIN_MS, Ready
from messages.ids import NS_PER_MS


class Fenced(Exception):
    """The fence stopped the request."""


class SignAnew(Exception):
    """The request may leave, but its signature has grown old while it was held."""


class Departure:
    """One order's, from the call of `submit`; a second signature has the same departure.

    `left` is called when nothing stops it any more. `ready` may be None: it is not held.
    """

    def __init__(
        self,
        fence: Callable[[], None],
        ready: Ready | None,
        left: Callable[[], None],
        utc_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._fence, self._ready, self._left = fence, ready, left
        self._utc_ns, self._monotonic_ns = utc_ns, monotonic_ns
        self._began_ns = monotonic_ns()

    async def hold(self) -> None:
        """Wait, the request signed, until it may be sent.

        Raises:
            Fenced: it may not, for good.
            SignAnew: it may, and what was signed is not to be sent any more.
        """
        if self._ready is None:
            return
        signed_ns = self._utc_ns()  # the exchange will compare the stamp with a wall clock too
        await self.wait()
        if abs(self._utc_ns() - signed_ns) > HOLD_MS * NS_PER_MS:
            raise SignAnew

    async def wait(self) -> None:
        """Wait until it may be sent, signed or not; once.

        Raises:
            Fenced: it may not, for good.
        """
        ready, self._ready = self._ready, None
        if ready is not None:
            try:
                await ready()
            except Exception as error:
                raise Fenced(f"{type(error).__name__}: {error}") from error

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
