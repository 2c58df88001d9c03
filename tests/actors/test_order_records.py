"""What is signed ahead is what the ledger will hold."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.order_records import new_order, order_of
from decisions.order_keys import client_order_id
from exchanges.protocol import NewOrder
from messages.ids import AccountId, StrategyId, Symbol, TimestampNs
from messages.orders import OrderIntent
from messages.values import OrderType, Side, TimeInForce
from persistence.entries import Claim, claimed_entry, fingerprint
from tests.actors.order_path import key_of

PRICES = st.decimals("0.01", "100000", places=2)
QUANTITIES = st.decimals("0.00001", "1000", places=5)


@given(
    number=st.integers(0, 5),
    side=st.sampled_from(Side),
    order_type=st.sampled_from(OrderType),
    time_in_force=st.sampled_from(TimeInForce),
    quantity=QUANTITIES,
    price=st.none() | PRICES,
    decided_ns=st.integers(0, 2**62),
)
def test_a_claim_is_the_order_of_the_row_that_it_becomes(
    number: int,
    side: Side,
    order_type: OrderType,
    time_in_force: TimeInForce,
    quantity: Decimal,
    price: Decimal | None,
    decided_ns: int,
) -> None:
    key = key_of(number)
    intent = OrderIntent(
        order_key=key,
        account=AccountId("main"),
        strategy_id=StrategyId("one"),
        symbol=Symbol("BTC/USDT"),
        side=side,
        order_type=order_type,
        time_in_force=time_in_force,
        quantity=quantity,
        limit_price=price,
        reference_price=Decimal(1),
        decided_at_ns=TimestampNs(decided_ns),
        ts_created_ns=TimestampNs(decided_ns),
        reason="",
    )
    claim = Claim(
        intent,
        fingerprint(intent),
        client_order_id(key),
        refused=None,
        sent=True,
        decided_quantity=2 * quantity,
    )

    assert order_of(claim) == new_order(claimed_entry(claim, 1))


def test_an_order_that_differs_in_anything_is_another() -> None:
    """On which it rests that what was prepared is only sent if it is what was submitted."""
    order = NewOrder(
        client_order_id=client_order_id(key_of(0)),
        symbol=Symbol("BTC/USDT"),
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(1),
        limit_price=Decimal(2),
        decided_at_ns=TimestampNs(3),
    )
    others = {"side": Side.SELL, "quantity": Decimal(2), "limit_price": None, "decided_at_ns": 4}

    for name, value in others.items():
        assert msgspec.structs.replace(order, **{name: value}) != order
