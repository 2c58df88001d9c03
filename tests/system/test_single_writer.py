"""Two processes, one account: one trades, whatever happens to either. Real ones, really stopped."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import running_exchange
from tests.system.bots import Bot
from tests.system.live_bots import (
    ENVIRONMENT,
    SPEED,
    last_number,
    live_config,
    placed,
    signed,
    until_orders,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
Start = Callable[..., Bot]
FENCED = 75


def live(start: Start, config: Path, *more: str) -> Bot:
    return start(config, "--i-understand-live", *more, environment=ENVIRONMENT)


def test_a_stopped_process_is_taken_over_and_sends_nothing_when_it_goes_on(
    tmp_path: Path, start: Start
) -> None:
    with running_exchange(seed=5, speed=SPEED) as run:
        config = live_config(tmp_path, run)
        first = live(start, config)
        until_orders(run, 5)
        second = live(start, config, "--standby")
        second.until_said(f"is traded by process {first.process.pid}")
        until_orders(run, 3)
        assert second.events == []

        first.send(signal.SIGSTOP)
        second.until(lambda: bool(second.of("start")))
        until_orders(run, 5)

        second.send(signal.SIGSTOP)
        before = last_number(run)
        first.send(signal.SIGCONT)
        code, said = first.end()
        of_the_first = signed(run, before)
        status = json.loads((tmp_path / "run" / "status.json").read_text())
        second.send(signal.SIGCONT)
        until_orders(run, 5)
        ended, _ = second.end(signal.SIGTERM)

        assert of_the_first == []
        assert code == FENCED
        assert f"process {second.process.pid}" in said
        assert status["pid"] == second.process.pid
        assert ended == 0
        assert max(placed(run).values()) == 1
