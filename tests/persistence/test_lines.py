"""Lines rotate by size, number and age; what a disk refuses is counted and raises nothing."""

import gzip
import os
import stat
from itertools import count
from pathlib import Path

import pytest

from messages.ids import NS_PER_S
from ops.metric_lines import metric_files
from persistence.lines import RotatingLines

FAR = 10**12


class Clock:
    now_ns = 1_700_000_000 * NS_PER_S

    def __call__(self) -> int:
        return self.now_ns


def line(number: int) -> bytes:
    return b'{"at_ns":%d,"n":%d}\n' % (Clock.now_ns, number)


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def everything(folder: Path) -> bytes:
    """All lines that are kept, oldest first."""
    return b"".join(content(path) for path in metric_files(folder))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.ndjson"


def test_a_file_that_is_large_enough_is_set_aside_and_compressed(path: Path) -> None:
    lines = RotatingLines(path, 100, 9)
    for number in range(10):
        lines.write(line(number))
        lines.flush()
    lines.close()

    assert [one.name for one in metric_files(path.parent)] == [
        "metrics.ndjson.3.gz",
        "metrics.ndjson.2.gz",
        "metrics.ndjson.1.gz",
        "metrics.ndjson",
    ]
    assert everything(path.parent) == b"".join(map(line, range(10)))
    modes = {stat.S_IMODE(one.stat().st_mode) for one in metric_files(path.parent)}
    assert modes == {0o600}, "whoever may look into the folder"


def test_a_burst_is_held_to_the_size_without_any_flush(path: Path) -> None:
    lines = RotatingLines(path, 100_000, 99)
    for number in range(20_000):
        lines.write(line(number))

    assert path.stat().st_size <= 100_000 + (1 << 16)
    lines.close()
    assert everything(path.parent) == b"".join(map(line, range(20_000)))


def test_a_file_of_so_many_lines_is_rotated_those_before_a_restart_counted(path: Path) -> None:
    lines = RotatingLines(path, FAR, 9, max_lines=3)
    for number in range(2):
        lines.write(line(number))
    lines.close()
    lines = RotatingLines(path, FAR, 9, max_lines=3)
    lines.write(line(2))
    lines.close()

    assert content(path.with_name("metrics.ndjson.1.gz")) == b"".join(map(line, range(3)))
    assert path.read_bytes() == b""


def test_a_file_is_as_old_as_its_first_line_also_after_a_restart(path: Path) -> None:
    clock = Clock()
    lines = RotatingLines(path, FAR, 9, max_age_s=60, now_ns=clock)
    lines.write(line(0))
    lines.close()
    clock.now_ns += 59 * NS_PER_S
    lines = RotatingLines(path, FAR, 9, max_age_s=60, now_ns=clock)
    lines.flush()
    assert path.read_bytes() == line(0)

    clock.now_ns += NS_PER_S
    lines.flush()
    assert path.read_bytes() == b""
    clock.now_ns += 1000 * NS_PER_S
    lines.flush()  # nothing in it, so nothing is old
    lines.close()
    assert everything(path.parent) == line(0)
    assert len(metric_files(path.parent)) == 2


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_so_many_old_files_stay_and_they_are_the_newest(path: Path, keep: int) -> None:
    lines = RotatingLines(path, 1, keep)
    for number in range(6):
        lines.write(line(number))
        lines.flush()
    lines.close()

    assert everything(path.parent) == b"".join(map(line, range(6 - keep, 6)))
    assert len(list(path.parent.iterdir())) == keep + 1


def test_what_a_larger_setting_kept_goes(path: Path) -> None:
    for keep in (5, 2):
        lines = RotatingLines(path, 1, keep)
        for number in range(6):
            lines.write(line(number))
            lines.flush()
        lines.close()

    assert len(list(path.parent.iterdir())) == 3


def test_a_line_that_a_kill_cut_short_is_cut_off(path: Path) -> None:
    path.write_bytes(line(0) + line(1)[:-4])
    lines = RotatingLines(path, FAR, 1)
    lines.write(line(2))
    lines.close()

    assert path.read_bytes() == line(0) + line(2)


def test_a_file_of_one_cut_line_is_empty(path: Path) -> None:
    path.write_bytes(b"x" * 3_000_000)
    RotatingLines(path, FAR, 1).close()

    assert path.read_bytes() == b""


# ---------------------------------------------------------------- a disk that refuses


def test_a_full_disk_costs_lines_which_are_counted(path: Path) -> None:
    path.symlink_to("/dev/full")
    lines = RotatingLines(path, FAR, 1)
    lines.write(line(0))
    lines.write(line(1))
    lines.flush()

    assert (lines.written, lines.dropped) == (0, 2)
    assert "No space left on device" in lines.problem


def test_lines_are_written_again_once_there_is_room(path: Path) -> None:
    path.symlink_to("/dev/full")
    lines = RotatingLines(path, FAR, 1)
    lines.write(line(0))
    lines.flush()
    path.unlink()
    lines.write(line(1))
    lines.close()

    assert (lines.written, lines.dropped, lines.problem) == (1, 1, "")
    assert path.read_bytes() == line(1)


def test_a_part_of_the_disk_is_left_to_the_ledger(path: Path) -> None:
    lines = RotatingLines(path, FAR, 1, reserve_bytes=1 << 60)
    lines.write(line(0))
    lines.close()

    assert lines.dropped == 1
    assert "left to the ledger" in lines.problem
    assert path.read_bytes() == b""


def test_a_folder_that_is_gone_raises_nothing(tmp_path: Path) -> None:
    lines = RotatingLines(tmp_path / "gone" / "metrics.ndjson", 1, 1)
    lines.write(line(0))
    lines.close()

    assert (lines.written, lines.dropped) == (0, 1)
    assert lines.problem


def test_a_rotation_that_fails_loses_nothing_and_is_done_later(path: Path) -> None:
    in_the_way = path.with_name("metrics.ndjson.gz.part")
    in_the_way.mkdir()
    lines = RotatingLines(path, 1, 9)
    numbers = count()
    for _ in range(2):
        lines.write(line(next(numbers)))
        lines.flush()
        assert lines.problem
    assert lines.dropped == 0
    in_the_way.rmdir()
    lines.write(line(next(numbers)))
    lines.close()

    assert lines.problem == ""
    assert lines.dropped == 0
    assert everything(path.parent) == line(0) + line(1) + line(2)


def test_lines_are_kept_where_there_is_room_for_them_and_none_to_compress(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger's part and a little more are free, as after a kill or in the middle of a run."""
    disk = os.statvfs(path.parent)
    room = os.statvfs_result((1, 1, *disk[2:3], 1_050, 1_050, *disk[5:]))
    monkeypatch.setattr("persistence.rotation.os.statvfs", lambda _: room)
    path.with_name("metrics.ndjson.rotating").write_bytes(line(0) * 100)
    lines = RotatingLines(path, 100, 9, reserve_bytes=1_000)
    for number in range(1, 10):
        lines.write(line(number))
        lines.flush()
        assert "left to the ledger" in lines.problem

    assert (lines.written, lines.dropped) == (9, 0)
    assert everything(path.parent) == line(0) * 100 + b"".join(map(line, range(1, 10)))
    monkeypatch.undo()
    lines.write(line(10))
    lines.close()
    assert lines.problem == ""
    assert everything(path.parent) == line(0) * 100 + b"".join(map(line, range(1, 11)))
    assert not path.with_name("metrics.ndjson.rotating").exists()


def test_a_pipe_where_a_file_was_set_aside_is_not_waited_for(path: Path) -> None:
    os.mkfifo(f"{path}.rotating")

    lines = RotatingLines(path, 1_000, 2)
    problem = lines.problem
    lines.write(line(1))
    lines.close()

    assert "no plain file" in problem
    assert content(path) == line(1)


def test_a_problem_lasts_until_something_was_written(path: Path) -> None:
    path.symlink_to("/dev/full")
    lines = RotatingLines(path, FAR, 1)
    lines.write(line(0))
    lines.close()
    lines.flush()

    assert lines.dropped == 1
    assert "No space left on device" in lines.problem
