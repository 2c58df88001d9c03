"""What only the process knows: a ledger that is measured stays the ledger that was asked for."""

import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from decisions.ledger_figures import LedgerFigures
from messages.errors import LedgerFenced
from ops.describe import measured
from persistence.ledger import SqliteLedger, take_writing


@pytest.mark.parametrize("is_named", [False, True])
def test_a_measured_ledger_is_fenced_like_the_one_that_is_not(
    tmp_path: Path, *, is_named: bool
) -> None:
    path = tmp_path / "ledger.db"
    writer = take_writing(path)
    plain = (
        partial(SqliteLedger, path, writer=writer)
        if is_named
        else partial(SqliteLedger, path, writer)
    )
    opening = measured(plain, LedgerFigures(), time.monotonic_ns)
    with closing(opening()):
        pass

    take_writing(path)

    with pytest.raises(LedgerFenced):
        opening()
