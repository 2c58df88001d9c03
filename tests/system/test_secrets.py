"""A live run at the local exchange, with keys that look real: nothing that it writes has them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import running_exchange
from ops.metrics_schema import schemas
from tests.system.bots import LIMIT_S, Bot
from tests.system.live_bots import live_config, until_orders

pytestmark = pytest.mark.slow

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
"""The pair of Binance's own documentation."""
SPEED = 120.0
LEAKY = """
import os
from strategies.protocol import Strategy

class Leaky(Strategy):
    warmup_events = 1

    def __init__(self, params, symbol, order_notional, instrument):
        pass

    def on_candle(self, candle, position):
        if os.path.exists(os.environ["LEAKED"]):
            return ()
        open(os.environ["LEAKED"], "w").close()
        key, secret = os.environ["LOCAL_KEY"], os.environ["LOCAL_SECRET"]
        raise RuntimeError(f"a planted leak of {key} at https://me:{secret}@example.com/")
"""
PAPER = """
name = "leaky"
run_dir = "{folder}/run"
[feed]
speed = 600
[venue]
api_key_env = "LOCAL_KEY"
[[strategy]]
id = "leaky"
uses = "{folder}/leaky.py:Leaky"
[[strategy]]
id = "good"
uses = "sma_cross"
params = {{ fast = 5, slow = 15 }}
[metrics]
interval_s = 1
prometheus_file = "run.prom"
[journal]
when = "always"
"""


def written(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_secret(folder: Path, bot: Bot, said: str, *secrets: str) -> None:
    files = written(folder)
    printed = said.encode() + repr(bot.events).encode()
    for secret in secrets:
        assert [name for name, content in files.items() if secret[:20].encode() in content] == []
        assert secret[:20].encode() not in printed


def command(*words: str) -> str:
    command = [sys.executable, "-P", "-m", "cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    return done.stdout + done.stderr


def test_no_file_and_no_line_of_a_live_run_holds_a_key(
    tmp_path: Path, start: Callable[..., Bot]
) -> None:
    with running_exchange(seed=5, speed=SPEED, api_key=KEY, api_secret=SECRET) as run:
        config = live_config(tmp_path, run)
        config.write_text(f'{config.read_text()}\n[logs]\nformat = "json"\n')
        environment = {**os.environ, "LOCAL_KEY": KEY, "LOCAL_SECRET": SECRET}
        bot = start(config, "--i-understand-live", environment=environment)
        until_orders(run, 3)
        run.exchange.revoke_key()
        bot.until(lambda: any("key" in status["why"] for status in bot.of("status")))
        code, said = bot.end(signal.SIGTERM)

    assert code == 1, said
    status = json.loads(written(tmp_path)["status.json"])
    assert status["lease"]
    assert status["link"]
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    jsonschema.Draft202012Validator(schemas()["health.schema.json"]).validate(status)
    assert {"watchkeeper.log", "status.json", "metrics.ndjson", "ledger.db"} <= set(
        written(tmp_path)
    )
    assert b"trace_id" in written(tmp_path)["watchkeeper.log"]
    assert_secret(tmp_path, bot, said, KEY, SECRET)


def test_a_key_that_is_refused_is_not_shown_with_the_reason(
    tmp_path: Path, start: Callable[..., Bot]
) -> None:
    with running_exchange(seed=5, speed=SPEED, api_key=KEY, api_secret=SECRET) as run:
        config = live_config(tmp_path, run)
        environment = {**os.environ, "LOCAL_KEY": KEY, "LOCAL_SECRET": SECRET[::-1]}
        bot = start(config, "--i-understand-live", environment=environment)
        code, said = bot.end()

    assert code == 2
    assert "refuses the key" in said
    assert_secret(tmp_path, bot, said, KEY, SECRET[::-1])


def test_a_start_that_a_strategy_refuses_is_told_without_the_key_in_it(
    tmp_path: Path, start: Callable[..., Bot]
) -> None:
    refusing = LEAKY.replace("        pass", '        raise ValueError(os.environ["LOCAL_KEY"])')
    (tmp_path / "leaky.py").write_text(refusing)
    (tmp_path / "leaky.toml").write_text(PAPER.format(folder=tmp_path))
    bot = start(tmp_path / "leaky.toml", environment={**os.environ, "LOCAL_KEY": KEY})
    code, said = bot.end()

    assert code == 2
    assert "could not be made: ValueError: ***" in said
    assert_secret(tmp_path, bot, said, KEY)


def test_what_a_strategy_raises_is_told_everywhere_without_the_key_in_it(
    tmp_path: Path, start: Callable[..., Bot]
) -> None:
    (tmp_path / "leaky.py").write_text(LEAKY)
    config, run = tmp_path / "leaky.toml", str(tmp_path / "run")
    config.write_text(PAPER.format(folder=tmp_path))
    given = {"LOCAL_KEY": KEY, "LOCAL_SECRET": SECRET, "LEAKED": str(tmp_path / "leaked")}
    bot = start(config, environment={**os.environ, **given})
    bot.until(lambda: any("a planted leak" in one["reason"] for one in bot.of("supervision")))
    answers = [command("health", "--run-dir", run, more) for more in ("--errors", "--json")]
    _, said = bot.end(signal.SIGTERM)
    answers.append(command("dashboard", run, "--json"))

    told = "RuntimeError: a planted leak of *** at https://***@example.com/"
    assert [told in answer for answer in answers] == [True, True, True]
    files = written(tmp_path / "run")
    for name in ("watchkeeper.log", "status.json", "metrics.ndjson"):
        assert told.encode() in files[name], name
    assert_secret(tmp_path, bot, said + "".join(answers), KEY, SECRET)
