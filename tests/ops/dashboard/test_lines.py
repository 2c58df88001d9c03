"""Metric lines as they lie on the disk, whole and broken, and as they come."""

import gzip
import os
from contextlib import closing
from pathlib import Path

import pytest

from ops.dashboard.lines import LineTail
from persistence.lines import RotatingLines

MEGABYTE = 1 << 20


def read(tail: LineTail) -> list[bytes]:
    return [line for lines in tail.read() for line in lines]


def read_all(run_dir: Path) -> list[bytes]:
    with closing(LineTail(run_dir)) as tail:
        return read(tail)


def test_rotated_files_are_read_before_the_newest_the_oldest_first(tmp_path: Path) -> None:
    (tmp_path / "metrics.ndjson").write_bytes(b"4\n")
    (tmp_path / "metrics.ndjson.rotating").write_bytes(b"3\n")
    for number, text in ((1, b"2\n"), (2, b"1\n")):
        (tmp_path / f"metrics.ndjson.{number}.gz").write_bytes(gzip.compress(text))

    assert read_all(tmp_path) == [b"1", b"2", b"3", b"4"]


def test_a_file_whose_number_only_looks_like_one_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "metrics.ndjson").write_bytes(b"2\n")
    for number in ("1", "\u00b2", "\u0663", "\u2460"):
        name = tmp_path / f"metrics.ndjson.{number}.gz"
        name.write_bytes(gzip.compress(b"1\n"))

    assert read_all(tmp_path) == [b"1", b"2"]


def test_what_an_interrupted_rotation_left_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "metrics.ndjson.rotating").write_bytes(b"1\n2\n")
    (tmp_path / "metrics.ndjson.1.gz").write_bytes(gzip.compress(b"1\n2\n"))

    assert read_all(tmp_path) == [b"1", b"2"]


def test_each_reading_gives_what_is_new_and_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.ndjson"
    tail = LineTail(tmp_path)
    found = [read(tail)]
    for text in (b"1\n2", b"3\n", b""):
        with path.open("ab") as file:
            file.write(text)
        found.append(read(tail))
    tail.close()

    assert found == [[], [b"1"], [b"23"], []]


def test_a_half_line_that_the_next_start_cuts_off_is_not_the_beginning_of_another(
    tmp_path: Path,
) -> None:
    path = tmp_path / "metrics.ndjson"
    path.write_bytes(b"1\nhalf of a li")
    tail = LineTail(tmp_path)
    first = read(tail)
    with closing(RotatingLines(path, MEGABYTE, keep=1)) as writer:
        for text in (b"2\n", b"a line that is longer than the half one was\n"):
            writer.write(text)
    second = read(tail)
    tail.close()

    assert (first, second) == ([b"1"], [b"2", b"a line that is longer than the half one was"])


@pytest.mark.parametrize("left", [b"", b"1\n", b"1\n2\n", b"1\nhal"])
def test_of_a_file_that_became_shorter_what_comes_then_is_read(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "metrics.ndjson"
    path.write_bytes(b"1\n2\n3\n")
    tail = LineTail(tmp_path)
    found = [read(tail)]
    for text in (left, left + b"f\n4\n5"):
        with path.open("r+b") as file:
            file.truncate(len(left))
            file.seek(0)
            file.write(text)
        found.append(read(tail))
    tail.close()

    half = left.rpartition(b"\n")[2]
    assert found == [[b"1", b"2", b"3"], [], [half + b"f", b"4"]]


def test_a_line_that_grows_beyond_a_megabyte_is_passed_over_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.ndjson"
    tail = LineTail(tmp_path)
    found = []
    for text in (
        b"1\nxx",
        b"x" * MEGABYTE,
        b"x" * 3 * MEGABYTE,
        b"x\n2\n" + b"y" * MEGABYTE,
        b"\n",
    ):
        with path.open("ab") as file:
            file.write(text)
        found.append(read(tail))
    tail.close()

    assert found == [[b"1"], [], [], [b"2"], [b"y" * MEGABYTE]]
    assert (tail.found.too_long, tail.found.lines) == (1, 3)


def test_a_line_that_is_too_long_and_is_cut_off_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "metrics.ndjson"
    path.write_bytes(b"1\n" + b"x" * 2 * MEGABYTE)
    tail = LineTail(tmp_path)
    found = [read(tail)]
    os.truncate(path, 2)
    for text in (b"", b"2\n"):
        with path.open("ab") as file:
            file.write(text)
        found.append(read(tail))
    tail.close()

    assert found == [[b"1"], [], [b"2"]]


def test_a_rotated_file_without_its_last_newline_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.ndjson"
    path.write_bytes(b"1\n2")
    tail = LineTail(tmp_path)
    first = read(tail)
    path.replace(tmp_path / "metrics.ndjson.rotating")
    path.write_bytes(b"3\n")
    second = read(tail)
    tail.close()

    assert (first, second) == ([b"1"], [b"2", b"3"])


def test_a_rotation_between_two_readings_loses_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "metrics.ndjson"
    path.write_bytes(b"1\n")
    tail = LineTail(tmp_path)
    first = read(tail)
    with path.open("ab") as file:
        file.write(b"2\n")
    path.replace(tmp_path / "metrics.ndjson.rotating")
    path.write_bytes(b"3\n")
    second = read(tail)
    tail.close()

    assert (first, second) == ([b"1"], [b"2", b"3"])


def test_rotations_between_two_readings_lose_and_double_nothing_however_many(
    tmp_path: Path,
) -> None:
    """After a long look there is a long rest, and a bot at full speed rotates meanwhile."""
    wanted, found, tail = list[bytes](), list[bytes](), LineTail(tmp_path)
    with closing(RotatingLines(tmp_path / "metrics.ndjson", 1, keep=9)) as writer:
        for rotations in (0, 1, 4, 0, 2):
            for _ in range(rotations):
                wanted.append(b"line %d" % len(wanted))
                writer.write(wanted[-1] + b"\n")
                writer.flush()
            found += read(tail)
    tail.close()

    assert (found, tail.found.problems) == (wanted, [])


def test_rotations_while_the_first_look_lasts_lose_and_double_nothing(tmp_path: Path) -> None:
    wanted, tail = [b"line %d" % number for number in range(8)], LineTail(tmp_path)
    with closing(RotatingLines(tmp_path / "metrics.ndjson", 14, keep=9)) as writer:

        def write(*lines: bytes) -> None:
            for line in lines:
                writer.write(line + b"\n")
                writer.flush()

        write(*wanted[:5])  # two a file, so that the last is in the newest
        looking, found = tail.read(), list[bytes]()
        found += next(looking)
        write(*wanted[5:])
        for lines in looking:
            found += lines
    tail.close()

    assert (found, tail.found.problems) == (wanted, [])


def test_a_line_of_ten_megabytes_is_passed_over_and_counted(tmp_path: Path) -> None:
    (tmp_path / "metrics.ndjson").write_bytes(b"1\n" + b"x" * 10 * MEGABYTE + b"\n2\n")
    tail = LineTail(tmp_path)

    found = read(tail)
    tail.close()

    assert (found, tail.found.too_long) == ([b"1", b"2"], 1)


def test_a_truncated_archive_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    text = b"".join(b"%d\n" % number for number in range(50_000))
    (tmp_path / "metrics.ndjson.1.gz").write_bytes(gzip.compress(text)[:-2_000])
    (tmp_path / "metrics.ndjson.2.gz").write_bytes(b"no gzip at all")
    (tmp_path / "metrics.ndjson").write_bytes(b"last\n")
    tail = LineTail(tmp_path)

    found = read(tail)
    tail.close()

    assert found[-1] == b"last"
    assert [problem.split(" ")[0] for problem in tail.found.problems] == [
        "metrics.ndjson.2.gz",
        "metrics.ndjson.1.gz",
    ]


def test_a_pipe_in_the_place_of_a_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.ndjson")

    assert read_all(tmp_path) == []
