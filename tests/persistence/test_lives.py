"""A ledger walked for those who draw it: every order and execution once, in short moments."""

from pathlib import Path

import pytest

from messages.values import OrderState
from persistence import lives
from persistence.reader import LedgerReader
from tests.cli.runs import book, fill


@pytest.mark.parametrize("page", [1, 2, 3, 500])
def test_pages_leave_out_nothing_and_give_nothing_twice(
    page: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lives, "_PAGE", page)
    monkeypatch.setattr(lives, "_FILLS_PAGE", page)
    with book(tmp_path) as written:
        keys = [written.claim(number) for number in range(5)]
        for number, key in enumerate(keys):
            written.step(key, OrderState.FILLED, fill(f"{number}a", "1"), fill(f"{number}b", "1"))

    with LedgerReader(tmp_path / "ledger.db") as ledger:
        walked = list(lives.newest_lives(ledger, 100))
        executions = list(lives.all_executions(ledger))
        newest = list(lives.newest_lives(ledger, 2))

    assert [life.entry.order_key for life in walked] == sorted(keys, reverse=True)
    assert [len(life.events) for life in walked] == [3] * 5
    assert [len(life.fills) for life in walked] == [2] * 5
    assert sorted(one.fill.trade_id for one in executions) == sorted(
        f"{number}{half}" for number in range(5) for half in "ab"
    )
    assert newest == walked[:2]
