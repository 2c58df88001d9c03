"""Files that are another while they are read, or when they are read again."""

from pathlib import Path
from typing import Any

import pytest

from exchanges.replay import ReplaySource
from messages.errors import DataChanged, DataError
from tests.exchanges.recordings.candle_files import AT_ONE_MS, BTC, NAMES, PRICES, put, read, write


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@pytest.mark.parametrize("read_again", ["events", "blocks"])
def test_a_file_that_is_replaced_between_two_readings_is_not_read_as_the_one_before(
    tmp_path: Path, name: str, read_again: str
) -> None:
    """A feed that starts anew counts on event 1 being the event 1 that it knows."""
    put(tmp_path / name, range(1, 5))
    source, candles = read(tmp_path / name)
    put(tmp_path / f"new-{name}", range(5))  # one that was missing is there now
    (tmp_path / f"new-{name}").replace(tmp_path / name)

    with pytest.raises(DataError, match=r"was changed while it was read: start again"):
        list(source.events(1) if read_again == "events" else source.blocks())
    assert read(tmp_path / name)[1][1:] == candles


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.json", "a.parquet"])
@pytest.mark.parametrize("read_on", ["events", "blocks"])
@pytest.mark.parametrize("rows", [0, 3_000, 20_001], ids=["cut", "shorter", "longer"])
def test_a_file_that_is_written_over_while_it_is_read_has_no_end(
    tmp_path: Path, name: str, read_on: str, rows: int
) -> None:
    """`cp` and a shell's `>` do so: what is read then is of neither file."""
    path = tmp_path / name
    put(path, range(20_000))
    put(tmp_path / f"new-{name}", range(rows or 20_000))
    source = ReplaySource(path, BTC)
    rest = iter(source.events() if read_on == "events" else source.blocks())
    next(rest)

    content = (tmp_path / f"new-{name}").read_bytes()
    path.write_bytes(content if rows else content[: len(content) // 2])

    with pytest.raises(DataChanged, match=r"was changed while it was read: start again"):
        list(rest)


def test_a_month_that_is_replaced_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    columns: dict[str, Any] = {n: [p] * 20_000 for n, p in zip(NAMES, PRICES, strict=True)}
    times = [AT_ONE_MS + number * 60_000 for number in range(20_000)]
    write(tmp_path / "a.parquet", {"ts": times, **columns})
    events = ReplaySource(tmp_path / "a.parquet", BTC).events()
    next(events)

    write(tmp_path / "new.parquet", {"ts": times[:2], **{n: v[:2] for n, v in columns.items()}})
    (tmp_path / "new.parquet").replace(tmp_path / "a.parquet")

    assert len(list(events)) == 19_999
