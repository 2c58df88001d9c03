"""What a whole run tells Prometheus: clean by its own tools, and told while every actor hangs."""

import http.client
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.thread_runtime import ThreadRuntime
from messages.ids import NS_PER_S, ActorPath
from messages.lifecycle import InjectHang
from messages.market import FeedReport
from ops.config import demo_config
from ops.exposition import Exposition
from ops.exposition_snapshot import of_snapshot
from ops.health import probe_problem
from ops.http_server import HttpServer
from ops.publishing import TextFile
from ops.run_dir import RunDir
from ops.snapshot import Snapshots
from ops.wiring import build
from tests.system.conftest import STRESS, config_of, run_to_end
from tests.system.market_files import crossing_candles

PROMTOOL = shutil.which("promtool")
UNITS = (
    *("seconds", "bytes", "matters", "messages", "total", "info", "units"),
    *("claims", "alerts", "orders", "restarts", "stops"),
)
NO_UNIT = {
    "watchkeeper_ready",
    "watchkeeper_halted",
    "watchkeeper_actor_up",
    "watchkeeper_metrics_failing",
    "watchkeeper_positions_incomplete",
    "watchkeeper_journal_failing",
    "watchkeeper_lease_barred",
    "watchkeeper_lease_failing",
}


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    return crossing_candles(tmp_path, 400)


@pytest.fixture
def told(candles: Path, tmp_path: Path) -> str:
    run = tmp_path / "run"
    config = config_of(run, {"BTC/USDT": candles})
    system = run_to_end(config, ThreadRuntime(ttl_enforced=False))
    take = Snapshots(system, config).take
    return Exposition(system, run / "ledger.db", 'te"st\\\n', "paper", take).text()


@pytest.mark.slow
def test_its_names_and_units_are_by_the_conventions(told: str) -> None:
    parser = pytest.importorskip(
        "prometheus_client.parser", reason="prometheus-client is not there"
    )
    families = list(parser.text_string_to_metric_families(told))
    assert len({f.name for f in families}) == len(families) > 30
    for family in families:
        full = re.findall(rf"^# TYPE ({family.name}(?:_total)?) ", told, re.MULTILINE)[0]
        assert re.fullmatch(r"(watchkeeper|process)_[a-z_]+", full)
        assert family.documentation.endswith(".")
        assert full in NO_UNIT or full.rpartition("_")[2] in UNITS, full
        assert (family.type == "counter") == full.endswith("_total")
        seen = [(s.name, tuple(sorted(s.labels.items()))) for s in family.samples]
        assert len(set(seen)) == len(seen), "a sample is there twice"
        for sample in family.samples:
            assert sample.timestamp is None
            assert family.type != "counter" or sample.value >= 0
    samples = {s.name: s.value for f in families for s in f.samples if not s.labels}
    assert samples["watchkeeper_events_processed_total"] == 400
    assert samples["watchkeeper_orders_filled_total"] > 1
    assert samples["watchkeeper_ledger_commit_duration_seconds_count"] > 0
    stages = {
        s.labels["stage"]: s.value
        for f in families
        for s in f.samples
        if s.name == "watchkeeper_stage_duration_seconds_count"
    }
    assert set(stages.values()) == {samples["watchkeeper_decisions_allowed_total"]}


@pytest.mark.slow
@pytest.mark.skipif(PROMTOOL is None, reason="promtool (of Debian's package prometheus) is missing")
def test_promtool_finds_nothing_to_say(told: str) -> None:
    done = subprocess.run(
        [str(PROMTOOL), "check", "metrics"],
        input=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_is_counted_never_falls_while_an_actor_is_half_way_through_counting(
    tmp_path: Path,
) -> None:
    config = demo_config({"run_dir": str(tmp_path / "run")})
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, ThreadRuntime())
        exposition = Exposition(system, run_dir.ledger, config.name, "paper")
        cell, line = system.executor.cell, f'actor="{system.executor.cell.path}",outcome="ok"}} '
        cell.processed = 10
        assert cell.hops is not None

        before = exposition.text()
        cell.hops.apart += 4  # counted here already, and not yet among the processed
        during = exposition.text()
        cell.hops.outcomes["ok"] += 4
        cell.processed += 4
        after = exposition.text()

    told = [text.partition(line)[2].split()[0] for text in (before, during, after)]
    assert told == ["10", "10", "14"]


def test_what_a_feed_counts_never_falls_when_it_begins_anew(tmp_path: Path) -> None:
    """It reads its recording once more, and what is wrong with that counts from 0 again."""
    config, feed = demo_config({"run_dir": str(tmp_path / "run")}), ActorPath("feeds/feed:demo")
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, ThreadRuntime())
        exposition, told = Exposition(system, run_dir.ledger, config.name, "paper"), list[str]()
        for malformed in (5, 2, 6):
            system.fold.fold(report(feed, malformed))
            line = f'watchkeeper_feed_malformed_total{{feed="{feed}"}} '
            told.append(exposition.text().partition(line)[2].split()[0])

    assert told == ["5", "5", "6"]


def report(feed: ActorPath, malformed: int) -> FeedReport:
    return FeedReport(
        feed=feed,
        delivered=9,
        malformed=malformed,
        duplicate=0,
        out_of_order=0,
        gaps=0,
        missing=0,
        first_problems=(),
        ended=False,
    )


class Overtaken(dict[tuple[str, str], int]):
    """While one who asks compares with what was told before, another asks, and is told more."""

    def __init__(self, other: Callable[[], object]) -> None:
        super().__init__()
        self._other = threading.Thread(target=other)

    def get(self, key: Any, default: Any = None) -> Any:
        known = super().get(key, default)
        if self._other.ident is None:
            self._other.start()
            self._other.join(0.2)  # when it is made to wait, it comes after this one
        return known

    def join(self) -> None:
        self._other.join(30)


def test_two_who_ask_at_once_leave_the_most_that_either_was_told(tmp_path: Path) -> None:
    config = demo_config({"run_dir": str(tmp_path / "run")})
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, ThreadRuntime())
        exposition = Exposition(system, run_dir.ledger, config.name, "paper")
        most = exposition._most = Overtaken(lambda: exposition._no_less("a", "ok", 12))

        assert exposition._no_less("a", "ok", 10) == 10
        most.join()

        assert exposition._no_less("a", "ok", 11) == 12


def test_what_it_takes_of_health_has_no_percentiles_in_it(tmp_path: Path) -> None:
    config = demo_config({"run_dir": str(tmp_path / "run")})
    with RunDir(config.run_dir) as run_dir:
        snapshots = Snapshots(build(config, run_dir, ThreadRuntime()), config)
        whole, lean = snapshots.take(), snapshots.take(latencies=False)

    left_out = set(whole["actors"][0]) - set(lean["actors"][0])
    assert left_out == {"p50_us", "p99_us", "max_us"}
    names = [[line.split()[0] for line in of_snapshot(one)] for one in (whole, lean)]
    assert names[0] == names[1]


def get(port: int, path: str) -> tuple[int, str, float]:
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, time.perf_counter() - begun


@pytest.mark.slow
def test_it_is_told_under_full_load_and_with_every_actor_hung(tmp_path: Path) -> None:
    config = demo_config({"run_dir": str(tmp_path / "run"), "feed.speed": 0})
    runtime = ThreadRuntime(ttl_enforced=False)
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, runtime)
        snapshots = Snapshots(system, config)
        exposition = Exposition(system, run_dir.ledger, config.name, "paper", snapshots.take)

        def probe(question: str) -> str:
            return probe_problem(question, snapshots.take())

        with HttpServer("127.0.0.1", 0, exposition.text, probe) as server:
            assert get(server.port, "/livez")[0] == 503
            assert not runtime.start(system.root, 60 * NS_PER_S).problem
            loaded = [get(server.port, "/metrics") for _ in range(20 if STRESS else 5)]
            assert get(server.port, "/readyz")[:2] == (200, "ok\n")
            cells = [c for c in runtime.cells.values() if c.path != "root"]
            for cell in cells:
                cell.mailbox.put(InjectHang(reason="a rehearsal"))
            deadline = time.monotonic() + 60
            while not all(type(c.handling) is InjectHang for c in cells):
                assert time.monotonic() < deadline
                get(server.port, "/livez")
            hung = [get(server.port, "/metrics") for _ in range(20 if STRESS else 5)]
            assert get(server.port, "/livez")[0] == 200
        assert {status for status, _, _ in loaded + hung} == {200}
        assert 'watchkeeper_actor_handling_seconds{actor="execution/executor"}' in hung[-1][1]
        limit_s = 0.1 if STRESS else 2.0
        assert sorted(took for _, _, took in loaded)[len(loaded) // 2] < limit_s
        assert max(took for _, _, took in hung) < limit_s
        runtime.stop(system.root, 0)


@pytest.mark.slow
def test_the_text_file_is_whole_and_readable_by_the_node_exporter(tmp_path: Path) -> None:
    texts = iter(["a 1\n", "a 2\n", "a 3\n"])
    path = tmp_path / "wk.prom"
    file = TextFile(path, lambda: next(texts), interval_s=3600).start()
    assert path.read_text() == "a 1\n"
    file.close()

    assert path.read_text() == "a 2\n"
    assert path.stat().st_mode & 0o044 == 0o044
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_the_text_file_raises_nothing(tmp_path: Path) -> None:
    file = TextFile(tmp_path / "gone" / "wk.prom", lambda: "a 1\n", interval_s=3600)
    file.write()

    assert file.problem
