"""What is shown while a command works, and to whom."""

import io

import pytest

from research.printing import Progress, printable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_has_an_eta_on_a_terminal_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("research.printing.time.monotonic", lambda: now[0])
    screen = Terminal()
    progress = Progress("BTC/USDT 1m", screen)

    progress.show(0.0, "too early to be shown")
    now[0] += 60
    progress.show(0.25, "2024-01")
    progress.end()

    assert screen.getvalue() == "\r\x1b[KBTC/USDT 1m  25%  ETA 0:03:00  2024-01\r\x1b[K"


def test_progress_is_for_terminals_only() -> None:
    screen = io.StringIO()
    progress = Progress("x", screen)

    progress.show(1.0, "y")
    progress.end()

    assert screen.getvalue() == ""


def test_nothing_printed_steers_a_terminal() -> None:
    assert printable("a\x1b[2Jb\nc") == "a\\x1b[2Jb\\nc"
