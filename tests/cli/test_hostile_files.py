"""Whatever stands where a file of a run should: a sentence, and an exit code of the table."""

import os
import random
import shlex
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import cli
from ops import run_files
from tests.cli.runs import command
from tests.system.conftest import STRESS

FILES = (
    *(value for name, value in vars(run_files).items() if name.isupper() and name[0] != "_"),
    "ledger.db-wal", "metrics.ndjson.1.gz", "start.out",
)  # fmt: skip
COMMANDS = (
    "health {}", "positions {}", "trades {}", "account {}", "account {} --accept why", "audit {}",
    "report {}", "journal {}", "journal {} --candles BTC/USDT", "replay {}", "stop {}",
    "dashboard {} --out page.html", "orders {}", "orders --stops --run-dir {}", "orders --venue {}",
    "orders show 0 --run-dir {}", "orders cancel 0 --run-dir {}", "explain 0 --run-dir {}",
    "halt {} --timeout 0.2", "resume {} --timeout 0.2", "ledger backup {} copy.db",
)  # fmt: skip
NOISE = random.Random(4).randbytes(5_000)


def cut(path: Path) -> None:
    if path.is_file():
        os.truncate(path, path.stat().st_size // 2)


def replaced_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        make(path)

    return replace


HOSTILE = {
    "a directory": replaced_by(Path.mkdir),
    "nothing": replaced_by(Path.touch),
    "noise": replaced_by(lambda path: path.write_bytes(NOISE)),
    "another object": replaced_by(lambda path: path.write_text('{"schema": [1], "a": NaN}')),
    "its half": cut,
    "a pipe": replaced_by(os.mkfifo),
}


def chosen() -> list[tuple[str, str]]:
    """Every damage to every file in the long form; else half of them to each, not the same half."""
    every = [(name, kind) for name in FILES for kind in HOSTILE]
    wide = len(HOSTILE)
    return [one for at, one in enumerate(every) if STRESS or not (at // wide + at % wide) % 2]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), chosen())
def test_no_file_of_a_run_makes_a_command_fail_without_a_sentence(
    whole_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    kind: str,
) -> None:
    """What a command raises is a traceback to its user, and fails this test as such."""
    monkeypatch.chdir(tmp_path)
    for words in COMMANDS:
        shutil.copytree(whole_run, "run")
        HOSTILE[kind](Path("run", name))
        code = cli.main(shlex.split(words.format("run")))

        out, err = capsys.readouterr()
        assert code in (0, 1, 2, 3), words
        assert "Traceback" not in out + err, words
        assert code == 0 or (out + err).strip(), words
        if code == 2 and not words.startswith(("health", "audit")):
            assert err.startswith("watchkeeper: "), words
            assert err.count("\n") == 1, words
        shutil.rmtree("run")
        for made in ("page.html", "copy.db"):
            Path(made).unlink(missing_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a directory", "a pipe"])
def test_a_log_that_cannot_be_opened_keeps_no_halt_from_being_proved(
    copied_run: Path, kind: str
) -> None:
    HOSTILE[kind](copied_run / "watchkeeper.log")

    halted = command("halt", str(copied_run))

    assert (halted.returncode, "nothing is logged of it: " in halted.stderr) == (0, True)


@pytest.mark.parametrize("kind", ["noise", "its half"])
@pytest.mark.parametrize("words", ["orders {}", "positions {}", "audit {}", "halt {}"])
def test_of_a_damaged_ledger_it_is_said_how_to_put_a_copy_back(
    copied_run: Path, words: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    HOSTILE[kind](copied_run / "ledger.db")

    assert cli.main(shlex.split(words.format(copied_run))) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "damaged: put a copy back, `watchkeeper ledger restore FILE RUN_DIR --replace`" in line


@pytest.mark.parametrize(
    "change",
    [
        "schema_migration SET name = CAST(x'ff41' AS TEXT) WHERE rowid = 1",
        "orders SET state_reason = CAST(x'ff41' AS TEXT)",
    ],
)
def test_so_it_is_where_a_text_of_it_is_none(
    copied_run: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(copied_run / "ledger.db")) as ledger, ledger:
        ledger.execute(f"UPDATE {change}")

    assert cli.main(["orders", str(copied_run)]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "damaged: put a copy back" in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("noise", "put a copy back"),
        ("its half", "put a copy back"),
        ("a directory", "is a directory, and no ledger: move it away"),
    ],
)
def test_a_start_says_it_before_anything_begins(copied_run: Path, kind: str, says: str) -> None:
    HOSTILE[kind](copied_run / "ledger.db")

    refused = command("start", "--run-dir", str(copied_run), "--json")

    assert (refused.returncode, refused.stdout) == (2, "")
    (line,) = refused.stderr.splitlines()
    assert says in line
