"""Asking a living process for something that takes a while. Standard library only."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ops.client import NoAnswer, ask
from ops.run_files import CONTROL_SOCKET

POLL_S = 0.1
PATIENCE_S = 5.0
"""For one reply of the control thread, which nothing in the process holds up."""


class Refused(Exception):
    """The process said no, in one sentence."""


class OperatorClient:
    """One process. `left_s` is what remains of the time limit for all of it together.

    Raises:
        NoAnswer: from any method: it is not there, or not there any more.
    """

    def __init__(self, run_dir: Path, timeout_s: float) -> None:
        self._socket = run_dir / CONTROL_SOCKET
        self._deadline = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """How much time remains; 0 when it is over."""
        return max(self._deadline - time.monotonic(), 0.0)

    def order(self, command: str, **fields: Any) -> str:
        """Make a request; give its name.

        Raises:
            Refused: the process cannot take it.
        """
        reply = self.ask(command, **fields)
        name = reply.get("request")
        if not isinstance(name, str):
            raise Refused(str(reply.get("error", "the process gave no usable answer")))
        return name

    def answer(
        self, request: str, meanwhile: Callable[[], object] = lambda: None
    ) -> dict[str, Any] | None:
        """Wait for the answer to a request; None when the time is over."""
        while True:
            answer = self.ask("operator_answer", request=request)
            if answer.get("ok") is not None:
                return answer
            if not self.left_s:
                return None
            meanwhile()
            time.sleep(min(POLL_S, self.left_s))

    def halt_state(self) -> dict[str, Any]:
        """Give how far a halt is."""
        return self.ask("halt_state")

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """Ask one question."""
        return ask(self._socket, command, timeout_s=PATIENCE_S, **fields)


__all__ = ["NoAnswer", "OperatorClient", "Refused"]
