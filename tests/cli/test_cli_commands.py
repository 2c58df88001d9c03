import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import cli
from messages.values import OrderState
from ops.run_dir import RunDir
from persistence import ledger
from tests.cli.runs import command

ROOT = Path(cli.__file__).parent
GOOD = 'name = "x"\n[[strategy]]\nid = "a"\nuses = "sma_cross"\nparams = { fast = 1, slow = 2 }\n'
SERVER = """
import os, signal, sys, threading
from pathlib import Path
from ops.control import ControlServer
over = threading.Event()
def stop(_):
    over.set()
    return {}
with ControlServer(Path(sys.argv[1]) / "control.sock", {"stop": stop}):
    print("up", flush=True)
    over.wait()
"""


class Entry:
    order_key = "0" * 32
    client_order_id = "wk1"
    strategy_id = "a"
    symbol = "BTC/USDT"
    side = "buy"
    order_type = "market"
    quantity = Decimal("0.10")
    limit_price = None
    state = OrderState.FILLED
    filled_quantity = Decimal("0.10")
    average_price = Decimal("61480.20")
    decided_at_ns = 5
    venue_order_id = "P-1"


def modules_after(*arguments: str) -> set[str]:
    code = f"import sys, cli; cli.main({list(arguments)!r}); print(*sys.modules, file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return set(done.stderr.split("\n")[-2].split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["health"],
        ["health", "--probe", "live"],
        ["health", "--stacks"],
        ["health", "--errors", "--deep", "x"],
    ],
)
def test_help_and_health_import_the_standard_library_only(
    tmp_path: Path, arguments: list[str]
) -> None:
    run_dir = [] if arguments == ["--help"] else ["--run-dir", str(tmp_path)]

    imported = modules_after(*arguments, *run_dir) - {"messages", "messages.exit_codes"}
    foreign = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names

    # Site packages may bring their own start-up hooks; ours and our libraries may not be there.
    ours = {"actors", "decisions", "exchanges", "messages", "persistence", "strategies"}
    assert foreign & {*ours, "msgspec", "rich", "loguru", "pykka", "peewee", "ccxt"} == set()


def test_health_imports_no_large_part_of_the_standard_library(tmp_path: Path) -> None:
    """A probe runs it every few seconds: what argparse brings to ask a width is half its time."""
    imported = modules_after("health", "--run-dir", str(tmp_path))

    assert "argparse" in imported
    assert imported & {"dataclasses", "datetime", "inspect", "shutil", "subprocess"} == set()


def test_a_health_says_all_of_it_before_its_process_is_gone(tmp_path: Path) -> None:
    """It leaves without Python's own end, which would write out what is still in a buffer."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = ["health", "--run-dir", str(tmp_path)]
    for more in ([], ["--json"], ["--nonsense"]):
        given = [sys.executable, "-P", "-m", "cli", *words, *more]
        done = subprocess.run(given, capture_output=True, text=True, env=environment)
        assert done.returncode == (2 if "--nonsense" in more else 3)
        assert (done.stderr if done.returncode == 2 else done.stdout).endswith("\n")
        if more == ["--json"]:
            json.loads(done.stdout)


@pytest.mark.slow
def test_a_start_imports_nothing_large_that_it_can_do_without() -> None:
    """What `start` imports until it is ready; loguru comes with the first line that is logged."""
    code = "import ops.process, sys; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, env=environment
    )

    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"ops", "actors", "msgspec", "peewee", "pykka"} <= imported
    large = {"aiohttp", "asyncio", "ccxt", "loguru", "multiprocessing", "playhouse", "rich", "ssl"}
    assert imported & large == set()


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


def test_orders_are_one_json_object_a_line_with_money_as_strings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ledger, "read_orders", lambda _: iter([Entry(), Entry()]))
    (tmp_path / "ledger.db").touch()

    assert cli.main(["orders", "--json", "--run-dir", str(tmp_path)]) == 0

    first, _ = capsys.readouterr().out.splitlines()
    assert list(json.loads(first).items()) == [
        ("order_key", "0" * 32),
        ("client_order_id", "wk1"),
        ("strategy_id", "a"),
        ("symbol", "BTC/USDT"),
        ("side", "buy"),
        ("order_type", "market"),
        ("quantity", "0.10"),
        ("limit_price", None),
        ("state", "filled"),
        ("filled_quantity", "0.10"),
        ("average_price", "61480.20"),
        ("decided_at_ns", 5),
        ("venue_order_id", "P-1"),
    ]


def test_orders_of_the_venue_are_named_by_the_ledger_where_it_is_there(
    whole_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    for arguments in (["orders", "--json"], ["orders", "--venue", "--json"]):
        assert cli.main([*arguments, "--run-dir", str(whole_run)]) == 0
        printed.append(sorted(capsys.readouterr().out.splitlines()))

    assert printed[0] == printed[1]


def test_orders_of_the_venue_need_no_ledger(
    copied_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied_run / "ledger.db").unlink()

    assert cli.main(["orders", "--venue", "--json", "--run-dir", str(copied_run)]) == 0

    row = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (row["order_key"], row["strategy_id"], row["state"]) == (None, None, "filled")


def test_orders_without_a_ledger_are_one_sentence_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "status.json").touch()

    assert cli.main(["orders", "--run-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("watchkeeper: there is no ledger")


@pytest.mark.slow
def test_stop_waits_until_the_process_is_gone(tmp_path: Path) -> None:
    server = [sys.executable, "-c", SERVER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(server, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"

        done = command("stop", "--run-dir", str(tmp_path))

        assert (done.returncode, done.stdout) == (0, f"stopped process {process.pid}\n")
        assert process.wait(10) == 0
    assert command("stop", "--run-dir", str(tmp_path)).returncode == 3


@pytest.mark.slow
def test_a_process_that_does_not_go_is_reported(tmp_path: Path) -> None:
    stubborn = SERVER.replace("over.set()", "pass")
    server = [sys.executable, "-c", stubborn, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(server, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"

        done = command("stop", "--run-dir", str(tmp_path), "--timeout", "0.1")

        process.send_signal(signal.SIGKILL)
    assert done.returncode == 1
    assert "is not gone after 0.1 s" in done.stderr


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    script = f"{sys.executable} -P -m cli --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert (done.stdout, done.stderr) == ("0\n", "")


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_letter_that_stdout_lacks_is_a_question_mark(
    tmp_path: Path, words: dict[str, str]
) -> None:
    ended = {"at_ns": 1, "reason": "halted: zu früh", "exit_code": 1}
    (tmp_path / "status.json").write_text(json.dumps({"pid": 812, "name": "x", "ended": ended}))
    health = [sys.executable, "-P", "-m", "cli", "health", str(tmp_path)]
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"}
    environment = {**usual, "PYTHONPATH": str(ROOT), **words}

    done = subprocess.run(health, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (3, "")
    assert "halted: zu fr?h (exit code 1)" in done.stdout


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


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_whose_stream_is_closed_runs_as_a_process(closed: str, tmp_path: Path) -> None:
    """The number was closed with the first stream, and the next file had it."""
    command = f"exec '{sys.executable}' -P -m cli check --json nowhere.toml {closed}"
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent)}

    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, check=False
    )

    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_word_that_is_no_text_in_the_terminals_bytes_is_made_text() -> None:
    """A halt with such a reason killed the executor that was to write it down."""
    words = argparse.Namespace(reason="pr\udce9cis", umlaut="\udcc3\udc9cber", count=3, none=None)

    cli.make_readable(words)

    assert (words.reason, words.umlaut) == ("pr\ufffdcis", "Über")
    assert (words.count, words.none) == (3, None)


def test_a_process_that_was_given_no_streams_does_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `>&- 2>&-` in a shell, or a service manager that closes all, starts one."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)

    code = cli.main(["health", "--run-dir", str(tmp_path)])

    for name in ("stdin", "stdout", "stderr"):
        getattr(sys, name).close()
    assert code == 3


@pytest.mark.slow
def test_a_zone_that_no_time_can_be_told_in_is_left_for_utc(tmp_path: Path) -> None:
    """POSIX lets TZ be more than a day off, and no line of a log could be written."""
    words = ("start", "--run-dir", str(tmp_path / "run"), "--max-events", "50", "--json")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", *words],
        env={**os.environ, "TZ": "XXX-25:99"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
