"""What a live run leaves at the exchange when it ends in order, and where a person reads of it."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange
from tests.system.bots import Bot
from tests.system.resting_bots import PLUGIN, command, moving_config, moving_exchange


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningExchange]:
    with moving_exchange(monkeypatch) as running:
        yield running


def until_it_holds_and_rests(bot: Bot) -> None:
    """Wait until its entry, which has a stop, is filled, and its bid rests."""

    def there() -> bool:
        states = {one["order_key"]: one["state"] for one in bot.of("order")}
        return sorted(states.values()) == ["accepted", "filled"]

    bot.until(there)


@pytest.mark.slow
def test_an_end_in_order_names_what_rests_and_the_stop_that_nobody_keeps(
    tmp_path: Path, run: RunningExchange, start: Callable[..., Bot]
) -> None:
    config = moving_config(tmp_path, run, f"{PLUGIN}:Leaving", {"max_position_notional": "100000"})
    folder = tmp_path / "run"
    bot = start(config, "--i-understand-live")
    until_it_holds_and_rests(bot)

    code, said = bot.end(signal.SIGTERM)

    assert code == 0, said
    (word,) = bot.of("end")
    rests = "1 order may still fill at the exchange, and nobody follows it (BTC/USDT 1): "
    kept = "1 stop acts only while a process runs (BTC/USDT 1): "
    assert (word["left"]["orders"], word["left"]["stops"]) == ({"BTC/USDT": 1}, {"BTC/USDT": 1})
    of_orders, of_stops = word["left"]["texts"]
    assert (of_orders[: len(rests)], of_stops[: len(kept)]) == (rests, kept)
    log = (folder / "watchkeeper.log").read_text()
    shown = command("health", "--run-dir", folder)
    assert shown.returncode == 3
    for part in (rests, f"`watchkeeper halt {folder}`", kept):
        assert part in log
        assert part in said
        assert part in shown.stdout

    halted = command("halt", folder, "--reason", "over", "--json")

    assert json.loads(halted.stdout)["proved"], halted.stderr
    shown = command("health", "--run-dir", folder)
    assert shown.returncode == 3
    assert rests not in shown.stdout, "it was canceled without a process"
    assert kept in shown.stdout, "and the stop is still kept"
    assert "trading is halted (over): the next start trades nothing before" in shown.stdout
