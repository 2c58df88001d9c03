"""Lines of the log where a disk takes none: who logs goes on."""

import threading
from collections.abc import Iterator

import pytest

from ops import log_lines
from ops.log_lines import LinesAside
from tests.waiting import until


class Disk:
    """A sink that takes lines as long as it may."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.takes = threading.Event()
        self.is_full = False
        self.has_ended = threading.Event()

    def write(self, text: str) -> None:
        self.takes.wait()
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.lines.append(text)

    def stop(self) -> None:
        self.has_ended.set()


@pytest.fixture
def disk() -> Iterator[Disk]:
    """One that takes lines, and is let go of at the end."""
    disk = Disk()
    disk.takes.set()
    yield disk
    disk.takes.set()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def lines(disk: Disk, told: list[str]) -> LinesAside:
    return LinesAside(disk, "a.log", told.append)


def test_a_line_is_there_when_who_logs_goes_on(disk: Disk, lines: LinesAside) -> None:
    for number in range(100):
        lines.write(f"{number}\n")
        assert disk.lines[-1] == f"{number}\n"


def test_a_disk_that_hangs_holds_up_nobody_and_has_every_line_once_it_is_back(
    disk: Disk, lines: LinesAside
) -> None:
    disk.takes.clear()

    for number in range(100):
        lines.write(f"{number}\n")
    assert disk.lines == []
    disk.takes.set()

    assert lines.drain()
    assert disk.lines == [f"{number}\n" for number in range(100)]
    until(lambda: not lines.is_held_up)
    lines.write("after\n")
    assert disk.lines[-1] == "after\n"


def test_of_too_many_the_newest_are_left_out_and_counted(
    disk: Disk, lines: LinesAside, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "MOST_WAITING", 3)
    disk.takes.clear()

    for number in range(10):
        lines.write(f"{number}\n")
    disk.takes.set()

    assert lines.drain()
    assert disk.lines == [f"{number}\n" for number in range(len(disk.lines))]
    assert told == [f"a.log was held up; lines that were left out: {10 - len(disk.lines)}"]


def test_a_line_that_cannot_be_written_ends_nothing(
    disk: Disk, lines: LinesAside, told: list[str]
) -> None:
    disk.is_full = True
    lines.write("lost\n")
    disk.is_full = False
    lines.write("there\n")

    assert lines.drain()
    assert disk.lines == ["there\n"]
    assert told == ["a.log was held up; lines that were left out: 1"]


def test_neither_a_line_nor_a_sentence_that_fails_in_its_own_way_ends_the_thread(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line after it waited for nobody, and was lost unsaid."""

    def closed(_: str) -> None:
        raise ValueError("I/O operation on closed file")

    def broken(_: str) -> None:
        raise RuntimeError("no line of a disk's fault")

    lines = LinesAside(disk, "a.log", closed)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "write", broken)
        lines.write("lost\n")
        assert lines.drain()

    lines.write("told of the first\n")
    lines.write("there\n")

    assert lines.drain()
    assert disk.lines == ["told of the first\n", "there\n"]


def test_the_end_writes_what_waits_and_lets_go(disk: Disk, lines: LinesAside) -> None:
    disk.takes.clear()
    lines.write("last\n")
    disk.takes.set()

    lines.stop()

    assert disk.lines == ["last\n"]
    assert disk.has_ended.is_set()
    assert lines.drain(), "there is nobody to wait for"


def test_the_end_comes_also_where_the_thread_has_ended_before_it_is_looked_at(
    lines: LinesAside,
) -> None:
    """Who ended then waited for lines in its place, and for ever."""
    lines._lines.put(None)
    until(lambda: not lines._thread.is_alive())

    lines.stop()


def test_the_end_does_not_wait_for_a_disk_that_hangs(
    disk: Disk, lines: LinesAside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "END_S", 0.01)
    disk.takes.clear()
    lines.write("never\n")

    assert not lines.drain(0.01)
    lines.stop()

    assert disk.lines == []


def test_where_no_thread_can_be_started_lines_are_written_all_the_same(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    lines = LinesAside(disk, "a.log", print)

    lines.write("there\n")
    assert lines.drain()
    lines.stop()

    assert disk.lines == ["there\n"]
