"""`start` with a key that may read and not trade: it ends before anything begins."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.local.settings import Profile
from ops.config_write import to_toml
from persistence.ledger import read_orders
from tests.system.bots import Bot
from tests.system.live_bot import BTC, SECRETS, SILENT, document_of

pytestmark = pytest.mark.slow


class Starts:
    """Starts bots at one exchange that buy and sell on every trade of its market."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run_dir, self._folder = folder / "run", folder
        self._monkeypatch, self._bots = monkeypatch, list[Bot]()

    def at(self, run: RunningExchange, **venue: Any) -> Bot:
        secrets = run.ccxt_config() | {"password": run.exchange.settings.api_password}
        for name, variable in {**SECRETS, "password": "TEST_PASSWORD"}.items():
            self._monkeypatch.setenv(variable, secrets[name])
        document = document_of(run, self.run_dir, (BTC,))
        document["venue"] |= venue
        document["venue"]["ccxt"].pop("password", None)
        document["strategy"][0]["uses"] = SILENT.replace(":Silent", ":Busy")
        path = self._folder / "config.toml"
        path.write_text(to_toml(document))
        self._bots.append(Bot(str(path), "--i-understand-live"))
        return self._bots[-1]

    def logged(self) -> str:
        return (self.run_dir / "watchkeeper.log").read_text()

    def close(self) -> None:
        for bot in self._bots:
            bot.kill()


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starts]:
    starting = Starts(tmp_path, monkeypatch)
    yield starting
    starting.close()


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=3, speed=1) as running:
        yield running


def until_filled(bot: Bot) -> None:
    bot.until(lambda: any(one["state"] == "filled" for one in bot.of("order")))


def of_orders(run: RunningExchange) -> list[str]:
    return [one.operation for one in run.exchange.requests() if one.method in ("POST", "DELETE")]


def test_a_key_without_trading_right_ends_the_start_with_2_and_a_sentence(
    run: RunningExchange, starts: Starts
) -> None:
    run.exchange.restrict_key()
    code, said = starts.at(run).end()

    assert code == 2
    assert "the key may read at binance and not trade (HTTP 401, code -2015): enable" in said
    assert "Traceback" not in said
    assert of_orders(run) == ["test_order"]
    assert run.exchange.requests(operation="subscribe") == []
    assert list(read_orders(starts.run_dir / "ledger.db")) == []


def test_once_the_key_may_trade_the_same_run_directory_starts(
    run: RunningExchange, starts: Starts
) -> None:
    run.exchange.restrict_key()
    starts.at(run).end()
    run.exchange.restrict_key(is_restricted=False)
    bot = starts.at(run)
    until_filled(bot)
    code, _ = bot.end(signal.SIGTERM)

    assert code == 0
    assert of_orders(run)[:2] == ["test_order", "test_order"]
    assert "whether the key may trade" not in starts.logged()
    assert "withdraw" not in starts.logged()
    assert run.exchange.doubled() == {}


def test_a_key_that_may_withdraw_is_told_of_and_stops_nothing(
    run: RunningExchange, starts: Starts
) -> None:
    run.exchange.let_key_withdraw()
    bot = starts.at(run)
    bot.until_said("the key may withdraw from binance: make a key that may trade and not withdraw")
    until_filled(bot)
    code, _ = bot.end(signal.SIGTERM)

    assert code == 0
    assert len(run.exchange.requests(operation="key_rights")) == 1


def test_a_key_that_was_refused_is_not_noted_so_another_may_take_its_place(
    run: RunningExchange, starts: Starts
) -> None:
    run.exchange.restrict_key()
    starts.at(run).end()
    with running_exchange(seed=3, speed=1, api_key="another-key") as new:
        bot = starts.at(new)
        until_filled(bot)
        code, said = bot.end(signal.SIGTERM)

    assert code == 0, said


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault.HTML_BODY, "its reply is not the one it documents"),
        (Fault.HANG_AFTER, "no answer within 5 s"),
        (Fault.GATEWAY_TIMEOUT_BEFORE, "no_proof"),
    ],
)
def test_no_clear_answer_stops_no_start_and_is_told_once(
    run: RunningExchange, starts: Starts, fault: Fault, why: str
) -> None:
    run.exchange.arm(Plan(fault=fault, operation="test_order"))
    bot = starts.at(run)
    until_filled(bot)
    code, said = bot.end(signal.SIGTERM)

    assert code == 0
    assert of_orders(run).count("test_order") == 1
    (line,) = [one for one in starts.logged().splitlines() if "whether the key may trade" in one]
    assert why in line
    assert said.count("whether the key may trade") == 1


def test_an_exchange_that_checks_no_orders_starts_as_before_and_says_nothing(
    starts: Starts,
) -> None:
    with running_exchange(seed=3, speed=1, profile=Profile.OKX) as run:
        bot = starts.at(run, exchange="okx", api_password_env="TEST_PASSWORD")
        bot.until(lambda: bool(bot.of("status")))
        code, said = bot.end(signal.SIGTERM)

    assert code == 0, said
    assert "whether the key may trade" not in starts.logged()
