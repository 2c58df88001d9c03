"""A run whose ledger was deleted: not started, halted without a claim to proof, and begun anew."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.runs import EXAMPLES, command, real_run

pytestmark = pytest.mark.slow


def start(run_dir: Path) -> "subprocess.CompletedProcess[str]":
    config = str(EXAMPLES / "demo.toml")
    return command("start", config, "--run-dir", str(run_dir), "--max-events", "300", "--json")


def ahead_of_time(status: Path) -> None:
    """As a process leaves it whose clock was set back afterwards."""
    said = json.loads(status.read_text())
    status.write_text(json.dumps(said | {"captured_at_ns": said["captured_at_ns"] * 2}))


def test_a_run_in_memory_forgets_nothing_of_the_ledger_beside_it(tmp_path: Path) -> None:
    run_dir = real_run(tmp_path / "run", "demo", 300)
    words = ["--idempotency-backend", "memory", "--max-events", "50", "--json"]
    config = str(EXAMPLES / "demo.toml")
    assert command("start", config, "--run-dir", str(run_dir), *words).returncode == 0

    (run_dir / "ledger.db").unlink()

    assert start(run_dir).returncode == 2


def test_a_deleted_ledger_is_traded_on_only_after_a_persons_word(tmp_path: Path) -> None:
    run_dir = real_run(tmp_path / "run", "demo", 300)
    assert start(run_dir).returncode == 0, "nothing is lost"
    (run_dir / "ledger.db").unlink()

    for words in (["orders", "--run-dir", str(run_dir)], ["audit", str(run_dir)]):
        looked = command(*words)
        assert (looked.returncode, "does not know order" in looked.stderr) == (2, True)
    refused = start(run_dir)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"watchkeeper ledger mark {run_dir}" in refused.stderr

    halted = command("halt", str(run_dir))
    assert (halted.returncode, "NOT proved" in halted.stdout + halted.stderr) == (1, True)
    assert start(run_dir).returncode == 2, "the halt has made an empty one, which lacks as much"

    assert command("ledger", "mark", str(run_dir)).returncode == 0
    assert start(run_dir).returncode == 1, "halted from its beginning to its end"
    (run_dir / "ledger.db").unlink()
    assert start(run_dir).returncode == 2, "the mark went with it"
    assert command("ledger", "mark", str(run_dir)).returncode == 0
    ahead_of_time(run_dir / "status.json")
    accepted = command("ledger", "accept", str(run_dir), "--evidence", "looked at the venue")
    assert accepted.returncode == 0, accepted.stderr
    assert command("resume", str(run_dir)).returncode == 0
    assert start(run_dir).returncode == 0


def test_of_a_halt_without_any_order_the_way_that_is_named_goes_on(tmp_path: Path) -> None:
    run_dir = real_run(tmp_path / "run", "demo", 3)
    assert command("halt", str(run_dir)).returncode == 0
    for left in run_dir.glob("ledger.db*"):
        left.unlink()

    refused = start(run_dir)
    assert (refused.returncode, "does not know the halt" in refused.stderr) == (2, True)
    assert command("ledger", "mark", str(run_dir)).returncode == 0
    accepted = command("ledger", "accept", str(run_dir), "--evidence", "looked at the venue")
    assert accepted.returncode == 0, accepted.stderr
    assert command("resume", str(run_dir)).returncode == 0
    assert start(run_dir).returncode == 0


def test_a_halt_that_was_resumed_is_over_also_where_nobody_could_write_that_down(
    tmp_path: Path,
) -> None:
    run_dir = real_run(tmp_path / "run", "demo", 300)
    assert command("halt", str(run_dir)).returncode == 0
    status = (run_dir / "status.json").read_text()
    assert command("resume", str(run_dir), "--despite-open").returncode == 0

    (run_dir / "status.json").write_text(status)

    assert start(run_dir).returncode == 0
