"""One writer at a time, and a month that is whole whatever happens to its writer or its disk."""

import errno
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from exchanges.replay import ReplaySource
from messages.errors import DataError
from research.store import SeriesWriter, months_of, times_of
from tests.research.candles import BTC, SERIES, candles_in, numbers_in, row
from tests.research.store.months import put


def test_there_is_one_writer_at_a_time(data: Path) -> None:
    with SeriesWriter(data, SERIES), pytest.raises(DataError, match="another process writes it"):
        SeriesWriter(data, SERIES)

    put(data, [1])


def test_what_a_killed_writer_left_is_cleared_away_and_its_month_is_as_it_was(data: Path) -> None:
    put(data, [1, 2])
    folder = SERIES.folder(data)
    (folder / ".2024-01.parquet.tmp").write_bytes(b"half a file")

    assert numbers_in(folder) == [1, 2]
    put(data, [3])

    assert numbers_in(folder) == [1, 2, 3]
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "2024-01.parquet"]


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
import research.month_file as file
from research.store import SeriesWriter
from tests.research.candles import SERIES, row

true_replace = Path.replace
def replace(self, target):
    if sys.argv[2] == "after":
        true_replace(self, target)
    os.kill(os.getpid(), signal.SIGKILL)
Path.replace = replace
with SeriesWriter(Path(sys.argv[1]), SERIES) as writer:
    writer.add([row(n) for n in range(5)])
"""


@pytest.mark.slow
@pytest.mark.parametrize(("when", "numbers"), [("before", [1, 9]), ("after", [0, 1, 2, 3, 4, 9])])
def test_a_writer_killed_at_the_replacement_leaves_the_old_month_or_the_new(
    data: Path, when: str, numbers: list[int]
) -> None:
    put(data, [1, 9])
    root = Path(__file__).parents[3]

    done = subprocess.run(
        [sys.executable, "-c", KILLED_WRITER, str(data), when],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        timeout=60,
        check=False,
    )

    assert done.returncode == -9
    assert numbers_in(SERIES.folder(data)) == numbers
    put(data, [10])
    assert numbers_in(SERIES.folder(data)) == [*numbers, 10]


def test_a_damaged_month_is_not_written_over(data: Path) -> None:
    put(data, [1])
    (path,) = months_of(SERIES.folder(data))
    path.write_bytes(b"PAR1 rubbish")

    with pytest.raises(DataError, match=r"2024-01\.parquet: is not a readable"):
        put(data, [2])

    assert path.read_bytes() == b"PAR1 rubbish"
    assert [one.name for one in path.parent.glob(".*tmp")] == []


def test_a_full_disk_leaves_the_month_as_it_was_and_is_a_sentence(data: Path) -> None:
    put(data, [1])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(DataError, match=r"cannot be written .*: it is as it was"):
            put(data, list(range(500)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert numbers_in(SERIES.folder(data)) == [1]
    assert list(SERIES.folder(data).glob(".*tmp")) == []
    put(data, [2])


def test_a_bit_that_flips_on_the_disk_makes_no_other_candle(data: Path) -> None:
    rows = [(*row(n)[:4], f"{100 + n % 9}.{n % 83}", str(n)) for n in range(400)]
    with SeriesWriter(data, SERIES) as writer:
        writer.add(rows)
    (path,) = months_of(SERIES.folder(data))
    good, whole = path.read_bytes(), candles_in(path.parent)
    rng = random.Random(7)

    for _ in range(100):
        bad = bytearray(good)
        place = rng.randrange(len(bad))
        bad[place] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        try:
            source = ReplaySource(path, BTC)
            found = list(source.events())
        except DataError:
            continue
        assert found == whole or source.stats.problems, place


def test_a_month_with_a_damaged_page_is_told_and_left_as_it_is(data: Path) -> None:
    put(data, list(range(400)))
    (path,) = months_of(SERIES.folder(data))
    bad = bytearray(path.read_bytes())
    bad[100] ^= 1
    path.write_bytes(bad)

    with pytest.raises(DataError, match=r"2024-01\.parquet: is damaged .*: move it away"):
        list(times_of(path.parent))
    with pytest.raises(DataError, match=r"2024-01\.parquet: is damaged .*: move it away"):
        put(data, [1_000])
    assert path.read_bytes() == bad


def flushed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Follow which files and folders are flushed to disk, in order."""
    found, true_fsync = list[Path](), os.fsync

    def fsync(number: int) -> None:
        found.append(Path(f"/proc/self/fd/{number}").readlink())
        true_fsync(number)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_a_candle_outlives_a_loss_of_power_with_the_folders_it_lies_in(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = flushed(monkeypatch)

    put(data, [1])

    folder = SERIES.folder(data)
    parents = [folder.parent, folder.parent.parent, data, data.parent]
    assert order == [*parents, folder / ".2024-01.parquet.tmp", folder]
    put(data, [2])
    assert order[6:] == order[4:6]


def test_a_month_that_was_replaced_is_not_said_to_be_as_it_was(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(data, [1])
    folder, true_fsync = SERIES.folder(data), os.fsync

    def fsync(number: int) -> None:
        if Path(f"/proc/self/fd/{number}").readlink() == folder:
            raise OSError(errno.EIO, "no")
        true_fsync(number)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DataError, match=r"was replaced, but may not outlive a loss of power"):
        put(data, [2])

    assert numbers_in(folder) == [1, 2]


def test_a_disk_that_cannot_lock_is_not_taken_for_another_writer(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("research.store.fcntl.flock", flock)

    with pytest.raises(DataError, match=r"cannot be locked .*: use a local disk"):
        put(data, [1])
