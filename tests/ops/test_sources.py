"""A config's limit holds for a recording as it does for the demo."""

from pathlib import Path

import pytest

from ops.config import parse
from ops.sources import open_source


@pytest.mark.parametrize("start", [0, 2, 5])
def test_a_limit_ends_a_recording_early(tmp_path: Path, start: int) -> None:
    rows = [f"{1_700_000_000_000 + n * 60_000},1,1,1,1,1" for n in range(10)]
    (tmp_path / "candles.csv").write_text("\n".join(rows))
    feed = {"type": "replay", "path": str(tmp_path / "candles.csv"), "symbols": ["A/B"], "limit": 4}
    strategy = {"id": "one", "uses": "sma_cross", "params": {"fast": 1, "slow": 2}}
    config = parse({"name": "limited", "feed": feed, "strategy": [strategy]}, tmp_path)

    events = list(open_source(config).events(start))

    assert len(events) == max(4 - start, 0)
