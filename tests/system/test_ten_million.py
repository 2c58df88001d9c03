"""Ten million messages through one `start` with all on that a run writes: it grows no further."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import cli
from ops.client import ask
from persistence.journal import segments
from tests.system.conftest import STRESS

TOTAL = 10_000_000 if STRESS else 60_000
"""Messages that actors have handled: what all cells count as `processed`, together. One event of
the market told to six followers is six, and so are their six acknowledgements. `batch` is 1, so
that no message stands for more than one event."""

MB = 1_000_000
KEEP, JOURNAL_KEEP = 2, 3
GROWTH_MB = 16
"""What the venue keeps to look back, and what the allocator does not give back."""
LIMIT_S = 2_400 if STRESS else 90
FIRST_QUARTER, LAST = 1, 4
CONFIG = """
name = "ten-million"
run_dir = "{run_dir}"
[venue.balances]
USDT = "100000000"
[feed]
type = "demo"
speed = 0
batch = 1
symbols = ["BTC/USDT"]
[runtime]
one_cpu = true  # twice as fast here, where all that the threads do is to hand on
[metrics]
rotate_max_mb = 1
rotate_keep = {keep}
sample_every = 20
interval_s = 1
[journal]
when = "always"
rotate_mb = 1
keep = {journal_keep}
[logs]
rotate_mb = 1
rotate_keep = {keep}
"""
STRATEGY = """
[[strategy]]
id = "sma-{slow}"
uses = "sma_cross"
[strategy.params]
fast = {fast}
slow = {slow}
"""
SLOPES = ((10, 30), (50, 200), (60, 240), (70, 280), (80, 320))


class Look(NamedTuple):
    """What was seen from outside at one moment; sizes in megabytes."""

    handled: int
    resident: float
    metrics: float
    journal: float
    logs: float


def size_of(folder: Path, pattern: str) -> float:
    """Add up the files that are still there when they are asked."""
    total = 0
    for path in folder.glob(pattern):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total / MB


def look(pid: int, run_dir: Path, told: dict[str, Any]) -> Look:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Look(
        handled=sum(actor["processed"] for actor in told["actors"]),
        resident=pages * os.sysconf("SC_PAGE_SIZE") / MB,
        metrics=size_of(run_dir, "metrics.ndjson*"),
        journal=size_of(run_dir, "journal/*"),
        logs=size_of(run_dir, "watchkeeper.*log*"),
    )


def seen_until_the_last(
    process: "subprocess.Popen[bytes]", run_dir: Path
) -> tuple[list[Look], dict[str, Any]]:
    """Look again and again until that many are handled; give the looks and the last word."""
    looks, pause, end = list[Look](), threading.Event(), time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        pause.wait(0.5 if STRESS else 0.05)
        assert process.poll() is None, f"it ended by itself, after {looks[-1:]}"
        if not (run_dir / "control.sock").exists():
            continue
        told = ask(run_dir / "control.sock", "health", timeout_s=30)
        looks.append(look(process.pid, run_dir, told))
        if looks[-1].handled >= TOTAL:
            return looks, told
    raise AssertionError(f"too slow: {looks[-1:]}")


def largest(looks: list[Look], quarter: int) -> float:
    """Give the most megabytes that were resident in a quarter of the way."""
    low, high = TOTAL * (quarter - 1) // 4, TOTAL * quarter // 4
    there = [one.resident for one in looks if low <= one.handled < high]
    edge = {FIRST_QUARTER: looks[0], LAST: looks[-1]}.get(quarter)
    return max([*there, edge.resident] if edge else there, default=0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    text = CONFIG.format(run_dir=tmp_path / "run", keep=KEEP, journal_keep=JOURNAL_KEEP)
    path.write_text(text + "".join(STRATEGY.format(fast=f, slow=s) for f, s in SLOPES))
    return path


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_run_grows_neither_in_memory_nor_beyond_its_rotation(
    config: Path, tmp_path: Path
) -> None:
    run_dir, begun = tmp_path / "run", time.monotonic()
    command = [sys.executable, "-P", "-m", "cli", "start", str(config), "--json"]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
    try:
        looks, told = seen_until_the_last(process, run_dir)
        ask(run_dir / "control.sock", "stop", timeout_s=30)
        assert process.wait(LIMIT_S) == 0, (tmp_path / "said").read_text()[-2_000:]
    finally:
        process.kill()
        process.wait()
    most = {name: max(getattr(one, name) for one in looks) for name in Look._fields}
    quarters = {quarter: largest(looks, quarter) for quarter in range(FIRST_QUARTER, LAST + 1)}
    summary = json.loads((run_dir / "metrics_summary.json").read_bytes())
    figures = {
        "seconds": round(time.monotonic() - begun),
        "handled": looks[-1].handled,
        "most": most,
        "resident_by_quarter": quarters,
        "ledger_mb": size_of(run_dir, "ledger.db*"),
        "segment": segments(run_dir / "journal")[-1].name,
        **{name: told[name] for name in ("counters", "journal", "metrics")},
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")

    assert all(quarters[n] < quarters[FIRST_QUARTER] + GROWTH_MB for n in range(2, LAST + 1))
    # Those that stay are compressed; one is being written, one perhaps being compressed.
    assert most["metrics"] < KEEP * 0.5 + 2.5
    # A segment ends with the write that fills it, which is of 2,000 messages at most.
    assert most["journal"] < (JOURNAL_KEEP + 1) * 1.5
    assert most["logs"] < KEEP + 2
    # And that says something: files were begun anew.
    assert int(segments(run_dir / "journal")[-1].stem) > JOURNAL_KEEP
    assert (run_dir / "metrics.ndjson.1.gz").exists()
    assert told["counters"]["filled"] > TOTAL / 2_000
    assert not told["metrics"]["problem"]
    assert not told["journal"]["problem"]
    assert summary["filled"] >= told["counters"]["filled"]
    assert cli.main(["audit", "--run-dir", str(run_dir)]) == 0
