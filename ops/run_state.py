"""What a run's small files say of it: whether its process lives, how it ended, the last prices."""

import errno
import json
import os
import stat
import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from messages.exit_codes import IN_ORDER
from ops.client import NoAnswer, ask
from ops.run_files import CONTROL_SOCKET, EFFECTIVE_CONFIG, STATUS

MOST_BYTES = 64_000_000
"""No small file of a run comes near it."""
_ASK_S = 1.0
NO_ACCOUNT = "only live runs are compared: this one trades on paper and has no account"
"""What `account` says of a run on paper, with a process or without one."""


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """As of the newest `status.json`; nothing of it is known where there is none."""

    is_alive: bool
    exit_code: int | None
    """None: it lives, was killed, or left no word."""
    seen_at_ns: int | None
    started_at_ns: int | None = None
    """When the last process began."""
    ended_at_ns: int | None = None
    """When it ended, where it left word of that."""
    prices: dict[str, Decimal]
    """The last known price by symbol."""
    stuck: dict[str, str] = {}
    """Why a stop that is kept cannot act or leave, as `health` says; by its entry's key."""

    @property
    def ended_in_order(self) -> bool:
        """Whether its last process left after everything was written."""
        return not self.is_alive and self.exit_code in IN_ORDER


def run_state(run_dir: Path) -> RunState:
    """Read it; a process that holds the control socket is alive, however busy."""
    status = read_object(run_dir / STATUS)
    ended, seen, started = (status.get(k) for k in ("ended", "captured_at_ns", "started_at_ns"))
    word = ended if isinstance(ended, dict) else {}
    code, ended_at = word.get("exit_code"), word.get("at_ns")
    return RunState(
        is_alive=_is_alive(run_dir),
        exit_code=code if isinstance(code, int) else None,
        seen_at_ns=seen if isinstance(seen, int) else None,
        started_at_ns=started if isinstance(started, int) else None,
        ended_at_ns=ended_at if isinstance(ended_at, int) else None,
        prices=_prices(status.get("market")),
        stuck=_stuck(status.get("stuck_stops")),
    )


def trades_live(run_dir: Path) -> bool:
    """Whether its last process said that it trades a real account; where none said, no."""
    return read_object(run_dir / STATUS).get("mode") == "live"


def trades_on_paper(run_dir: Path) -> bool:
    """Whether its last process said that it trades on paper; where none said, no."""
    return read_object(run_dir / STATUS).get("mode") == "paper"


def read_object(path: Path) -> dict[str, Any]:
    """Give the JSON object in a file; an empty one when there is none."""
    try:
        found = json.loads(read_regular(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def last_config(run_dir: Path) -> dict[str, Any]:
    """Give the configuration of the last start as it is written; empty where it cannot be read."""
    try:
        return tomllib.loads(read_regular(run_dir / EFFECTIVE_CONFIG, MOST_BYTES).decode())
    except (OSError, ValueError, RecursionError):
        return {}


def traded_by(config: Mapping[str, Any]) -> set[tuple[str, str]] | None:
    """Give which strategies trade what by a config as it is written; None where it has none."""
    found = config.get("strategy")
    if not isinstance(found, list):
        return None
    return {
        (str(one.get("id")), str(symbol))
        for one in found
        if isinstance(one, Mapping)
        for symbol in _symbols_of(one)
    }


def _symbols_of(strategy: Mapping[str, Any]) -> list[Any]:
    symbols = strategy.get("symbols")
    return symbols if isinstance(symbols, list) and symbols else [strategy.get("symbol")]


def read_regular(path: Path, most: int) -> bytes:
    """Read a file that is one: no pipe, on which a reader waits for ever, and none without end.

    Raises:
        OSError: it cannot be read, is something else, or is longer than `most` bytes.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        kind = os.fstat(file.fileno())
        if not stat.S_ISREG(kind.st_mode) or kind.st_size > most:
            raise OSError(errno.EINVAL, "no file of ours", str(path))
        return file.read(most)


def _is_alive(run_dir: Path) -> bool:
    try:
        ask(run_dir / CONTROL_SOCKET, "health", timeout_s=_ASK_S)
    except NoAnswer as problem:
        return not problem.gone
    return True


def _stuck(stops: object) -> dict[str, str]:
    listed = stops if isinstance(stops, list) else []
    return {
        str(one.get("entry_key")): str(one.get("problem"))
        for one in listed
        if isinstance(one, dict)
    }


def _prices(market: object) -> dict[str, Decimal]:
    prices: dict[str, Decimal] = {}
    for symbol, text in market.items() if isinstance(market, dict) else ():
        try:
            price = Decimal(text)
        except (InvalidOperation, TypeError, ValueError):
            continue
        if price.is_finite():
            prices[symbol] = price
    return prices
