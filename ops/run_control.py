"""What a run answers over its control socket, on the socket's thread."""

import os
from collections.abc import Callable
from typing import Any

from actors.log import logger
from messages.account import AcceptAccount
from ops.config import Config, Mode
from ops.inspect_control import InspectControl
from ops.operator_control import OperatorControl
from ops.run_state import NO_ACCOUNT
from ops.snapshot import Snapshots
from ops.wiring import System

Request = dict[str, Any]


class RunControl:
    """`stop` is called when somebody asks for the end."""

    def __init__(
        self, system: System, config: Config, snapshots: Snapshots, stop: Callable[[], object]
    ) -> None:
        self._system, self._config, self._snapshots = system, config, snapshots
        self._stop = stop

    def handlers(self) -> dict[str, Any]:
        """Give what answers, by the name of the question."""
        return {
            "health": lambda _: self._snapshots.take(),
            "stop": self._stop_requested,
            **OperatorControl(self._system.executor, self._system.board).handlers(),
            **InspectControl(self._system.runtime).handlers(),
            "account": lambda _: self._account(),
            "account_accept": self._account_accepted,
        }

    def _account(self) -> dict[str, Any]:
        latest = self._system.account.latest
        if self._config.mode is Mode.LIVE:
            return latest
        return {**latest, "state": NO_ACCOUNT}

    def _account_accepted(self, request: Request) -> dict[str, Any]:
        reason = str(request.get("reason") or "").strip()
        return {"told": bool(reason) and self._system.executor.tell(AcceptAccount(reason=reason))}

    def _stop_requested(self, request: Request) -> dict[str, Any]:
        del request
        logger.info("stop was asked for over the control socket")
        self._stop()
        return {"stopping": True, "pid": os.getpid()}
