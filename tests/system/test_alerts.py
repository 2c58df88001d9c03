"""Alerts of real processes: a killed one, its watch, its successor; a receiver that is away."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("apprise", reason="the extra `alerts` is not installed")

from tests.ops.receiver import LIMIT_S, TOKEN, Receiver, receiver
from tests.system.bots import Bot

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CONFIG = """
name = "quiet"
[feed]
speed = 600
[alerts]
calm_s = 0
[[strategy]]
id = "a"
uses = "sma_cross"
params = { fast = 5, slow = 15 }
"""


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "quiet.toml"
    path.write_text(f'run_dir = "{tmp_path}/run"\n{CONFIG}')
    return path


def until_title(there: Receiver, title: str) -> str:
    """Wait for a message with this title; give what it says."""
    with there.news:
        found = there.news.wait_for(
            lambda: next((m for m in there.got if m["title"] == title), None), LIMIT_S
        )
    assert found, there.titles()
    return str(found["message"])


def test_a_killed_process_is_told_of_by_its_watch_and_by_its_successor(
    tmp_path: Path, start: Callable[..., Bot], config: Path, there: Receiver
) -> None:
    environment = {**os.environ, "WATCHKEEPER_ALERT_URLS": there.url}
    bot = start(config, environment=environment)
    bot.until_processed(1)
    command = [sys.executable, "-P", "-m", "cli", "alert", "watch", str(tmp_path / "run")]
    watch = subprocess.Popen(
        [*command, "--interval", "0.1"], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        bot.end(signal.SIGKILL)
        said = until_title(there, "quiet: CRITICAL gone")
        assert f"process {bot.process.pid} (quiet) was killed" in said

        second = start(config, environment=environment)
        assert "It answers again." in until_title(there, "quiet: over gone")
        with there.news:
            died = f"process {bot.process.pid} died without a word"
            assert there.news.wait_for(
                lambda: any(died in m["message"] for m in there.got), LIMIT_S
            )
        code, _ = second.end(signal.SIGTERM)
    finally:
        watch.send_signal(signal.SIGTERM)
        _, words = watch.communicate(timeout=LIMIT_S)

    assert (code, watch.returncode) == (0, 0)
    lines = (tmp_path / "run" / "metrics.ndjson").read_text().splitlines()
    told = [line for line in map(json.loads, lines) if line["kind"] == "alert"]
    assert [(line["rule"], line["state"], line["delivered"]) for line in told][:1] == [
        ("gone", "firing", True)
    ]
    assert TOKEN not in words


def test_an_alert_that_nobody_takes_is_shown_by_health_and_harms_nothing(
    tmp_path: Path, start: Callable[..., Bot], config: Path, there: Receiver
) -> None:
    there.status = 500
    limits = config.read_text().replace("calm_s = 0", "disk_free_mb = 1000000000")
    config.write_text(limits)
    bot = start(config, environment={**os.environ, "WATCHKEEPER_ALERT_URLS": there.url})
    bot.until_why("alert(s) not delivered: json://127.0.0.1")
    bot.until_processed(20)
    code, said = bot.end(signal.SIGTERM)

    status = json.loads((tmp_path / "run" / "status.json").read_text())
    summary = json.loads((tmp_path / "run" / "metrics_summary.json").read_text())
    assert code == 0, said
    told = [s["verdict"] for s in bot.of("status") if "not delivered" in s["why"]]
    assert "WARNING" in told
    assert [row["rule"] for row in status["alerts"]["firing"]] == ["disk"]
    assert summary["alerts"]["undelivered"] == 1
    everything = [path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert TOKEN.encode() not in b"".join(everything) + said.encode()
