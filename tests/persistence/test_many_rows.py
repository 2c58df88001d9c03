"""Many rows in one statement: all of them, in their order, in few statements."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.errors import LedgerConflict
from messages.values import OrderState
from persistence.ledger import Claim, SqliteLedger, Step, read_events
from persistence.many_rows import EXACT, MOST_VALUES, together
from persistence.statements import INSERT_FILL, INSERT_ORDER, TAKE_STEP

INSERT = "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO NOTHING"


@settings(deadline=None)  # a busy machine
@given(st.integers(0, 700), st.integers(1, 40))
def test_every_row_is_written_once_and_in_order(count: int, width: int) -> None:
    rows = [tuple(range(number, number + width)) for number in range(count)]
    marks = ", ".join("?" * width)
    given_ = list(together(f"INSERT INTO t VALUES ({marks})", rows))
    assert [value for _, values in given_ for value in values] == [v for row in rows for v in row]
    for statement, values in given_:
        assert statement.count("?") == len(values) <= max(MOST_VALUES, width)


def test_what_follows_the_values_stays_behind_them() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE t (a PRIMARY KEY, b)")
        for statement, values in together(INSERT, [(1, "x"), (2, "y"), (1, "z")]):
            database.execute(statement, values)
        assert database.execute("SELECT a, b FROM t").fetchall() == [(1, "x"), (2, "y")]


@pytest.mark.parametrize("statement", [INSERT_ORDER, TAKE_STEP, INSERT_FILL])
def test_there_are_few_statements_so_each_is_prepared_once(statement: str) -> None:
    row = (None,) * statement.count("?")
    texts = {text for count in range(1, 257) for text, _ in together(statement, [row] * count)}
    assert len(texts) <= EXACT + 4


def test_a_group_of_any_size_is_claimed_and_moved(
    path: Path, claim_of: Callable[..., Claim], step_of: Callable[..., Step]
) -> None:
    sizes = (1, 2, 17, 300)
    claims = [claim_of(number) for number in range(sum(sizes))]
    with closing(SqliteLedger(path)) as ledger:
        for at_ns, size in enumerate(sizes, 1):
            group, claims = claims[:size], claims[size:]
            ledger.claim(group, at_ns)
        ledger.record([step_of(number, OrderState.SENT) for number in range(sum(sizes))])
        assert ledger.states() == {OrderState.SENT: sum(sizes)}
    last = read_events(path, claim_of(sum(sizes) - 1).intent.order_key)
    assert (last[0].to_state, last[0].at_ns) == (OrderState.CLAIMED, len(sizes))
    assert len(last) == 2


def test_two_steps_of_one_order_are_taken_one_after_the_other(
    path: Path, claim_of: Callable[..., Claim], step_of: Callable[..., Step]
) -> None:
    steps = [OrderState.SENT, OrderState.ACCEPTED, OrderState.CANCELED]
    with closing(SqliteLedger(path)) as ledger:
        ledger.claim([claim_of(number) for number in range(20)], 1)
        ledger.record([step_of(number, to) for number in range(20) for to in steps])
        assert ledger.states() == {OrderState.CANCELED: 20}
    for number in range(20):
        events = read_events(path, claim_of(number).intent.order_key)
        assert [event.to_state for event in events] == [OrderState.CLAIMED, *steps]


def test_one_key_that_is_there_already_undoes_the_whole_group(
    path: Path, claim_of: Callable[..., Claim]
) -> None:
    with closing(SqliteLedger(path)) as ledger:
        ledger.claim([claim_of(7)], 1)
        with pytest.raises(LedgerConflict, match="already claimed"):
            ledger.claim([claim_of(number) for number in range(10)], 2)
        assert ledger.states() == {OrderState.CLAIMED: 1}
        assert [entry.updated_at_ns for entry in ledger.entries()] == [1]
