"""Orders that were to end, could not be ended, and are open still: a person is told of them."""

from collections.abc import Callable

from messages.ids import OrderKey


class GivenUp:
    """One incarnation's. `on_change` is called when `problem()` changes."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self.why: dict[OrderKey, str] = {}
        """Why each could not be ended, the last one last."""

    def problem(self) -> str:
        """Say what could not be ended; empty where all could."""
        texts = list(self.why.values())
        more = f" (and {len(texts) - 1} more)" if len(texts) > 1 else ""
        return f"{texts[-1]}{more}" if texts else ""

    def add(self, key: OrderKey, why: str) -> None:
        """Give one up."""
        self.why[key] = why
        self._on_change()

    def forget(self, key: OrderKey) -> None:
        """Forget that it was given up: it is tried again, or has ended."""
        if self.why.pop(key, None) is not None:
            self._on_change()
