"""Snapshots as a process gives them, a receiver of alerts, and a browser for the pages."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.ops.receiver import Receiver, receiver

CAPTURED_AT_NS = 1_700_000_000_000_000_000


def _actor(path: str, **changes: Any) -> dict[str, Any]:
    """A healthy actor, but for the changes."""
    return {
        "path": path,
        "state": "running",
        "epoch": 1,
        "uptime_s": 61.0,
        "state_s": 61.0,
        "restarts": 0,
        "restarts_in_window": 0,
        "restart_limit": 3,
        "mailbox": 0,
        "capacity": 1000,
        "high_water": 3,
        "oldest_ms": 0.0,
        "processed": 100,
        "p50_us": 100.0,
        "p99_us": 400.0,
        "max_us": 900.0,
        "handling": None,
        "handling_ms": 0.0,
        "dead_letters": 0,
        "last_error": "",
        "last_error_at_ns": None,
        "progress_age_s": None,
        "progress_limit_s": None,
        "zombies": 0,
        "problem": "",
        **changes,
    }


def _snapshot(*actors: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A healthy process with these actors, but for the changes."""
    return {
        "schema": 1,
        "name": "btc-sma",
        "mode": "paper",
        "pid": 812,
        "started_at_ns": CAPTURED_AT_NS - 3_600_000_000_000,
        "captured_at_ns": CAPTURED_AT_NS,
        "uptime_s": 3600.0,
        "verdict": "OK",
        "why": "",
        "ready": True,
        "root_alive": True,
        "actors": list(actors)
        or [_actor("root"), _actor("execution"), _actor("execution/executor")],
        "market": {"BTC/USDT": "61480.2"},
        "orders": {"filled": 2},
        "counters": {"processed": 7},
        "ended": None,
        **changes,
    }


@pytest.fixture
def actor() -> Callable[..., dict[str, Any]]:
    """Make an actor: path, then what differs from a healthy one."""
    return _actor


@pytest.fixture
def snapshot() -> Callable[..., dict[str, Any]]:
    """Make a snapshot: actors, then what differs from a healthy one."""
    return _snapshot


@pytest.fixture
def there() -> Iterator[Receiver]:
    """A receiver of alerts."""
    with receiver() as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser for the pages of a file: its loop runs as long as it is open."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from tests.ops.dashboard.screenshots import launched

    with playwright.sync_playwright() as driver:
        opened = launched(driver)
        yield opened
        opened.close()
