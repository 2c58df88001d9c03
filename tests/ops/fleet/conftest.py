"""Bots that are not started, only written down."""

import pytest

from ops.fleet.bots import BotProcess
from ops.fleet.config import BotSpec


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[BotSpec]:
    """What was started: nothing is, it is written down."""
    found: list[BotSpec] = []

    def start(process: BotProcess) -> int:
        found.append(process.spec)
        return 0

    monkeypatch.setattr(BotProcess, "start", start)
    return found
