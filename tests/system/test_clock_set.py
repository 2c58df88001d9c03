"""The machine's clock is set while a real `start` trades: it is compared anew, and all goes on."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange, running_exchange
from messages.ids import NS_PER_S
from ops.config_write import to_toml
from tests.system.bots import Bot
from tests.system.live_bot import BTC, SECRETS, SILENT, document_of

pytestmark = pytest.mark.slow

CLOCK = """
import os, signal, time

by_ns, ahead_ns = int(os.environ["SET_BY_NS"]), [0]
time_ns, seconds = time.time_ns, time.time
time.time_ns = lambda: time_ns() + ahead_ns[0]
time.time = lambda: seconds() + ahead_ns[0] / 1e9


def set_clock(*_):
    ahead_ns[0] = 0 if ahead_ns[0] else by_ns


signal.signal(signal.SIGUSR2, set_clock)
"""
"""The child's own wall clock: a signal sets it, the next one sets it back."""


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=3, speed=1) as running:
        yield running


@contextmanager
def trading(folder: Path, run: RunningExchange, *, set_by_s: float) -> Iterator[Bot]:
    """One that buys and sells on every trade of the market, at work already."""
    document = document_of(run, folder / "run", (BTC,))
    document["strategy"][0]["uses"] = SILENT.replace(":Silent", ":Busy")
    (folder / "config.toml").write_text(to_toml(document))
    (folder / "sitecustomize.py").write_text(CLOCK)
    more = {
        **{variable: run.ccxt_config()[name] for name, variable in SECRETS.items()},
        "SET_BY_NS": str(int(set_by_s * NS_PER_S)),
        "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }
    bot = Bot(
        str(folder / "config.toml"), "--i-understand-live", environment={**os.environ, **more}
    )
    try:
        until_filled(bot)
        yield bot
    finally:
        bot.kill()


def until_filled(bot: Bot, more: int = 1) -> None:
    """Wait for orders that are filled from now on."""
    begun = len(bot.of("order"))

    def filled() -> int:
        return sum(one["state"] == "filled" for one in bot.of("order")[begun:])

    bot.until(lambda: filled() >= more)


def assert_ends_well(bot: Bot, run: RunningExchange) -> None:
    code, _ = bot.end(signal.SIGTERM)
    assert code == 0
    assert bot.of("end")[0]["restarts"] == 0
    assert run.exchange.doubled() == {}


@pytest.mark.parametrize("set_by_s", [3.0, -3.0])
def test_nothing_is_sent_while_it_is_wrong_and_when_it_is_right_again_trading_goes_on(
    tmp_path: Path, run: RunningExchange, set_by_s: float
) -> None:
    with trading(tmp_path, run, set_by_s=set_by_s) as bot:
        bot.send(signal.SIGUSR2)
        bot.until_why(f"nothing may be sent: the clock was set by {set_by_s:+.1f} s")
        bot.until_said("ms ahead of binance's" if set_by_s > 0 else "ms behind binance's")
        assert not any("halted" in one["why"] for one in bot.of("status"))

        bot.send(signal.SIGUSR2)
        bot.until(lambda: bot.of("status")[-1]["verdict"] == "OK")
        until_filled(bot, 2)
        assert_ends_well(bot, run)


def test_a_clock_that_was_set_and_is_right_is_no_reason_to_stop(
    tmp_path: Path, run: RunningExchange
) -> None:
    """It was behind by a little, as one may be that NTP has not reached yet, and is put right."""
    run.exchange.skew_clock(400)
    with trading(tmp_path, run, set_by_s=0.7) as bot:
        bot.send(signal.SIGUSR2)
        until_filled(bot, 5)
        bot.until(lambda: bot.of("status")[-1]["verdict"] == "OK")
        assert not any("halted" in one["why"] for one in bot.of("status"))
        assert_ends_well(bot, run)
