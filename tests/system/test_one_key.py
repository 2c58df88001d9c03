"""A run directory is of one key: another one's account is never asked for what this one sent."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange
from tests.system.bots import Bot
from tests.system.live_bots import last_number, signed, wait_until
from tests.system.resting_bots import command, moving_exchange, resting_config

pytestmark = pytest.mark.slow


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningExchange]:
    with moving_exchange(monkeypatch) as running:
        yield running


def test_another_key_is_refused_before_it_asks_anything_until_a_person_vouches_for_it(
    tmp_path: Path,
    run: RunningExchange,
    start: Callable[..., Bot],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = resting_config(tmp_path, run, lease_dir=str(tmp_path / "leases"))
    own = os.environ["LOCAL_KEY"]
    bot = start(config, "--i-understand-live")
    bot.until(lambda: any(one["state"] == "accepted" for one in bot.of("order")))
    bot.kill()
    before = last_number(run)

    monkeypatch.setenv("LOCAL_KEY", "of-another-account")
    other = start(config)
    code, said = other.end()
    assert code == 2
    assert "were sent with another key" in said
    halted = command("halt", tmp_path / "run", "--timeout", "5")
    assert "were sent with another key" in halted.stdout + halted.stderr
    assert signed(run, before) == [], "the other account was not asked for these orders"

    done = command("account", tmp_path / "run", "--renewed-key", "the old one had expired")
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("LOCAL_KEY", own)
    assert start(config).end()[0] == 2, "now the former one is another"
    done = command("account", tmp_path / "run", "--renewed-key", "no, that was a mistake")
    assert done.returncode == 0, done.stderr
    again = start(config)
    wait_until(lambda: bool(signed(run, before)))
    again.kill()
