"""`explain` of orders at an exchange: what was judged by, and the same from the ledger alone."""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from decisions.risk_values import MARKET_ALONE
from exchanges.local.server import running_exchange
from ops.explain import story_of
from ops.run_files import JOURNAL, LEDGER
from persistence.ledger import read_orders
from tests.system.live_bots import SPEED
from tests.system.test_audit_live import traded

pytestmark = pytest.mark.slow
BY_THE_MARK = {"price_collar_bps", "max_order_notional", "max_position_notional"}
"""The mark of that moment is the journal's; the ledger has the price that was decided at."""


def test_the_ledger_tells_the_numbers_that_the_journal_kept(tmp_path: Path) -> None:
    with running_exchange(seed=5, speed=SPEED) as run:
        run_dir = traded(tmp_path, run)
    keys = [order.order_key for order in read_orders(run_dir / LEDGER)]
    judged = [story_of(run_dir, key) for key in keys]
    shutil.rmtree(run_dir / JOURNAL)
    again = [story_of(run_dir, key)["risk_check"] for key in keys]

    assert len(keys) >= 5
    for story, from_ledger in zip(judged, again, strict=True):
        kept, tick = story["risk_check"], story["tick"]
        assert (kept["source"], from_ledger["source"]) == ("journal", "ledger")
        for name in ("position", "adds", "open_orders"):
            assert number(kept[name]) == number(from_ledger[name])
        assert counted(kept) == counted(from_ledger)
        assert tick["ts_event_ns"] == story["order"]["decided_at_ns"]


def number(told: str | int) -> Decimal:
    return Decimal(told)


def counted(check: dict[str, Any]) -> dict[str, str]:
    left_out = {*MARKET_ALONE, *BY_THE_MARK}
    return {one["limit"]: one["value"] for one in check["compared"] if one["limit"] not in left_out}
