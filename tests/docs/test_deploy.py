"""What deploy/ holds, held against the code: every metric that it names is told by a run."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from actors.step_runtime import StepRuntime
from ops.config import demo_config
from ops.exposition import Exposition
from ops.fleet.exposition import fleet_text
from ops.fleet.standing import standing
from ops.run_dir import RunDir
from ops.standby_answers import StandbyView
from ops.wiring import build

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "watchkeeper.json"
METRIC = re.compile(r"\b(?:watchkeeper|process)_[a-z_]+\b")
INCREASE = re.compile(r"increase\((\w+)(?:\{([^}]*)\})?\[")
LABEL = re.compile(r'(\w+)=~?"([^"]*)"')
PROMTOOL = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool (of Debian's package prometheus) is not installed"
)


@pytest.fixture
def text(tmp_path: Path) -> str:
    """What a run tells in which nothing has happened yet."""
    config = demo_config({"run_dir": str(tmp_path / "run")})
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, StepRuntime())
        return Exposition(system, run_dir.ledger, "demo", "paper").text()


@pytest.fixture
def told(text: str) -> set[str]:
    """The names of all that a run, a fleet and a standby tell, a histogram's three apart."""
    names = set()
    fleet = fleet_text(standing("desk", None, ()), {})
    warmth = {"is_warm": True, "candles_behind": 0}
    standby = StandbyView(demo_config({}), lambda: warmth).text()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text + fleet + standby, re.MULTILINE):
        parts = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {name + part for part in parts}
    return names


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def expressions() -> Iterator[str]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def test_the_rules_name_what_is_told(told: set[str]) -> None:
    lines = [line for line in RULES.read_text().splitlines() if "expr:" in line]
    assert len(lines) > 10
    assert {name for line in lines for name in METRIC.findall(line)} <= told


def test_what_a_rule_watches_the_increase_of_is_told_from_the_start(text: str) -> None:
    """To Prometheus what appears has not increased: the first one would alert nobody."""
    watched = INCREASE.findall(RULES.read_text())
    assert len(watched) > 4
    for name, labels in watched:
        given = {key: values.split("|") for key, values in LABEL.findall(labels)}
        for values in product(*given.values()):
            wanted = {f'{key}="{value}"' for key, value in zip(given, values, strict=True)}
            samples = re.findall(rf"^{name}(?:{{(.*)}})? \S+$", text, re.MULTILINE)
            assert any(wanted <= set(one.split(",")) - {""} for one in samples), (name, wanted)


def test_the_dashboard_names_what_is_told(told: set[str]) -> None:
    names = {name for expression in expressions() for name in METRIC.findall(expression)}
    assert len(names) > 15
    assert names <= told


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    text = RULES.read_text()
    alerts = text.count("- alert:")
    assert alerts > 8
    for word in ("severity:", "summary:", "description:"):
        assert text.count(word) == alerts


def test_the_dashboard_can_be_imported_anywhere() -> None:
    board = dashboard()
    assert board["uid"] == "watchkeeper"
    assert [one["name"] for one in board["__inputs"]] == ["DS_PROMETHEUS"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in board["panels"]:
        where = panel["gridPos"]
        assert where["x"] + where["w"] <= 24
        for one in [panel, *panel.get("targets", ())]:
            if panel["type"] != "row":
                assert one["datasource"]["uid"] == "${DS_PROMETHEUS}"
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    assert len(set(places)) == len(places), "two panels in one place"


@needs_promtool
def test_promtool_passes_the_rules_and_the_scrape_configuration() -> None:
    composed = ROOT / "deploy" / "compose" / "prometheus" / "prometheus.yml"
    for words in (
        ("rules", RULES),
        ("config", RULES.with_name("scrape.yml")),
        ("config", "--syntax-only", composed),  # it names files of the container
    ):
        command = [str(PROMTOOL), "check", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_passes_what_the_dashboard_asks(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{place}", "expr": one.replace("$__rate_interval", "5m")}
        for place, one in enumerate(expressions())
    ]
    file = tmp_path / "panels.yml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
