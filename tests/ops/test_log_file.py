"""A log on a disk that is full: whole lines or none, one sentence, and nothing is raised."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops import log_file
from ops.log_file import LogFile

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def log(tmp_path: Path, told: list[str]) -> Iterator[LogFile]:
    """A log of at most 100 bytes, of which two old ones stay."""
    log = LogFile(tmp_path / "a.log", rotate_bytes=100, keep=2, tell=told.append)
    yield log
    log.stop()


def kept(folder: Path) -> list[str]:
    """All lines, of the files that were set aside first."""
    files = sorted(folder.iterdir(), key=lambda one: (one.name == "a.log", one.name))
    return [line for file in files for line in file.read_text().splitlines()]


def room(monkeypatch: pytest.MonkeyPatch, write: Callable[[int, bytes], int]) -> None:
    monkeypatch.setattr(os, "write", write)


def test_lines_that_find_no_room_are_told_of_once_and_counted_when_there_is_room_again(
    tmp_path: Path, log: LogFile, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise FULL

    log.write("one\n")
    with monkeypatch.context() as patch:
        room(patch, full)
        log.write("two\n")
        log.write("three\n")
        assert told == ["a.log cannot be written, lines are left out: No space left on device"]
    log.write("four\n")
    log.write("five\n")

    assert kept(tmp_path) == ["one", "four", "five"]
    assert told[1:] == ["a.log is written again; lines that were left out: 2"]


def test_half_a_line_is_taken_back(
    tmp_path: Path, log: LogFile, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    log.write("one\n")
    with monkeypatch.context() as patch:
        room(patch, lambda file, line: write(file, line[:3]))
        log.write("two and a half\n")
    log.write("three\n")

    assert kept(tmp_path) == ["one", "three"]
    assert len(told) == 2


def test_a_file_that_is_full_is_set_aside_and_the_newest_stay(
    tmp_path: Path, log: LogFile, told: list[str]
) -> None:
    for number in range(20):
        log.write(f"{number:29}\n")

    assert [int(line) for line in kept(tmp_path)] == list(range(12, 20))
    assert len(list(tmp_path.iterdir())) == 3
    assert told == []


def test_where_no_new_file_can_be_made_the_lines_come_back_once_one_can(
    tmp_path: Path, log: LogFile, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: Path) -> int:
        raise FULL

    log.write("x" * 90 + "\n")
    with monkeypatch.context() as patch:
        patch.setattr(log_file, "open_log_file", none)
        log.write("y" * 90 + "\n")
        log.write("z" * 90 + "\n")
    log.write("end\n")

    assert kept(tmp_path) == ["x" * 90, "end"]
    assert told[1:] == ["a.log is written again; lines that were left out: 2"]


def test_a_file_of_before_is_gone_on_with(tmp_path: Path, log: LogFile) -> None:
    log.write("one\n")
    LogFile(tmp_path / "a.log", rotate_bytes=100, keep=2, tell=print).write("two\n")

    assert kept(tmp_path) == ["one", "two"]


def test_what_is_no_text_for_a_file_is_written_all_the_same(tmp_path: Path, log: LogFile) -> None:
    log.write("a \ud800 name\n")

    assert kept(tmp_path) == ["a \\ud800 name"]
