"""The market is there once: a worker that has gone through all of it has kept none of it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("optuna", reason="the extra `optimize` is not installed")

from exchanges.event_blocks import Block, CandleBlock
from messages.ids import DurationNs
from research.optimise.columns import ColumnFile
from research.optimise.judge import run_all
from research.optimise.processes import Processes
from research.optimise.trial import Task, Work
from tests.research.optimise.markets import BTC, plan_of, write_candles

MINUTE_NS = DurationNs(60_000_000_000)
FEW, MANY = 20_000, 200_000
COLUMNS_MB = MANY * 5 * 8 / 1_048_576

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


def blocks(count: int) -> Iterator[Block]:
    size = 4_000
    for first in range(0, count, size):
        closes = [100.0 + (first + place) % 977 for place in range(size)]
        begin = 1_700_000_040_000_000_000 + (first + 1) * MINUTE_NS
        times = range(begin, begin + size * MINUTE_NS, MINUTE_NS)
        high, low = [close + 1 for close in closes], [close - 1 for close in closes]
        columns = [closes, high, low, closes, [50.0] * size]
        yield CandleBlock(BTC, times, MINUTE_NS, columns, closes)


def anonymous_mb(process_id: int) -> float:
    """What is a process's own, and in no file."""
    lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024


def own_mb(folder: Path, count: int) -> float:
    """Have two workers go through the whole market; give what the greater holds for itself."""
    plan = plan_of(write_candles(folder / "c.csv", 60), {"fast": 300, "slow": 900})
    columns = ColumnFile()
    index = columns.add(BTC, blocks(count))
    work = Work(plan=msgspec.structs.replace(plan, markets=()), indices=(index,))
    begin, end = index.segments[0].first_ns - 1, index.segments[-1].last_ns
    pool = Processes(work, columns.fd, 2)
    task = Task(ticket=0, params={}, begin_ns=begin, end_ns=end)

    found = run_all(pool, [task] * 2, lambda over, of: None)

    held = max(map(anonymous_mb, pool.process_ids))
    pool.close()
    columns.close()
    assert None not in found
    return held


def test_ten_times_the_market_is_not_a_workers_own(tmp_path: Path) -> None:
    few, many = own_mb(tmp_path, FEW), own_mb(tmp_path, MANY)

    assert COLUMNS_MB > 7
    assert many - few < COLUMNS_MB / 4, (few, many)
