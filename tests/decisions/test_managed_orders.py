"""What the position of a strategy that ends and replaces its orders counts of each."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from decisions.managed_orders import ManagedOrders
from messages.ids import AccountId, ClientOrderId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.order_states import FINAL_STATES
from messages.orders import CancelIntent, OrderIntent, OrderUpdate
from messages.values import OrderState as S
from messages.values import OrderType, Side, TimeInForce

BTC = Symbol("BTC/USDT")
NOTHING = Decimal(0)


def decision(number: int, side: Side, quantity: int, replaces: int | None = None) -> OrderIntent:
    return OrderIntent(
        order_key=OrderKey(str(number)),
        account=AccountId("main"),
        strategy_id=StrategyId("one"),
        symbol=BTC,
        side=side,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(quantity),
        limit_price=Decimal(100),
        reference_price=Decimal(100),
        decided_at_ns=TimestampNs(1),
        ts_created_ns=TimestampNs(1),
        reason="",
        replaces=None if replaces is None else OrderKey(str(replaces)),
    )


def told(number: int, side: Side, quantity: int, state: S, filled: int = 0) -> OrderUpdate:
    return OrderUpdate(
        order_key=OrderKey(str(number)),
        client_order_id=ClientOrderId(f"c{number}"),
        strategy_id=StrategyId("one"),
        symbol=BTC,
        side=side,
        state=state,
        quantity=Decimal(quantity),
        filled_quantity=Decimal(filled),
        average_price=None,
        fills=(),
        reason="",
        decided_at_ns=TimestampNs(1),
        ts_event_ns=TimestampNs(2),
    )


@pytest.fixture
def managed() -> ManagedOrders:
    """One bid of 5, open."""
    made = ManagedOrders()
    made.decided([decision(1, Side.BUY, 5)])
    made.updated(told(1, Side.BUY, 5, S.ACCEPTED))
    return made


def test_what_an_order_that_ends_has_not_filled_counts_no_more(managed: ManagedOrders) -> None:
    assert managed.updated(told(1, Side.BUY, 5, S.CANCELED, 2)) == -3
    assert not managed.open


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_that_holds_however_it_ends(managed: ManagedOrders, state: S) -> None:
    assert managed.updated(told(1, Side.BUY, 5, state, 4)) == -1
    assert managed.updated(told(1, Side.BUY, 5, state, 4)) == 0, "told twice"


def test_an_order_that_is_being_replaced_is_nobodys_to_manage(managed: ManagedOrders) -> None:
    managed.decided([decision(2, Side.BUY, 4, replaces=1)])
    assert list(managed.open) == [OrderKey("2")]

    managed.updated(told(1, Side.BUY, 5, S.PARTIALLY_FILLED, 1))

    assert list(managed.open) == [OrderKey("2")]


def test_an_order_is_there_from_its_decision_on_so_that_nobody_must_remember_it() -> None:
    managed = ManagedOrders()
    managed.decided([decision(1, Side.BUY, 5)])
    (one,) = managed.open.values()
    assert (one.state, one.quantity, one.limit_price) == (S.CLAIMED, Decimal(5), Decimal(100))

    managed.updated(told(1, Side.BUY, 5, S.REFUSED))

    assert not managed.open


def test_the_end_of_the_first_changes_nothing_for_the_second_counts_for_both(
    managed: ManagedOrders,
) -> None:
    managed.decided([decision(2, Side.BUY, 4, replaces=1)])

    assert managed.updated(told(1, Side.BUY, 5, S.CANCELED, 3)) == 0
    assert managed.updated(told(2, Side.BUY, 1, S.ACCEPTED)) == 0
    assert managed.updated(told(2, Side.BUY, 1, S.FILLED, 1)) == 0


def test_a_refused_second_leaves_what_the_first_has_filled(managed: ManagedOrders) -> None:
    managed.decided([decision(2, Side.BUY, 4, replaces=1)])
    managed.updated(told(1, Side.BUY, 5, S.CANCELED, 3))

    assert managed.updated(told(2, Side.BUY, 4, S.REFUSED)) == -1


def test_a_second_that_is_refused_while_the_first_is_open_gives_it_back(
    managed: ManagedOrders,
) -> None:
    managed.decided([decision(2, Side.BUY, 4, replaces=1)])

    assert managed.updated(told(2, Side.BUY, 4, S.REFUSED)) == 1
    assert list(managed.open) == [OrderKey("1")]
    assert managed.updated(told(1, Side.BUY, 5, S.CANCELED)) == -5


def test_an_exit_that_a_stop_decided_is_none_of_it(managed: ManagedOrders) -> None:
    assert managed.updated(told(9, Side.SELL, 5, S.ACCEPTED)) == 0
    assert managed.updated(told(9, Side.SELL, 5, S.FILLED, 5)) == 0
    assert list(managed.open) == [OrderKey("1")]


def test_what_an_earlier_process_left_open_counts_as_filled_and_ends_as_any() -> None:
    managed = ManagedOrders()
    managed.begin_with([told(1, Side.SELL, 5, S.PARTIALLY_FILLED, 2)])

    assert list(managed.open) == [OrderKey("1")]
    assert managed.updated(told(1, Side.SELL, 5, S.CANCELED, 2)) == 3


def exit_of_ten(state: S, filled: int = 0) -> OrderUpdate:
    """Of 10 that were to be left, fees have left 9 to sell."""
    update = told(1, Side.SELL, 9, state, filled)
    return msgspec.structs.replace(update, taken_by_fees=Decimal(1))


def test_an_exit_that_filled_has_left_what_fees_had_taken_of_it_too() -> None:
    managed = ManagedOrders()
    managed.decided([decision(1, Side.SELL, 10)])

    assert managed.updated(exit_of_ten(S.PARTIALLY_FILLED, 5)) == 0
    assert managed.updated(exit_of_ten(S.FILLED, 9)) == 0


@pytest.mark.parametrize(("state", "filled", "change"), [(S.FILLED, 9, 0), (S.CANCELED, 4, 6)])
def test_so_has_one_that_an_earlier_process_left_open(state: S, filled: int, change: int) -> None:
    managed = ManagedOrders()
    managed.begin_with([exit_of_ten(S.ACCEPTED)])

    assert managed.updated(exit_of_ten(state, filled)) == change


def test_an_exit_that_was_cut_counts_as_what_was_sent_as_soon_as_that_is_told() -> None:
    """Half of its entry had filled when it was judged; the other half is held, or may be."""
    managed = ManagedOrders()
    managed.decided([decision(1, Side.SELL, 10)])

    assert managed.updated(told(1, Side.SELL, 4, S.ACCEPTED)) == 6
    assert managed.updated(told(1, Side.SELL, 4, S.FILLED, 4)) == 0


def test_what_takes_the_place_of_a_cut_exit_counts_for_what_that_one_does() -> None:
    """What was cut off counted as left for ever: a Replace is of what was sent."""
    managed = ManagedOrders()
    managed.decided([decision(1, Side.SELL, 10)])
    managed.updated(told(1, Side.SELL, 4, S.ACCEPTED))
    managed.decided([decision(2, Side.SELL, 4, replaces=1)])

    assert managed.updated(told(2, Side.SELL, 4, S.REFUSED)) == 0
    assert managed.updated(told(1, Side.SELL, 4, S.CANCELED, 1)) == 3


def test_a_copy_is_its_own(managed: ManagedOrders) -> None:
    copy = managed.copy()
    managed.decided([decision(2, Side.BUY, 4, replaces=1)])
    managed.updated(told(2, Side.BUY, 4, S.REFUSED))
    managed.updated(told(1, Side.BUY, 5, S.CANCELED))

    assert list(copy.open) == [OrderKey("1")]
    assert copy.updated(told(1, Side.BUY, 5, S.CANCELED)) == -5


class Orders(RuleBasedStateMachine):
    """Whatever is decided and told: the position is what has filled and what still may."""

    keys = Bundle("keys")

    @initialize()
    def begin(self) -> None:
        self.managed = ManagedOrders()
        self.position = NOTHING
        self.orders: dict[int, tuple[Side, int, int | None]] = {}
        self.ended: dict[int, int] = {}
        self.filled: dict[int, int] = {}

    @rule(target=keys, side=st.sampled_from(Side), quantity=st.integers(1, 9))
    def decide(self, side: Side, quantity: int) -> int:
        number = len(self.orders)
        self.managed.decided([decision(number, side, quantity)])
        self.position += side.sign * quantity
        self.orders[number] = (side, quantity, None)
        return number

    @rule(target=keys, first=keys, quantity=st.integers(1, 9))
    def replace(self, first: int, quantity: int) -> int:
        known = self.managed.open.get(OrderKey(str(first)))
        if known is None or known.state is S.CLAIMED:
            return first  # as of an order of which nothing was heard
        number, side = len(self.orders), self.orders[first][0]
        before = known.quantity  # as it was told: of one that took a place, what was left to send
        self.managed.decided([decision(number, side, quantity, replaces=first)])
        self.position += side.sign * (quantity - before)
        self.orders[number] = (side, quantity, first)
        return number

    @rule(number=keys, part=st.integers(0, 9), state=st.sampled_from(S))
    def tell(self, number: int, part: int, state: S) -> None:
        side, quantity, first = self.orders[number]
        if number in self.ended:
            return
        if first is not None and first not in self.ended and state is not S.REFUSED:
            return  # nothing is known of it but a refusal while the first is open
        if first is not None and first in self.ended and state is not S.REFUSED:
            quantity -= self.filled.get(first, 0)
            if quantity <= 0:
                return  # nothing is left to send, and it is refused
        filled = max(min(part, quantity), self.filled.get(number, 0))
        if state is S.REFUSED:
            filled = self.filled.get(number, 0)
        self.filled[number] = filled
        self.position += self.managed.updated(told(number, side, quantity, state, filled))
        if state in FINAL_STATES:
            self.ended[number] = filled
            if first is not None and first not in self.ended:
                side, whole, _ = self.orders[number]
                self.orders[number] = (side, whole, None)

    @invariant()
    def the_position_is_what_filled_and_may(self) -> None:
        if not hasattr(self, "orders"):
            return
        expected = 0
        by = {first: n for n, (_, _, first) in self.orders.items() if first is not None}
        for number, (side, quantity, first) in self.orders.items():
            if number in self.ended:
                counts = self.ended[number]
            elif number in by:
                counts = 0
            elif first is not None and first in self.ended:
                counts = quantity - self.ended[first]
            else:
                counts = quantity
            expected += side.sign * counts
        assert self.position == expected

    @invariant()
    def what_has_not_ended_is_open_unless_it_is_being_replaced(self) -> None:
        if not hasattr(self, "orders"):
            return
        by = {first for _, _, first in self.orders.values() if first is not None}
        expected = {str(one) for one in self.orders if one not in self.ended and one not in by}
        assert set(self.managed.open) == expected


TestOrders = Orders.TestCase
TestOrders.settings = settings(stateful_step_count=30)


@given(st.data())
def test_a_wish_to_end_counts_nothing(data: st.DataObject) -> None:
    managed = ManagedOrders()
    one = CancelIntent(
        order_key=OrderKey("9"),
        cancels=OrderKey(data.draw(st.text())),
        strategy_id=StrategyId("one"),
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal(1),
        decided_at_ns=TimestampNs(1),
        ts_created_ns=TimestampNs(1),
        reason="",
    )
    managed.decided([one])

    assert managed == ManagedOrders()
