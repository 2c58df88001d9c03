"""The executor fails with a group of decisions in hand: only the first may be lost to it."""

from pathlib import Path
from typing import Any

import pytest

from actors.step_runtime import StepRuntime
from exchanges.demo import DemoSource
from messages.ids import NS_PER_MS, Symbol
from persistence.ledger import SqliteLedger
from tests.system.conftest import config_of, orders_at_venue, run_to_end


def test_what_waits_in_a_failing_executor_is_handed_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        ",".join(map(str, (c.ts_open_ns // NS_PER_MS, c.open, c.high, c.low, c.close, c.volume)))
        for c in DemoSource(Symbol("BTC/USDT"), limit=3_000).events()
    ]
    (tmp_path / "candles.csv").write_text("\n".join(lines))
    paths = {"BTC/USDT": tmp_path / "candles.csv"}
    run_to_end(config_of(tmp_path / "whole", paths), StepRuntime(ttl_enforced=False))
    groups: list[int] = []
    write = SqliteLedger.write

    def fail_once(ledger: SqliteLedger, steps: Any, claims: Any, now_ns: int) -> Any:
        groups.append(len(claims))
        if len(groups) == 1:
            raise RuntimeError("once")
        return write(ledger, steps, claims, now_ns)

    monkeypatch.setattr(SqliteLedger, "write", fail_once)
    run_to_end(config_of(tmp_path / "failed", paths), StepRuntime(ttl_enforced=False))

    whole, failed = orders_at_venue(tmp_path / "whole"), orders_at_venue(tmp_path / "failed")
    assert groups[0] > 1
    assert [o[-1] for o in failed] == [o[-1] for o in whole][1:]
