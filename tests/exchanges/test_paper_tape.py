"""What is put on a tape at once stands on it as if it had come one by one."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.paper_order import Place
from exchanges.paper_tape import Tape
from messages.ids import Symbol, TimestampNs
from messages.market import MarketEvent, Trade

BTC = Symbol("BTC/USDT")


def trade(ts_ns: int, price: int) -> MarketEvent:
    return Trade(
        symbol=BTC,
        price=Decimal(price),
        quantity=Decimal(1),
        aggressor_side=None,
        ts_event_ns=TimestampNs(ts_ns),
    )


moments = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 2)), min_size=1, max_size=8)


@pytest.mark.slow
@given(batches=st.lists(moments, max_size=4), in_order=st.booleans())
def test_a_batch_is_its_events(batches: list[list[tuple[int, int]]], in_order: bool) -> None:
    at_once, one_by_one = Tape(6), Tape(6)
    for number, batch in enumerate(batches):
        if in_order:
            batch = sorted(dict(batch).items())
        events = [trade(ts_ns + 10 * number * in_order, price) for ts_ns, price in batch]
        at_once.add_all(events)
        for event in events:
            one_by_one.add(event)
        assert at_once.newest == one_by_one.newest

    for cursor in (Place(-1, 0), Place(3, 0), Place(4, 1), Place(99, 0)):
        assert list(at_once.after(cursor)) == list(one_by_one.after(cursor))
