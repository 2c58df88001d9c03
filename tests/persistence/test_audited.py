"""A ledger's executions, a page at a time, for the audit."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from messages.orders import Fill
from messages.values import OrderState
from persistence import audited
from persistence.ledger import Claim, SqliteLedger, Step
from persistence.reader import LedgerReader


def test_executions_of_one_trade_id_are_all_walked_where_a_page_ends_between_them(
    path: Path,
    claim_of: Callable[..., Claim],
    step_of: Callable[..., Step],
    fill_of: Callable[..., Fill],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audited, "_PAGE", 1)
    numbers = range(3)
    with closing(SqliteLedger(path)) as ledger:
        ledger.write([], [claim_of(number) for number in numbers], 7)
        ledger.record([step_of(number, OrderState.SENT) for number in numbers])
        for number in numbers:
            fills = (fill_of("t1", "1.5"),)
            ledger.record([step_of(number, OrderState.FILLED, "1.5", fills=fills)])

    with closing(LedgerReader(path)) as reader:
        found = [one.order_key for one in audited.all_executed(reader)]
    assert found == [claim_of(number).intent.order_key for number in numbers]
