"""A look into a running system: `health --deep`, `--errors`, and why nothing is traded."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cli
import strategies
from actors.thread_runtime import ThreadRuntime
from messages.ids import NS_PER_S, ActorPath
from messages.lifecycle import HaltTrading, InjectCrash, InjectHang, TimerFired
from ops.config import demo_config
from ops.control import ControlServer
from ops.inspect_control import InspectControl
from ops.run_dir import RunDir
from ops.snapshot import Snapshots
from ops.wiring import System, build

pytestmark = pytest.mark.slow
STRATEGY = "execution/strategies/sma-1"


class Running:
    """A demo on threads, with its control socket."""

    def __init__(self, system: System, snapshots: Snapshots, run_dir: Path) -> None:
        self.system, self.snapshots, self.run_dir = system, snapshots, run_dir

    def until(self, is_so: Any) -> Any:
        pause = threading.Event()
        for _ in range(1_500):
            if found := is_so(self.snapshots.take()):
                return found
            pause.wait(0.02)
        raise AssertionError(self.snapshots.take())

    def health(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
        cli.main(["health", "--run-dir", str(self.run_dir), *arguments])
        return capsys.readouterr().out


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    overrides = {"run_dir": str(tmp_path / "run"), "feed.speed": 60}
    config = demo_config(overrides, strategies.check_params)
    runtime = ThreadRuntime(ttl_enforced=False)
    seen: list[Any] = []
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, runtime, observe=lambda m: [take(m) for take in seen])
        snapshots = Snapshots(system, config)
        seen.append(snapshots.facts.observe)
        assert not runtime.start(system.root).problem
        handlers = {"health": lambda _: snapshots.take(), **InspectControl(runtime).handlers()}
        with ControlServer(config.run_dir / "control.sock", handlers):
            yield Running(system, snapshots, config.run_dir)
            runtime.stop(system.root, NS_PER_S)


def test_an_actor_says_what_it_holds(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    page = running.health(capsys, "--deep", STRATEGY)
    told = json.loads(running.health(capsys, "--deep", STRATEGY, "--json"))["deep"]["told"]

    assert f"{STRATEGY}: says" in page
    assert told["symbol"] == "BTC/USDT"
    assert told["strategy"]

    running.system.runtime.cells[ActorPath(STRATEGY)].clean = lambda _: "***"
    told = json.loads(running.health(capsys, "--deep", STRATEGY, "--json"))["deep"]["told"]
    assert set(told["strategy"].values()) == {"***"}


def test_an_actor_that_hangs_shows_its_stack_instead(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    running.system.runtime.address(ActorPath("metrics")).tell(InjectHang(reason="test"))
    running.until(
        lambda s: next(a for a in s["actors"] if a["path"] == "metrics")["handling"] == "InjectHang"
    )

    page = running.health(capsys, "--deep", "metrics")
    assert "metrics: no answer within 250 ms" in page
    assert "block_forever" in page


def test_an_actor_that_is_not_there_is_named_with_those_that_are(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    page = running.health(capsys, "--deep", "nobody")

    assert "there is no actor 'nobody'" in page
    assert STRATEGY in page


def test_the_last_errors_come_with_their_tracebacks(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no actor has had an error" in running.health(capsys, "--errors")
    running.system.strategies["sma-1"].tell(InjectCrash(reason="a rehearsal"))  # type: ignore[index]  # by its id
    running.until(lambda s: any(a["last_error"] for a in s["actors"]))
    running.system.executor.tell(TimerFired(name="of nobody"))
    running.until(lambda s: any(a["dead_letters"] for a in s["actors"]))

    page = running.health(capsys, "--errors")
    assert f"{STRATEGY}  20" in page
    assert "ActorCrashed: crash injected: a rehearsal" in page
    assert "Traceback (most recent call last)" in page
    assert "TimerFired  rejected" in page
    assert "InjectCrash" not in page[page.index("dead letters, the newest last") :]


def test_a_page_says_why_nothing_is_traded(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    def why(snapshot: dict[str, Any]) -> str:
        return "; ".join(snapshot["trading"]["sma-1"]["why"])

    assert "warm-up: " in why(running.snapshots.take())
    running.until(lambda s: s["market_age_s"].get("BTC/USDT", 60.0) < 30.0)
    running.until(lambda s: "MarketBatch" in [a["progress_on"] for a in s["actors"]])
    running.system.executor.tell(HaltTrading(reason="I said so", durable=True))
    running.until(lambda s: "halted by" in why(s))

    page = running.health(capsys)
    assert "trading  sma-1 BTC/USDT: halted by" in page
    assert "I said so" in page
