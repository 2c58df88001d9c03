"""Where there is no run, every command that looks for one says the same and ends the same."""

import shlex
from pathlib import Path
from typing import NoReturn

import pytest

import cli
from ops.arguments import FAMILIES, parser
from ops.run_files import is_run
from tests.ops.test_arguments import commands

NAMED = (
    "stop {}", "halt {}", "resume {}", "positions {}", "trades {}", "account {}", "audit {}",
    "report {}", "journal {}", "journal {} --candles BTC/USDT", "replay {}", "dashboard {}",
    "orders {}", "orders --run-dir {}", "orders --stops --run-dir {}", "orders --venue {}",
    "orders show x --run-dir {}", "orders cancel x --run-dir {}", "explain x --run-dir {}",
    "orders resolve x --as canceled --evidence e --run-dir {}",
    "orders end-stop x --reason r --run-dir {}", "ledger backup {} copy.db", "ledger mark {}",
    "ledger accept {} --evidence e", "ledger migrate {} --to postgres --database-url-env X",
)  # fmt: skip
UNNAMED = [words for words in NAMED if not words.startswith("ledger")]
"""What takes the newest run where none is named; a ledger is always told whose."""
OTHERWISE = {
    "health": "its verdict is UNKNOWN, on stdout, with the same sentence and exit code",
    "alert_watch": "a run that is named and not there yet is waited for",
    "ledger_restore": "it makes the directory",
    "start": "it makes the directory",
    "publish": "its directory is no run's",
}
"""What else takes a run directory, and why it does something else."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", NAMED)
@pytest.mark.parametrize("exists", [False, True], ids=["no directory", "an empty one"])
def test_a_directory_that_is_no_runs_is_one_sentence_and_exit_code_3(
    tmp_path: Path, words: str, exists: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if exists:
        (tmp_path / "none").mkdir()

    assert cli.main(shlex.split(words.format("none"))) == 3

    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        "watchkeeper: there is no run in none: name the directory of one, as `watchkeeper start`"
        " makes it\n",
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["none"] * exists


@pytest.mark.parametrize("words", [*UNNAMED, "health {}", "alert watch {}"])
def test_where_none_is_named_and_there_is_none_the_same_is_said_of_runs(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = shlex.split(words.replace("--run-dir {}", "").replace("{}", ""))

    assert cli.main(told) == 3

    assert capsys.readouterr().err.startswith("watchkeeper: there is no run in ./runs: ")


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_health_says_it_as_its_verdict(
    as_json: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["health", "none", *as_json]) == 3
    assert "there is no run in none: name the directory" in capsys.readouterr().out


def test_a_directory_that_may_not_be_looked_into_is_left_to_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`halt` says then whose it is, and not that there is nothing."""

    def iterdir(_: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", iterdir)

    assert is_run(tmp_path)


def test_every_command_that_takes_a_run_is_looked_at_here() -> None:
    looked_at = {parser([one.split()[0]]).parse_args(shlex.split(one)).command for one in NAMED}
    takes_a_run = {
        name
        for family in FAMILIES
        for name in commands(parser([family]))
        if "--run-dir" in _help_of(name) or "RUN_DIR" in _help_of(name)
    }

    assert looked_at | set(OTHERWISE) == takes_a_run


@pytest.mark.parametrize("words", ["stop", "halt", "resume"])
def test_what_changes_a_run_that_nobody_named_says_which_it_is(
    tmp_path: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs" / "newest").mkdir(parents=True)
    (tmp_path / "runs" / "newest" / "status.json").touch()
    which = "watchkeeper: no run is named: this is about the newest, runs/newest\n"

    assert cli.main([words]) == 3
    assert capsys.readouterr().err.startswith(which)

    assert cli.main([words, "runs/newest"]) == 3
    assert "no run is named" not in capsys.readouterr().err


def _help_of(name: str) -> str:
    """Give the usage of the command that bears this name in the code."""
    words = name.split("_", 1)
    found = parser(words[:1])
    for word in [words[0], *(words[1:] and [words[1].replace("_", "-")])]:
        inner = next(a for a in found._actions if hasattr(a, "choices") and a.choices)
        choices = inner.choices
        assert isinstance(choices, dict)
        found = choices[word]
    return found.format_usage()
