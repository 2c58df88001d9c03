"""The page, the facts and the figures of a living fleet over HTTP: on threads beside the loop.

The orchestrator's loop leaves what it knows after each look; whoever asks reads that and the bots'
small files, at most once a second, and never makes the loop wait.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

from messages.errors import ConfigError
from ops.fleet.config import FleetConfig
from ops.fleet.exposition import fleet_text
from ops.fleet.page import page, policy
from ops.fleet.standing import Seen, of_process, standing
from ops.http_server import HTML, JSON, HttpServer, Page
from ops.loopback import split_address
from persistence.secret_files import secret

_AGE_S = 1.0
"""So old may an answer be: many may ask at once, and each look reads some files of each bot."""
_LOOKS = 10
_LEAST_S = 15.0


class FleetView:
    """What is told of a fleet. `leave` is called by its loop, all else by any thread."""

    def __init__(self, fleet: FleetConfig, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fleet, self._monotonic = fleet, monotonic
        self._look_s = fleet.look_s
        self._left: tuple[Seen, ...] = ()
        self._left_at: float | None = None
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}
        self._said: dict[str, dict[str, Any]] = {}
        self._made_at = -_AGE_S

    def leave(self, bots: Iterable[Seen], look_s: float | None = None) -> None:
        """Leave how the bots stand after a look, and how long the next may be away by now."""
        self._look_s = self._look_s if look_s is None else look_s
        self._left = tuple(bots)
        self._left_at = self._monotonic()

    def model(self) -> dict[str, Any]:
        """Give how the fleet stands."""
        return self._seen()[0]

    def metrics(self) -> str:
        """Give it to Prometheus, with what each bot says of itself."""
        return fleet_text(*self._seen())

    def _seen(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Give how the fleet stands, and the last word of each bot that has one."""
        with self._lock:
            if self._monotonic() - self._made_at >= _AGE_S:
                bots = self._left
                said = {one.bot: of_process(one) for one in bots}
                self._said = {bot: status for bot, status in said.items() if status}
                self._made = standing(self._fleet.name, os.getpid(), bots)
                self._made_at = self._monotonic()
            return self._made, self._said

    def probe(self, question: str) -> str:
        """Say why not: a loop that does not come round is no orchestrator. Asks of no bot."""
        if self._left_at is None:
            return "the orchestrator has not looked at its bots yet"
        age_s = self._monotonic() - self._left_at
        limit_s = max(_LOOKS * self._look_s, _LEAST_S)
        if question != "startup" and age_s > limit_s:
            return f"the orchestrator has not looked at its bots for {age_s:.0f} s"
        return ""


def serving(fleet: FleetConfig, view: FleetView) -> AbstractContextManager[object]:
    """Serve where the fleet file says, or nowhere.

    Raises:
        ConfigError: it cannot listen there, or the token is not in the environment.
    """
    if fleet.http is None:
        return nullcontext()
    address = split_address(fleet.http)
    assert address is not None, "checked with the fleet file"
    token = secret(fleet.http_token_env) if fleet.http_token_env else ""
    if fleet.http_token_env and not token:
        raise ConfigError([f"http_token_env: {fleet.http_token_env} is not set in the environment"])
    pages = {
        "/": Page(HTML, lambda: page(None), policy(live=True), is_open=True),
        "/fleet.json": Page(JSON, lambda: json.dumps(view.model())),
    }
    try:
        return closing(HttpServer(*address, view.metrics, view.probe, token, pages).start())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError([f"http: cannot listen on {fleet.http}: {reason}"]) from error
