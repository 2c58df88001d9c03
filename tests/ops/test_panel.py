"""A run on a terminal: wide, narrow, of few letters, or one that cannot be drawn upon."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from decisions.money_fold import MoneyFold
from decisions.portfolio import Portfolio
from messages.values import OrderState
from ops.config import demo_config
from ops.panel import Panel, _headline, _tree
from ops.run_files import typed
from tests.cli.runs import ROOT
from tests.ops.test_order_log import update

TWO_SECONDS = ("--max-events", "200", "--speed", "6000")
ENDLESS = ("--speed", "600")
A_FILL = re.compile(rb"\d\d:\d\d:\d\dZ [^\n]*filled")
"""A row of the last orders."""
SIX = ["Ended", "Market", "Decisions", "Profit net of fees", "Survived", "Files"]
"""How the lines begin that are left on the screen."""


def on_a_terminal(
    run_dir: Path,
    environment: Mapping[str, str],
    length: Sequence[str] = TWO_SECONDS,
    interrupt_at: re.Pattern[bytes] | None = None,
    code: int = 0,
) -> str:
    """Give all that a run writes to a terminal of 80 columns, to its end.

    `interrupt_at` is what is on the screen when the terminal tells it of Ctrl-C; `code` its exit.
    """
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    bot = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "start", *length,
         "--no-chaos", "--run-dir", str(run_dir)],
        stdin=subprocess.DEVNULL,
        stdout=its,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
    )  # fmt: skip
    os.close(its)
    told = b""
    with suppress(OSError):  # so a terminal says that nobody has it open any more
        while piece := os.read(ours, 65_536):
            told += piece
            if interrupt_at and interrupt_at.search(told):
                bot.send_signal(signal.SIGINT)
                interrupt_at = None
    os.close(ours)
    assert bot.wait(60) == code
    return told.decode("latin-1")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_it_is_drawn_and_the_last_lines_are_told_whatever_letters_there_are(
    tmp_path: Path, encoding: str
) -> None:
    run_dir = tmp_path / ("a-[long]-name-" * 7)

    told = on_a_terminal(run_dir, {"PYTHONIOENCODING": encoding})

    assert "last orders" in told
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l"), "the cursor is there again"
    end = told[told.index("Ended: ") :].splitlines()
    assert end[0] == "Ended: the market ended."
    assert end[-1] == f"Files: {run_dir} (try: watchkeeper orders --run-dir {typed(run_dir)})."


@pytest.mark.slow
def test_the_end_of_a_run_that_was_well_is_no_alarm(tmp_path: Path) -> None:
    told = on_a_terminal(tmp_path / "run", {})

    assert "watchkeeper  paper  OK" in told
    assert "CRITICAL" not in told
    assert "not running" not in told


@pytest.mark.slow
def test_a_run_that_is_interrupted_ends_in_order_with_its_six_lines(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"

    told = on_a_terminal(run_dir, {}, ENDLESS, interrupt_at=A_FILL, code=130)

    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l"), "the cursor is there again"
    end = told[told.index("Ended: ") :].splitlines()
    assert [line.partition(":")[0] for line in end] == SIX
    assert end[0] == "Ended: stopped by SIGINT."
    assert "0 doubled, 0 without a decision" in end[4]
    assert json.loads((run_dir / "status.json").read_text())["ended"]["exit_code"] == 130


@pytest.mark.slow
def test_a_terminal_that_is_said_to_have_no_columns_is_asked_itself(tmp_path: Path) -> None:
    told = on_a_terminal(tmp_path / "run", {"COLUMNS": "0", "LINES": "0"})

    assert "last orders" in told
    assert "Ended: the market ended." in told


@pytest.mark.slow
def test_a_terminal_that_cannot_be_drawn_upon_gets_lines(tmp_path: Path) -> None:
    told = on_a_terminal(tmp_path / "run", {"TERM": "dumb"})

    events = [json.loads(line)["event"] for line in told.splitlines()]
    assert (events[0], events[-1]) == ("start", "end")


def test_of_an_order_all_but_the_reason_is_there_on_80_columns() -> None:
    panel, console = Panel(demo_config()), Console(width=80)
    filled = update(OrderState.FILLED)
    panel._orders[filled.order_key] = filled

    with console.capture() as shown:
        console.print(panel._order_table())

    row = shown.get().splitlines()[-1]
    for cell in (filled.order_key[:18], filled.symbol, str(filled.side), "0.01", "filled"):
        assert f" {cell} " in row
    assert row.startswith("00:00:00Z ")


SAID = "[/] [red]KeyError: [x] :boom: \x1b[2J"
SHOWN = "[/] [red]KeyError: [x] :boom:  [2J"


def test_what_an_error_or_a_venue_says_is_shown_and_not_obeyed() -> None:
    """Nor is it markup: one that is not closed ended the panel for the whole run."""
    panel = Panel(demo_config())
    panel.snapshots = Shown()  # type: ignore[assignment]  # planted
    console = panel._console
    console.width = 200
    rejected = update(OrderState.REJECTED, SAID)
    panel._orders[rejected.order_key] = rejected
    numbers = dict.fromkeys(("restarts", "mailbox", "capacity", "processed", "p50_us", "p99_us"), 0)
    actor = {"path": "feeds", "state": "running", "last_error": SAID, **numbers}

    with console.capture() as shown:
        console.print(panel._order_table())
        console.print(_tree({"actors": [actor]}))
        console.print(panel._market(snapshot_of(SAID)))

    assert shown.get().count(SHOWN) == 3
    assert "\x1b" not in shown.get()


class Shown:
    """What the panel asks of a run, planted."""

    portfolio = Portfolio()
    money = MoneyFold()

    def open_stops(self) -> int:
        return 2

    def market_at_ns(self) -> int:
        return 1_704_096_000_000_000_000


def snapshot_of(why: str) -> dict[str, Any]:
    counters = dict.fromkeys(("processed", "allowed", "filled", "rejected", "dupes_filtered"), 0)
    told = {"mode": "paper", "verdict": "WARNING", "why": why, "counters": counters}
    return {**told, "market": {"BTC/USDT": "60109.73"}}


def head_of(panel: Panel, console: Console, why: str, shown: Shown | None = None) -> str:
    """Give the head of a panel as one line, without its frame."""
    panel.snapshots = shown or Shown()  # type: ignore[assignment]  # planted

    with console.capture() as drawn:
        console.print(panel._market(snapshot_of(why)))

    return " ".join(drawn.get().replace("│", " ").split())


def test_the_head_says_the_markets_day_its_stops_and_the_whole_verdict() -> None:
    why = "execution/executor was restarted recently (1 of 3); " * 3

    text = head_of(Panel(demo_config()), Console(width=80), why)

    assert why.strip() in text
    assert "market of 2024-01-01 08:00Z BTC/USDT 60109.73 position flat stops 2 profit 0" in text


@pytest.mark.slow
def test_nothing_that_is_higher_than_the_screen_is_left_on_it(tmp_path: Path) -> None:
    told = on_a_terminal(tmp_path / "run", {})

    frames = re.split(r"(?:\x1b\[1A\x1b\[2K)+|\r\x1b\[2K", told[: told.index("Ended: ")])
    assert len(frames) > 3
    assert max(frame.count("\n") for frame in frames[1:]) < 24, "the first has a headline above it"


@pytest.mark.slow
def test_a_line_of_it_has_room_for_what_the_terminal_says_of_ctrl_c(tmp_path: Path) -> None:
    """It stands where the cursor does, at the end of the last line, and moves it."""
    told = on_a_terminal(tmp_path / "run", {})

    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told[: told.index("Ended: ")])
    lines = drawn.encode("latin-1").decode().replace("\r", "\n").splitlines()
    assert max(map(len, lines)) == 80 - len("^C")


@pytest.mark.parametrize(
    ("speed", "how"), [(600, "600 times as fast as real"), (0, "as fast as this machine can")]
)
def test_the_demo_says_how_fast_it_is(speed: float, how: str) -> None:
    config = demo_config({"feed.speed": speed})

    assert f"(BTC/USDT, {how}) on a paper venue" in _headline(config)
