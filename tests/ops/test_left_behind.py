"""What `health` says of a process that is gone: its last word, and never as if it lived."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.health import HealthOptions, health

Make = Callable[..., dict[str, Any]]


def options(path: Path, **changes: Any) -> HealthOptions:
    return HealthOptions(run_dir=path, **changes)


def left_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str], status: object) -> str:
    (tmp_path / "status.json").write_text(json.dumps(status))
    assert health(options(tmp_path)) == 3
    return capsys.readouterr().out


@pytest.mark.parametrize(("by", "code"), [("SIGTERM", 0), ("SIGINT", 130)])
def test_a_process_that_ended_in_order_is_told_from_a_killed_one(
    tmp_path: Path, snapshot: Make, by: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    at_ns = time.time_ns()
    ended = {"at_ns": at_ns, "reason": f"stopped by {by}", "exit_code": code}

    assert "process 812 (btc-sma) ended in order at " in left_behind(
        tmp_path, capsys, snapshot(ended=ended)
    )
    killed = left_behind(tmp_path, capsys, snapshot(captured_at_ns=at_ns))
    assert "process 812 (btc-sma) was killed: last seen at " in killed
    assert "last known:" in killed


def test_an_end_in_trouble_says_why_and_shows_the_last_errors(
    tmp_path: Path, actor: Make, snapshot: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = {"at_ns": 1, "reason": "supervision exhausted", "exit_code": 70}

    out = left_behind(tmp_path, capsys, snapshot(actor("x", last_error="Boom"), ended=ended))

    assert "ended by itself at 1970-01-01 00:00:00 UTC" in out
    assert "supervision exhausted (exit code 70)" in out
    assert "Boom" in out


def test_a_damaged_status_file_is_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "status.json").write_text('{"half')

    assert health(options(tmp_path)) == 3
    assert "there is no run in" in capsys.readouterr().out


def test_the_rows_that_an_ended_run_did_not_use_and_gaps_are_shown_as_of_a_living_one(
    tmp_path: Path, snapshot: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = {"at_ns": time.time_ns(), "reason": "the market ended", "exit_code": 0}
    dropped = {"malformed": 2, "duplicate": 1, "out_of_order": 0, "cut_off": [], "first": ["a:7"]}

    page = left_behind(tmp_path, capsys, snapshot(ended=ended, dropped={"feed:replay": dropped}))

    assert "dropped  feed:replay 3 rows were not used (2 malformed, 1 duplicate)" in page
    gaps = {"feed:replay": {"gaps": 2, "missing": 0, "first": []}}
    page = left_behind(tmp_path, capsys, snapshot(ended=ended, gaps=gaps))
    assert "gaps     feed:replay 2 gaps between rows" in page
    for name in ("dropped", "gaps"):
        strange = left_behind(tmp_path, capsys, snapshot(ended=ended, **{name: {"feed:replay": 5}}))
        assert strange.count("\n") == 1


def test_of_a_run_whose_status_file_is_damaged_it_is_not_said_that_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.db").touch()
    for content in ('{"half', "[" * 100_000, None, ""):
        (tmp_path / "status.json").unlink(missing_ok=True)
        if content is None:
            os.mkfifo(tmp_path / "status.json")  # on which a reader would wait for ever
        elif content:
            (tmp_path / "status.json").write_text(content)

        assert health(options(tmp_path)) == 3
        said = capsys.readouterr().out
        assert said.startswith(f"UNKNOWN  no process runs in {tmp_path}, and its status.json is")
        assert "`watchkeeper orders`" in said


def test_the_last_word_of_a_killed_process_does_not_read_as_if_it_lived(
    tmp_path: Path, actor: Make, snapshot: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    well = snapshot(actor("x"), captured_at_ns=time.time_ns() - 3 * 86_400 * 10**9)
    assert (well["verdict"], well["ready"], well["root_alive"]) == ("OK", True, True)
    (tmp_path / "status.json").write_text(json.dumps(well))

    assert health(options(tmp_path)) == 3
    first, last, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("UNKNOWN  process 812 (btc-sma) was killed: last seen at ")
    assert last.startswith("last known: at ")
    assert last.endswith(", 3d00h ago")
    health(options(tmp_path, as_json=True))
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["last_verdict"]) == ("UNKNOWN", "OK")
    assert (told["gone"], told["ready"], told["root_alive"]) == (True, False, False)


@pytest.mark.parametrize(
    ("at_ns", "said"),
    [
        (10**30, "last seen at an unknown time,"),
        (-(10**25), "last seen at an unknown time,"),
        (0, "last seen at an unknown time,"),
        (4 * 10**18, "last seen at 2096-10-02 07:06:40 UTC, by a clock that was ahead of ours,"),
    ],
)
def test_a_time_that_cannot_be_is_not_told(
    tmp_path: Path, snapshot: Make, capsys: pytest.CaptureFixture[str], at_ns: int, said: str
) -> None:
    assert said in left_behind(tmp_path, capsys, snapshot(captured_at_ns=at_ns))


@pytest.mark.parametrize(
    "strange",
    [
        {"uptime_s": "q"},
        {"actors": [{"path": 5, "progress_age_s": "x", "progress_limit_s": 3}]},
        {"counters": [1], "trading": 3, "pnl": "z"},
        {"halt": {"on_disk": True}, "left": {"texts": 7}, "market": "x"},
    ],
)
def test_a_page_that_cannot_be_shown_hides_no_end(
    tmp_path: Path, snapshot: Make, capsys: pytest.CaptureFixture[str], strange: dict[str, Any]
) -> None:
    out = left_behind(tmp_path, capsys, snapshot() | strange)

    assert "was killed: last seen at " in out
    assert "status.json is damaged: there is no page to show" in out


@pytest.mark.parametrize(
    "strange", [{}, {"actors": 5}, {"actors": [{}]}, {"actors": [], "ended": "x"}, [], 7]
)
def test_a_strange_status_file_is_no_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], strange: object
) -> None:
    assert left_behind(tmp_path, capsys, strange).startswith("UNKNOWN")


@pytest.mark.parametrize("number", ["Infinity", "NaN", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_not_told_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    (tmp_path / "status.json").write_text(f'{{"pid": 3, "uptime_s": {number}}}')

    assert health(options(tmp_path, as_json=True)) == 3
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["verdict"] == "UNKNOWN"
