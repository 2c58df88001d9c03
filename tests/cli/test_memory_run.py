"""A run that kept its ledger in memory leaves none: who looks for it is told, and what to do."""

import shlex
import shutil
from pathlib import Path

import pytest

import cli
from tests.cli.runs import command

READING = (
    "orders --run-dir {}", "orders --stops --run-dir {}", "trades {}", "positions {}", "audit {}",
    "report {}", "explain x --run-dir {}",
)  # fmt: skip


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a demo that ended."""
    run_dir = tmp_path_factory.mktemp("runs") / "a run"
    words = ["--idempotency-backend", "memory", "--max-events", "200", "--speed", "0", "--no-chaos"]
    done = command("start", "--run-dir", str(run_dir), *words, "--json")
    assert done.returncode == 0, done.stderr
    return run_dir


@pytest.mark.slow
@pytest.mark.parametrize("words", READING)
def test_a_ledger_that_was_kept_in_memory_is_one_sentence_that_says_what_to_do(
    forgetful: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(shlex.split(words.format(shlex.quote(str(forgetful))))) == 2

    out, err = capsys.readouterr()
    look = f"watchkeeper orders --run-dir {shlex.quote(str(forgetful))} --venue"
    assert out == ""
    assert err == (
        f"watchkeeper: {forgetful}: this run keeps its ledger in memory, where it ends with the"
        f" process: `{look}` shows what the paper venue has; start it without"
        " `--idempotency-backend memory` (idempotency.backend) to keep one\n"
    )


@pytest.mark.slow
def test_what_is_to_be_looked_at_instead_is_there(
    forgetful: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["orders", "--run-dir", str(forgetful), "--venue"]) == 0

    assert "BTC/USDT" in capsys.readouterr().out


@pytest.mark.slow
def test_a_ledger_that_is_missing_for_no_such_reason_is_said_as_ever(
    forgetful: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(forgetful, copy)
    config = copy / "config.effective.toml"
    config.write_text(config.read_text().replace('backend = "memory"', 'backend = "sqlite"'))

    assert cli.main(["orders", "--run-dir", str(copy)]) == 2

    assert "has this run ever started?" in capsys.readouterr().err
