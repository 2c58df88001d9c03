"""What goes wrong in a run is seen, with its cause, wherever a person or a machine looks."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("apprise", reason="the extra `alerts` is not installed")

from ops.metrics_schema import schemas
from tests.ops.receiver import Receiver, receiver
from tests.system.bots import LIMIT_S, Bot
from tests.system.seen import Surfaces, lacking, says

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PLANTED = Path(__file__).with_name("planted.py")
CONFIG = """
name = "seen"
run_dir = "{folder}/run"
[feed]
speed = {speed}
[venue.balances]
USDT = "900"
[[strategy]]
id = "good"
uses = "{planted}:Seesaw"
[[strategy]]
id = "crasher"
uses = "{planted}:Crasher"
params = {{ folder = "{folder}" }}
[[strategy]]
id = "poor"
uses = "{planted}:Seesaw"
order_notional = "950"
[[strategy]]
id = "greedy"
uses = "{planted}:Greedy"
order_notional = "5000"
[risk]
max_order_notional = "1000"
max_orders_per_minute = 100000
[metrics]
interval_s = 1
prometheus_file = "{folder}/run.prom"
[alerts]
calm_s = 1
stale_after_s = {stale_after_s}
"""


class Scene:
    """One run directory, and every place where one can look."""

    def __init__(self, folder: Path, start: Callable[..., Bot], there: Receiver) -> None:
        self.folder, self.run_dir = folder, folder / "run"
        self._start, self._there = start, there

    def begin(self, *more: str, speed: int = 300, stale_after_s: int = 600) -> Bot:
        config = self.folder / "seen.toml"
        config.write_text(
            CONFIG.format(
                folder=self.folder, planted=PLANTED, speed=speed, stale_after_s=stale_after_s
            )
        )
        environment = {**os.environ, "WATCHKEEPER_ALERT_URLS": self._there.url}
        return self._start(config, *more, environment=environment)

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "cli", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        return done.stdout

    def look(self, health: str = "") -> Surfaces:
        page = json.loads(self.command("dashboard", str(self.run_dir), "--json"))
        assert not page["runs"][0]["missing"], page["runs"][0]["missing"]
        return {
            "health": health,
            "summary": (self.run_dir / "metrics_summary.json").read_text(),
            "ndjson": (self.run_dir / "metrics.ndjson").read_text(),
            "prometheus": (self.folder / "run.prom").read_text(),
            "dashboard": json.dumps(page),
            "log": (self.run_dir / "watchkeeper.log").read_text(),
            "alert": json.dumps(self._there.got),
        }


@pytest.fixture
def scene(tmp_path: Path, start: Callable[..., Bot]) -> Any:
    with receiver() as there:
        yield Scene(tmp_path, start, there)


def assert_as_published(run_dir: Path, *answers: str) -> list[dict[str, Any]]:
    """Check files and answers of `health --json` against their schemas; give the lines."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    checks = {
        name.partition(".")[0]: jsonschema.Draft202012Validator(schema)
        for name, schema in schemas().items()
    }
    for text in ((run_dir / "status.json").read_text(), *answers):
        checks["health"].validate(json.loads(text))
    checks["metrics_summary"].validate(json.loads((run_dir / "metrics_summary.json").read_text()))
    lines = [json.loads(line) for line in (run_dir / "metrics.ndjson").read_text().splitlines()]
    for line in lines:
        assert checks["metrics_line"].is_valid(line), line
    return lines


def test_a_crash_and_refusals_and_rejects_are_seen_everywhere(scene: Scene) -> None:
    bot = scene.begin()
    bot.until(lambda: (scene.folder / "crashed").exists())
    bot.until(lambda: {"refused", "rejected"} <= {order["state"] for order in bot.of("order")})
    health = scene.command("health", "--run-dir", str(scene.run_dir), "--errors")
    asked = scene.command("health", "--run-dir", str(scene.run_dir), "--errors", "--json")
    lines_file = scene.run_dir / "metrics.ndjson"
    bot.until(lambda: '"kind":"interval"' in lines_file.read_text())
    assert bot.end(signal.SIGTERM)[0] == 0
    left = scene.command("health", "--run-dir", str(scene.run_dir), "--json")
    nowhere = scene.command("health", "--run-dir", str(scene.folder / "nowhere"), "--json")
    lines = assert_as_published(scene.run_dir, asked, left, nowhere)
    kinds = {line["kind"] for line in lines}
    assert kinds == {"message", "stage", "order", "supervision", "feed", "interval", "alert"}

    seen = scene.look(health)
    assert not lacking("A strategy crashes", seen)
    assert not lacking("Risk refuses a decision", seen)
    assert not lacking("The venue rejects an order", seen)


def test_duplicates_and_a_halt_are_seen_everywhere(scene: Scene) -> None:
    assert scene.begin("--max-events", "20", speed=0).end()[0] == 0
    bot = scene.begin()
    bot.until(lambda: any(s["counters"]["dupes_filtered"] >= 10 for s in bot.of("status")))
    why = "a planted halt"
    scene.command("halt", str(scene.run_dir), "--reason", why)
    bot.until_why(why)
    bot.until(lambda: why in json.dumps(scene._there.got))
    bot.until_processed(40)
    health = scene.command("health", "--run-dir", str(scene.run_dir))
    halted = scene.command("health", "--run-dir", str(scene.run_dir), "--json")
    bot.until(lambda: says(prometheus(scene), "watchkeeper_halted N"))
    scene.command("stop", "--run-dir", str(scene.run_dir))
    assert bot.end()[0] == 1, "it ends halted"

    seen = scene.look(health)
    assert not lacking("A decision is made again", seen)
    assert not lacking("A person halts", seen)
    lines = assert_as_published(scene.run_dir, halted)
    assert json.loads(halted)["halt"]["reason"] == why
    assert [one["delivered"] for one in lines if one.get("rule") == "gone"] == [True]
    summary = json.loads(seen["summary"])
    own = [one for one in lines if one["at_ns"] >= summary["started_at_ns"]]
    assert summary["metrics"]["lines"] == len(own)


def prometheus(scene: Scene) -> str:
    path = scene.folder / "run.prom"
    return path.read_text() if path.exists() else ""


def test_a_stale_feed_is_seen_everywhere(scene: Scene) -> None:
    bot = scene.begin(speed=1, stale_after_s=2)  # a candle a minute
    why = "shows no market event for"
    bot.until_why(why)
    bot.until(lambda: why in json.dumps(scene._there.got))
    health = scene.command("health", "--run-dir", str(scene.run_dir))
    bot.until(lambda: 'rule="stale"' in prometheus(scene))
    scene.command("stop", "--run-dir", str(scene.run_dir))
    assert bot.end()[0] == 0

    assert not lacking("A feed falls silent", scene.look(health))
