"""A million recorded rows of two symbols: every order is the crossover's, and memory stays flat."""

import json
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from ops.config_write import to_toml
from persistence.ledger import read_orders
from tests.peak_memory import measured
from tests.system.conftest import STRESS
from tests.system.test_recorded_week import Rows, crossovers

FILES = {"BTC/USD": "BTCUSD-2018.parquet", "ETH/USD": "ETHUSD-2018.parquet"}
FAST, SLOW = 10, 30
FEW, SOME, ALL = 50_000, 200_000, 1_000_000
GROUP = 16_384
"""Rows that are decoded at once: in each cut the same, whole files of few rows have no more."""
ALLOWED_GROWTH_KB = 64_000
"""What memories with a bound still gain after some thousand orders (the venue's tape and postings,
some 18 MB), and what allocators do not give back: what Python holds is the same at a third of the
rows as at the end. One decimal kept of each further row would be more than this."""

pytestmark = pytest.mark.slow


class Replayed(NamedTuple):
    """A run of the first rows of both recordings."""

    rows: int
    peak_kb: int


def cut(recording: Path, to: Path, count: int) -> Rows:
    """Write the first rows of a recording as one of its own; give their times and closes."""
    from pyarrow import parquet

    table = parquet.read_table(recording).slice(0, count)
    parquet.write_table(table, to, row_group_size=GROUP)
    times, closes = table.column("ts").to_pylist(), table.column("close").to_pylist()
    pairs = zip(times, closes, strict=True)
    return [(int(str(ts)), Decimal(repr(close))) for ts, close in pairs]


def replay(folder: Path, recordings: Path, most: int) -> Replayed:
    """Run the real command over at most so many rows, half of each; hold its orders to account."""
    folder.mkdir()
    candles = {
        symbol: cut(recordings / name, folder / name, most // len(FILES))
        for symbol, name in FILES.items()
    }
    config = folder / "config.toml"
    config.write_text(to_toml(document(folder)))
    said, peak_kb = measured("start", str(config), "--json", timeout=1800)
    rows = sum(map(len, candles.values()))
    assert json.loads(said.splitlines()[-1])["counters"]["processed"] == rows
    for symbol, shown in candles.items():
        decided = [
            (order.decided_at_ns, str(order.side))
            for order in read_orders(folder / "run" / "ledger.db")
            if order.symbol == symbol
        ]
        assert decided == crossovers(shown, FAST, SLOW)
        assert len(decided) > rows / 100
    return Replayed(rows, peak_kb)


def document(folder: Path) -> dict[str, object]:
    return {
        "name": "million",
        "run_dir": str(folder / "run"),
        "feed": {
            "type": "replay",
            "speed": 0,
            "symbols": list(FILES),
            "path": {symbol: str(folder / name) for symbol, name in FILES.items()},
        },
        "strategy": [
            {
                "id": symbol[:3].lower(),
                "uses": "sma_cross",
                "symbol": symbol,
                "params": {"fast": FAST, "slow": SLOW},
            }
            for symbol in FILES
        ],
    }


@pytest.fixture
def recordings(recorded: Path) -> Path:
    """The folder of both recordings, where they are at hand."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    folder = recorded / "candles_1m" / "bitfinex"
    if not all((folder / name).exists() for name in FILES.values()):
        pytest.skip(f"the recordings of a million rows are not at hand ({folder})")
    return folder


@pytest.mark.timeout(300)
def test_the_first_rows_of_both_give_the_crossovers_orders(
    recordings: Path, tmp_path: Path
) -> None:
    assert replay(tmp_path / "few", recordings, FEW).rows == FEW


@pytest.mark.stress
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not STRESS, reason="the long form: tox -e stress")
def test_a_million_rows_give_the_crossovers_orders_and_take_no_more_memory(
    recordings: Path, tmp_path: Path
) -> None:
    few, some, whole = (
        replay(tmp_path / str(most), recordings, most) for most in (FEW, SOME, 10 * ALL)
    )

    assert (few.rows, some.rows) == (FEW, SOME)
    assert whole.rows > ALL
    assert whole.peak_kb - some.peak_kb < ALLOWED_GROWTH_KB, (few, some, whole)
