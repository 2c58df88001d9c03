"""Peak memory does not grow with the number of rows."""

import json
from pathlib import Path

import pytest

from tests.peak_memory import measured
from tests.system.conftest import STRESS

FEW, MANY = (50_000, 1_000_000) if STRESS else (10_000, 60_000)
ALLOWED_GROWTH_KB = 32_000 if STRESS else 10_000
"""What the venue keeps to look back (bounded) and what the allocator does not give back: of 50,000
further rows 6.5 to 6.7 MB in each of three runs on a machine with too much to do. One decimal kept
of each of those rows is some 5 MB more."""


def peak_kb(folder: Path, rows: int) -> int:
    """Run the demo's market as fast as possible in a process of its own; give its peak."""
    folder.mkdir()
    config = folder / "config.toml"
    config.write_text(
        f'name = "big"\nrun_dir = "{folder / "run"}"\n'
        '[venue.balances]\nUSDT = "1000000"\n'
        f'[feed]\ntype = "demo"\nspeed = 0\nlimit = {rows}\nsymbols = ["BTC/USDT"]\n'
        '[[strategy]]\nid = "sma-1"\nuses = "sma_cross"\n'
        "[strategy.params]\nfast = 10\nslow = 30\n"
    )
    said, peak = measured("start", str(config), "--json", timeout=900)
    assert json.loads(said.splitlines()[-1])["counters"]["processed"] == rows
    return peak


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_peak_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    few = peak_kb(tmp_path / "few", FEW)

    many = peak_kb(tmp_path / "many", MANY)

    assert many - few < ALLOWED_GROWTH_KB
