"""The same through the real command: `start` in live mode, what it says, and how it ends."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange, running_exchange
from ops.config_write import to_toml
from tests.system.bots import Bot
from tests.system.live_bot import BTC, SECRETS, SILENT, document_of

pytestmark = pytest.mark.slow


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=3, speed=1) as running:
        yield running


@pytest.fixture
def bot(tmp_path: Path, run: RunningExchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bot]:
    """One `start` that buys and sells on every trade of the market, at work already."""
    for name, variable in SECRETS.items():
        monkeypatch.setenv(variable, run.ccxt_config()[name])
    document = document_of(run, tmp_path / "run", (BTC,))
    document["strategy"][0]["uses"] = SILENT.replace(":Silent", ":Busy")
    path = tmp_path / "config.toml"
    path.write_text(to_toml(document))
    started = Bot(str(path), "--i-understand-live")
    try:
        started.until(lambda: any(one["state"] == "filled" for one in started.of("order")))
        yield started
    finally:
        started.kill()


def status_of(tmp_path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((tmp_path / "run" / "status.json").read_text())
    return found


def test_a_revoked_key_leaves_a_halted_process_that_says_why_and_ends_with_1(
    tmp_path: Path, run: RunningExchange, bot: Bot
) -> None:
    run.exchange.revoke_key()
    bot.until_why("halted: binance refuses the key")
    code, _ = bot.end(signal.SIGTERM)

    assert code == 1
    assert "Traceback" not in (tmp_path / "run" / "watchkeeper.log").read_text()
    assert bot.of("end")[0]["restarts"] == 0
    assert run.exchange.doubled() == {}


def test_a_venue_in_maintenance_is_waited_for_and_the_process_ends_well(
    tmp_path: Path, run: RunningExchange, bot: Bot
) -> None:
    run.exchange.set_maintenance(is_on=True)
    bot.until_why("binance is in maintenance")
    run.exchange.set_maintenance(is_on=False)
    filled = len(bot.of("order"))
    bot.until(lambda: bot.of("status")[-1]["verdict"] == "OK")
    bot.until(lambda: any(one["state"] == "filled" for one in bot.of("order")[filled:]))
    code, _ = bot.end(signal.SIGTERM)

    assert code == 0
    assert bot.of("end")[0]["restarts"] == 0
    assert run.exchange.doubled() == {}
    assert status_of(tmp_path)["ended"]
