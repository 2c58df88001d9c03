"""Commands, exit codes, output."""

import re
import shlex
from pathlib import Path

import pytest

import cli
from ops.run_dir import RunDir
from tests.cli.runs import command

GOOD = 'name = "x"\n[[strategy]]\nid = "a"\nuses = "sma_cross"\nparams = { fast = 1, slow = 2 }\n'


def test_check_prints_the_effective_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text(GOOD)

    assert cli.main(["check", str(tmp_path / "c.toml")]) == 0
    assert 'max_order_notional = "1000"' in capsys.readouterr().out


def test_check_prints_every_mistake_on_stderr_and_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text(GOOD.replace('"sma_cross"', '"sma_cros"') + "[rsk]\n")

    assert cli.main(["check", str(tmp_path / "c.toml")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        'watchkeeper: strategy[0].uses: there is no strategy "sma_cros"; did you mean "sma_cross"?',
        'watchkeeper: rsk: unknown key; did you mean "risk"?',
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["strat"],
        ["start", "--duration", "0"],
        ["start", "--duration", "nan"],
        ["start", "--max-events", "1.5"],
        ["start", "--speed", "-1"],
        ["start", "--enable-metrics", "--disable-metrics"],
        ["start", "--idempotency-backend", "redis"],
        ["health", "--probe", "lively"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    assert "usage: watchkeeper" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["health"], 3), (["stop"], 3), (["health", "--probe", "ready"], 1), (["orders"], 3)],
)
def test_where_nothing_ever_ran_one_sentence_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert cli.main(arguments) == code
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_what_a_person_is_told_to_type_can_be_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "my run's"
    start = ["start", "--run-dir", str(run_dir), "--max-events", "3", "--speed", "0"]
    assert command(*start).returncode == 0
    with RunDir(run_dir):
        busy = command(*start)
    assert busy.returncode == 2
    halted = command("halt", str(run_dir))
    assert halted.returncode == 0

    told = busy.stderr + halted.stdout
    stop, resume = re.findall(r"watchkeeper ((?:stop|resume) [^)\n]*)", told)
    assert cli.main(shlex.split(stop)) == 3
    assert f"nothing to stop in {run_dir}: " in capsys.readouterr().err
    assert command(*shlex.split(resume)).returncode == 0


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("ops.health.health", interrupted)

    assert cli.main(["health", "--run-dir", str(tmp_path)]) == 130


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def buggy(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("ops.health.health", buggy)

    with pytest.raises(ZeroDivisionError):
        cli.main(["health", "--run-dir", str(tmp_path)])


def test_the_version_is_looked_up_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("watchkeeper ")
