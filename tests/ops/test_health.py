import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.control import ControlServer
from ops.health import HealthOptions, health
from ops.health_deep import error_lines
from ops.health_text import duration, render

Make = Callable[..., dict[str, Any]]


PAGE = """\
CRITICAL  btc-sma  paper  up 1h00m  pid 812  why: execution halted
PATH                  STATE    UP     RST   MBOX    OLDEST  MSGS  P50/P99    PROGRESS       LAST ERROR
root                  running  1m01s  0     0/1k    -       100   0.1/0.4ms
|- metrics            running  1m01s  0     12/10k  3ms     100   0.1/0.4ms
|- execution          HALTED   1m01s  3/3!  0/1k    -       100   0.1/0.4ms                 max restarts
|  |- executor        backoff  1m01s  0     0/1k    -       100   0.1/0.4ms                 Boom: x more [2J
|  '- strategies/ema  running  1m01s  0     0/1k    -       100   0.1/0.4ms  3.0s/1m30s ok
'- feeds              running  1m01s  0     0/1k    -       100   0.1/0.4ms                 late (01:01:01)
market   BTC/USDT 61480.2
orders   filled 2
counters processed 7"""  # noqa: E501 - a page is as wide as it is


def options(path: Path, **changes: Any) -> HealthOptions:
    return HealthOptions(run_dir=path, **changes)


def server(path: Path, snapshot: dict[str, Any]) -> ControlServer:
    return ControlServer(path / "control.sock", {"health": lambda _: snapshot})


@pytest.mark.parametrize(("word", "code"), [("OK", 0), ("WARNING", 1), ("CRITICAL", 2)])
def test_the_exit_code_is_the_verdict(tmp_path: Path, snapshot: Make, word: str, code: int) -> None:
    with server(tmp_path, snapshot(verdict=word, why="because")):
        assert health(options(tmp_path)) == code


@pytest.mark.parametrize("odd", [{"actors": [1]}, {"verdict": "?", "alerts": [1]}])
def test_an_answer_that_means_nothing_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], snapshot: Make, odd: dict[str, Any]
) -> None:
    with server(tmp_path, {**snapshot(), **odd}):
        assert health(options(tmp_path)) == 3
        assert health(options(tmp_path, probe="ready")) == 1

    assert "no usable answer" in capsys.readouterr().out


def test_a_verdict_is_told_also_where_the_rest_is_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], snapshot: Make
) -> None:
    with server(tmp_path, snapshot(verdict="WARNING", why="because\n", pnl=[1])):
        assert health(options(tmp_path)) == 1

    assert capsys.readouterr().out == (
        "WARNING  its answer is no page to show: see `health --json`  why: because\n"
    )


def test_stacks_that_are_none_leave_the_page_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], snapshot: Make
) -> None:
    answers = {"health": lambda _: snapshot(verdict="OK"), "stacks": lambda _: {"stacks": [1]}}
    with ControlServer(tmp_path / "control.sock", answers):
        assert health(options(tmp_path, stacks=True)) == 0

    assert capsys.readouterr().out.startswith("OK")


def test_the_page_is_a_verdict_and_a_tree(actor: Make, snapshot: Make) -> None:
    page = render(
        snapshot(
            actor("root"),
            actor("metrics", mailbox=12, capacity=10_000, oldest_ms=3.0),
            actor("execution", state="halted", restarts_in_window=3, problem="max restarts"),
            actor("execution/executor", state="backoff", last_error="Boom: x\nmore\x1b[2J"),
            actor("execution/strategies/ema", progress_age_s=3.0, progress_limit_s=90.0),
            actor("feeds", last_error="late", last_error_at_ns=10**9 * 3_661),
            verdict="CRITICAL",
            why="execution halted",
        )
    )

    assert page == PAGE


def test_the_foot_of_the_page_says_what_is_open_made_and_late(actor: Make, snapshot: Make) -> None:
    page = render(
        snapshot(
            actor("x", progress_age_s=3.0, progress_limit_s=90.0, progress_on="MarketBatch"),
            market_age_s={"BTC/USDT": 41.2},
            open_orders=3,
            unknown={"count": 1, "oldest_s": 62.0},
            pnl={"USDT": {"equity": "-0.53", "drawdown": "1.2"}},
            traded={"BTC/USDT": "0.0016"},
            earlier={"pending": False, "problem": ""},
            pulse={"late_ms": 1500.4},
        )
    )

    assert "3.0s/1m30s ok (MarketBatch)" in page
    assert page.splitlines()[-6:] == [
        "market   BTC/USDT 61480.2 (41s ago)",
        "orders   filled 2",
        "counters processed 7",
        "open     3 orders, 1 of unknown outcome, the oldest for 1m02s",
        "money    of this run directory: USDT -0.53, 1.20 below its highest since the start;"
        " net 0.0016 BTC/USDT",
        "pulse    1500 ms late",
    ]


@pytest.mark.parametrize(
    ("pending", "problem", "said"),
    [
        (True, "", "not known yet: what was executed before this start is being read"),
        (False, "it is\nlocked", "not whole (it is locked): net 0.0016 BTC/USDT"),
    ],
)
def test_money_that_is_not_whole_is_said_to_be_a_part(
    snapshot: Make, *, pending: bool, problem: str, said: str
) -> None:
    traded = {} if pending else {"BTC/USDT": "0.0016"}
    earlier = {"pending": pending, "problem": problem}

    lines = render(snapshot(pnl={}, traded=traded, earlier=earlier)).splitlines()

    assert [line for line in lines if line.startswith("money")] == [f"money    {said}"]


def test_a_count_that_is_not_there_is_not_shown(snapshot: Make) -> None:
    assert "open     3 orders\n" in render(snapshot(open_orders=3, unknown={})) + "\n"


def test_errors_that_cannot_be_told_are_not_called_none() -> None:
    assert list(error_lines({"error": "internal error: x"})) == [
        "\nwhat went wrong can't be told: internal error: x"
    ]
    assert list(error_lines({})) == ["\nno actor has had an error, and no message was lost"]


def test_colour_is_for_a_terminal_only(
    tmp_path: Path, snapshot: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(tmp_path, snapshot()):
        health(options(tmp_path))

    assert "\x1b" not in capsys.readouterr().out
    assert "\x1b[32mOK\x1b[0m" in render(snapshot(), colour=True)


def test_json_is_the_snapshot(
    tmp_path: Path, snapshot: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(tmp_path, snapshot()):
        health(options(tmp_path, as_json=True))

    assert json.loads(capsys.readouterr().out) == snapshot()


def test_watching_shows_rates_until_the_process_is_gone(
    tmp_path: Path, actor: Make, snapshot: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    first = snapshot(actor("x", processed=100))
    second = snapshot(
        actor("x", processed=150),
        captured_at_ns=first["captured_at_ns"] + 10**9,
        counters={"processed": 12, "sent": 3},
    )
    answers = [second, first]
    running = ControlServer(tmp_path / "control.sock", {"health": lambda _: answers.pop()}).start()

    def sleep(seconds: float) -> None:
        assert seconds == 2.0
        if not answers:
            running.close()

    code = health(options(tmp_path, watch_s=2.0), sleep)

    out = capsys.readouterr().out
    assert code == 3
    assert "MSG/S" in out
    assert " 50 " in out
    assert "counters processed 12 (5.0/s), sent 3 (3.0/s)" in out


@pytest.mark.parametrize(
    ("question", "changes", "code"),
    [
        ("live", {}, 0),
        ("live", {"verdict": "CRITICAL", "ready": False}, 0),
        ("live", {"root_alive": False}, 1),
        ("ready", {}, 0),
        ("ready", {"ready": False}, 1),
        ("startup", {"ready": False}, 0),
    ],
)
def test_a_probe_asks_one_question(
    tmp_path: Path, snapshot: Make, question: str, changes: dict[str, Any], code: int
) -> None:
    with server(tmp_path, snapshot(**changes)):
        assert health(options(tmp_path, probe=question)) == code


def test_the_startup_probe_waits_for_every_actor(
    tmp_path: Path, actor: Make, snapshot: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(tmp_path, snapshot(actor("feeds", state="starting"))):
        assert health(options(tmp_path, probe="startup")) == 1

    assert capsys.readouterr().out == "startup: no: still starting: feeds\n"


def test_a_probe_of_nothing_is_a_no(tmp_path: Path) -> None:
    assert health(options(tmp_path, probe="live")) == 1


def test_stacks_come_along_when_asked_for(
    tmp_path: Path, snapshot: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(tmp_path, snapshot()):
        health(options(tmp_path, stacks=True))

    assert "MainThread" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (9.96, "10.0s"),
        (59, "59s"),
        (727, "12m07s"),
        (3_700, "1h01m"),
        (273_600, "3d04h"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_is_missing_from_the_journal_stays_on_the_page(actor: Make, snapshot: Make) -> None:
    whole, lacking = ({"problem": "", "lost": lost} for lost in (0, 7))

    assert "journal" not in render(snapshot(actor("x"), journal=whole))
    assert render(snapshot(actor("x"), journal=lacking)).splitlines()[-1] == (
        "journal  7 message(s) are missing from it"
    )
