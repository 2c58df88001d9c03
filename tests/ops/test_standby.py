"""What a standby says of itself, and what becomes of it when something it warms fails."""

import os
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from decisions.lease import Wait
from messages.errors import ConfigError, LedgerUnavailable
from messages.ids import NS_PER_S, Symbol, TimestampNs
from messages.lease import Moment
from messages.market import Candle, FeedPhase
from ops.config import Config, parse
from ops.control import ControlServer
from ops.health import HealthOptions, health, look
from ops.health_text import render
from ops.lease_machine import boot_ns
from ops.run_files import CONTROL_SOCKET, STANDBY_SOCKET, find_latest
from ops.standby import Handed, Warming
from ops.standby_answers import StandbyView, answering
from ops.wiring_execution import strategy_alone
from tests.system.live_bots import SEESAW

HOLDER = "process 7 on vps (/runs/a)"
COLD: dict[str, Any] = {
    "is_warm": False,
    "candles_behind": None,
    "feed": "connecting",
    "strategies": {},
    "ledger": {},
    "problems": {},
}
WARM = {**COLD, "is_warm": True, "candles_behind": 3, "strategies": {"s": [2, 2]},
        "ledger": {"orders": 12, "open": 1}}  # fmt: skip


def failing_once(how: str) -> str:
    """Give the source of one that fails so at one candle."""
    before = "        if position > 0:"
    return SEESAW.replace(before, f"        if candle.close == 13:\n            {how}\n{before}")


def config_of(folder: Path, strategy: str = SEESAW) -> Config:
    file = folder / "seesaw.py"
    file.write_text(strategy)
    document: dict[str, Any] = {
        "name": "x",
        "mode": "live",
        "run_dir": str(folder / "run"),
        "feed": {"type": "ccxt"},
        "venue": {
            "type": "ccxt", "exchange": "binance", "api_key_env": "K", "api_secret_env": "S",
        },
        "risk": {},
        "strategy": [{"id": "s", "uses": f"{file}:Seesaw"}],
    }  # fmt: skip
    return parse(document, Path.cwd())


def view(folder: Path, warmth: dict[str, Any], left_s: float | None = None) -> StandbyView:
    shown = StandbyView(config_of(folder), lambda: warmth)
    if left_s is not None:
        wait = Wait(HOLDER, int(left_s * NS_PER_S), None)
        shown.seen(wait, Moment(boot_ns(), time.time_ns()))
    return shown


def test_it_says_how_warm_it_is_and_for_whom_it_waits(tmp_path: Path) -> None:
    warm = view(tmp_path, WARM, 4.04).snapshot()
    assert warm["why"] == f"standby, warm: 3 candles behind, lease held by {HOLDER} for 4.0 more s"
    assert (warm["verdict"], warm["ready"], warm["holder"]) == ("OK", True, HOLDER)

    cold = view(tmp_path, COLD, 0.0).snapshot()
    wait = "not warm yet: its market is connecting"
    assert cold["why"] == f"standby, {wait}, lease held by {HOLDER}"
    assert (cold["verdict"], cold["lease_left_s"]) == ("WARNING", 0)

    assert view(tmp_path, COLD).snapshot()["why"] == f"standby, {wait}"


def test_what_is_wrong_with_what_is_warm_is_a_warning(tmp_path: Path) -> None:
    shown = view(tmp_path, {**WARM, "problems": {"ledger": "it is away"}}, 1.0).snapshot()
    assert shown["verdict"] == "WARNING"
    assert shown["why"].endswith("; ledger: it is away")


def test_a_person_reads_it_and_so_does_prometheus(tmp_path: Path) -> None:
    shown = view(tmp_path, WARM, 4.0)
    page = render(shown.snapshot()).splitlines()
    assert page[0].startswith("OK  x  live  up 0.0s  pid ")
    assert page[1:] == [
        "warm     s: has seen 2 events, needs 2",
        "ledger   12 orders, 1 open",
    ]
    samples = [line for line in shown.text().splitlines() if not line.startswith("#")]
    assert samples == [
        "watchkeeper_standby 1",
        "watchkeeper_standby_warm 1",
        "watchkeeper_standby_candles_behind 3",
    ]
    cold = view(tmp_path, COLD).text()
    assert "candles_behind" not in cold
    assert "watchkeeper_standby_warm 0" in cold


# ---------------------------------------------------------------- what it warms


class Followed:
    """A warm feed, as far as this needs one."""

    problem = ""

    def __init__(self, *closes: int, phase: FeedPhase = FeedPhase.LIVE) -> None:
        self.phase, self._closes = phase, closes
        self.is_closed = False

    def news(self) -> list[Candle]:
        closes, self._closes = self._closes, ()
        return [candle(minute, close) for minute, close in enumerate(closes)]

    def behind(self, utc_ns: int, timeframe_ns: int) -> int:
        return utc_ns * timeframe_ns * 0

    def has_history(self, symbols: tuple[Symbol, ...]) -> bool:
        return bool(symbols) and self.phase is not FeedPhase.CONNECTING

    def close(self, limit_s: float) -> bool:
        del limit_s
        self.is_closed = True
        return True


def candle(minute: int, close: int) -> Candle:
    price, minute_ns = Decimal(close), 60 * NS_PER_S
    return Candle(
        symbol=Symbol("BTC/USDT"), open=price, high=price, low=price, close=price,
        volume=price, ts_open_ns=TimestampNs(minute * minute_ns),
        ts_event_ns=TimestampNs((minute + 1) * minute_ns),
    )  # fmt: skip


def warming(folder: Path, feed: Followed, strategy: str = SEESAW) -> Warming:
    config = config_of(folder, strategy)
    made = Warming(config)
    made._feed = feed  # type: ignore[assignment]  # what a feed is asked, played
    made._runs = [strategy_alone(one, config) for one in config.strategies]
    return made


def test_its_strategies_see_the_market_and_decide_nothing(tmp_path: Path) -> None:
    """Shown as live events, each of these would be an order."""
    made = warming(tmp_path, Followed(1, 2, 3))
    made._rehearse()
    (run,) = made._runs
    assert run.memory.next_index == 3
    assert run.memory.position == Decimal(0)
    assert not run.memory.decided
    assert made._problems == {}


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("raise ValueError('an unlucky candle')", "ValueError: an unlucky candle"),
        ("raise SystemExit('enough')", "SystemExit: enough"),
    ],
)
def test_a_strategy_that_fails_is_told_of_and_the_next_candle_finds_a_fresh_one(
    tmp_path: Path, how: str, told: str
) -> None:
    feed = Followed(12, 13)
    made = warming(tmp_path, feed, failing_once(how))
    made._rehearse()
    assert made._problems == {"strategy s": told}

    feed._closes = (14,)
    made._rehearse()
    assert made._problems == {}
    assert made._runs[0].memory.next_index == 3


def test_nothing_of_a_key_is_in_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No log of a run is there yet, which would take it out."""
    monkeypatch.setenv("S", "key-of-mine")
    feed = Followed(13)
    made = warming(tmp_path, feed, failing_once("raise ValueError('bad key-of-mine')"))
    made._rehearse()
    feed.problem = "it does not take key-of-mine"

    told = made.snapshot()["problems"]
    assert told == {"strategy s": "ValueError: bad ***", "market": "it does not take ***"}
    assert "key-of-mine" not in capsys.readouterr().err


@pytest.mark.parametrize("phase", FeedPhase)
def test_a_feed_is_handed_over_unless_it_ended_or_knows_nothing(
    tmp_path: Path, phase: FeedPhase
) -> None:
    feed = Followed(phase=phase)
    handed = warming(tmp_path, feed).hand_over()
    is_of_use = phase not in (FeedPhase.STOPPED, FeedPhase.CONNECTING)
    assert (id(handed.feed) == id(feed)) == is_of_use
    assert feed.is_closed != is_of_use


def test_what_was_handed_over_is_not_closed_and_not_handed_over_twice(tmp_path: Path) -> None:
    feed = Followed()
    made = warming(tmp_path, feed)
    assert id(made.hand_over().feed) == id(feed)
    assert made.hand_over() == Handed()
    made.close()
    assert not feed.is_closed


def test_what_could_not_be_looked_at_is_looked_at_again_soon(tmp_path: Path) -> None:
    def fail() -> None:
        raise LedgerUnavailable("it is away")

    made = warming(tmp_path, Followed())
    made._every(600.0, "listing", fail)
    assert made.snapshot()["problems"] == {"listing": "it is away"}
    assert made._due["listing"] - time.monotonic() <= 30
    made._due.clear()
    made._every(600.0, "listing", lambda: None)
    assert made.snapshot()["problems"] == {}
    assert made._due["listing"] - time.monotonic() > 500


def test_a_run_directory_that_cannot_be_used_refuses_a_standby(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    config.run_dir.write_text("no directory")
    with (
        pytest.raises(ConfigError, match="cannot be used: not a directory"),
        answering(config, view(tmp_path, COLD)),
    ):
        raise AssertionError("it stands by")


# ---------------------------------------------------------------- beside the active one


def answers(path: Path, snapshot: dict[str, Any]) -> ControlServer:
    return ControlServer(path, {"health": lambda _: snapshot})


def test_health_shows_a_standby_beside_the_active_one_and_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = view(tmp_path, WARM, 4.0)
    active = {"verdict": "OK", "why": "", "name": "x", "pid": 7, "actors": [], "root_alive": True}
    options = HealthOptions(tmp_path)
    why = "standby, warm: 3 candles behind, lease held by"
    with answers(tmp_path / STANDBY_SOCKET, shown.snapshot()):
        with answers(tmp_path / CONTROL_SOCKET, active):
            assert health(options) == 0
            assert f"standby  pid {os.getpid()}: {why}" in capsys.readouterr().out
            assert look(options)["standing_by"]["candles_behind"] == 3
        assert health(options) == 0
        assert f"why: {why}" in capsys.readouterr().out
        latest = find_latest(tmp_path.parent)
        assert latest is not None
        assert latest.resolve() == tmp_path
    assert not (tmp_path / STANDBY_SOCKET).exists()
    (tmp_path / STANDBY_SOCKET).touch()  # as one that was killed leaves it
    assert health(options) == 3
    assert "there is no run in" in capsys.readouterr().out
