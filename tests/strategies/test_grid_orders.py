"""A grid whose orders rest: on an ideal venue, whatever the market does."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.ids import ClientOrderId, OrderKey, StrategyId, TimestampNs
from messages.orders import OrderUpdate
from messages.values import OrderState, Side
from strategies.grid import Grid, GridParams
from strategies.protocol import Cancel, Decision, Replace
from tests.strategies.market import BTC, NOTIONAL, candle

FOUR = GridParams(lower=Decimal(100), upper=Decimal(140), cells=4, resting=True, each_side=2)
LOT = Decimal("1.78571")  # 1000 / 4 / 140, on the grid of the venue


class Venue:
    """Fills what the market reaches, wholly and at once; the grid looks at each close."""

    def __init__(self, params: GridParams = FOUR) -> None:
        self.grid = Grid(params, BTC.symbol, NOTIONAL, BTC)
        self.orders: dict[OrderKey, OrderUpdate] = {}
        self.held, self.spent = Decimal(0), Decimal(0)
        self.grid.open_orders = self.orders
        self._number = 0

    def closes(self, *closes: str) -> "Venue":
        for close in closes:
            self.close(Decimal(close))
        return self

    def close(self, price: Decimal) -> Sequence[Any]:
        for order in [*self.orders.values()]:
            assert order.limit_price is not None
            if (order.limit_price - price) * order.side.sign >= 0:
                self._fill(self.orders.pop(order.order_key), order.limit_price)
        wishes = self.wishes(price)
        for wish in wishes:
            if isinstance(wish, Cancel | Replace):
                order = self.orders.pop(wish.order)
                if isinstance(wish, Replace):
                    self._send(order.side, order.quantity, wish.limit_price, price)
            else:
                self._send(wish.side, wish.quantity, wish.limit_price, price)
        return wishes

    def wishes(self, price: Decimal) -> Sequence[Decision | Cancel | Replace]:
        open_too = sum((o.side.sign * o.quantity for o in self.orders.values()), Decimal(0))
        bar = candle(TimestampNs(0), price, price, price, price, Decimal(1))
        return self.grid.on_candle(bar, self.held + open_too)

    def _send(self, side: Side, quantity: Decimal, limit: Decimal | None, price: Decimal) -> None:
        self._number += 1
        key = OrderKey(str(self._number))
        order = OrderUpdate(
            order_key=key,
            client_order_id=ClientOrderId(key),
            strategy_id=StrategyId("grid"),
            symbol=BTC.symbol,
            side=side,
            state=OrderState.ACCEPTED,
            quantity=quantity,
            filled_quantity=Decimal(0),
            average_price=None,
            fills=(),
            reason="",
            decided_at_ns=TimestampNs(0),
            ts_event_ns=TimestampNs(0),
            limit_price=limit,
        )
        if limit is None:
            self._fill(order, price)
        else:
            assert (price - limit) * side.sign > 0, "an order that rests is not beyond the market"
            self.orders[key] = order

    def _fill(self, order: OrderUpdate, price: Decimal) -> None:
        self.held += order.side.sign * order.quantity
        self.spent += order.side.sign * order.quantity * price

    def lines(self, side: Side) -> list[Decimal]:
        return sorted(
            o.limit_price for o in self.orders.values() if o.side is side and o.limit_price
        )

    @property
    def lots(self) -> int:
        assert self.held % LOT == 0
        return int(self.held / LOT)


@pytest.mark.parametrize(
    ("closes", "lots", "bids", "asks"),
    [
        (["141"], 0, [120, 130], []),
        (["125"], 1, [110, 120], []),  # a start inside buys the lot of 130 at the market
        (["125", "125"], 1, [110, 120], [140]),
        (["141", "129", "129"], 1, [110, 120], [140]),
        (["141", "99", "99"], 4, [], [110, 120]),  # a leap over lines without an order
        (["141", "99", "99", "115"], 3, [100], [120, 130]),
        (["125", "125", "141"], 0, [120, 130], []),
    ],
)
def test_a_lot_rests_below_and_each_that_is_held_above(
    closes: list[str], lots: int, bids: list[int], asks: list[int]
) -> None:
    venue = Venue().closes(*closes)

    assert venue.lots == lots
    assert venue.lines(Side.BUY) == list(map(Decimal, bids))
    assert venue.lines(Side.SELL) == list(map(Decimal, asks))


def test_the_farthest_is_moved_when_the_nearest_has_filled() -> None:
    venue = Venue().closes("125", "125")

    (bid,) = [one for one in venue.close(Decimal(141)) if isinstance(one, Replace)]

    assert bid.limit_price == Decimal(130)
    assert venue.lines(Side.BUY) == [Decimal(120), Decimal(130)]


@pytest.mark.parametrize(
    "changes", [{"filled_quantity": Decimal("0.1")}, {"state": OrderState.CLAIMED}]
)
def test_what_fills_in_part_or_is_on_its_way_is_left_where_it_is(changes: dict[str, Any]) -> None:
    venue = Venue().closes("125", "125")
    (far,) = [one for one in venue.orders.values() if one.limit_price == Decimal(110)]
    venue.orders[far.order_key] = msgspec.structs.replace(far, **changes)

    assert not any(isinstance(one, Cancel | Replace) for one in venue.close(Decimal(141)))


@pytest.mark.slow
@given(
    closes=st.lists(st.integers(4_000, 16_000), min_size=1, max_size=20),
    cells=st.integers(1, 20),
    each_side=st.integers(1, 5),
)
def test_whatever_the_market_does_few_orders_rest_and_all_cost_no_more_than_they_may(
    closes: list[int], cells: int, each_side: int
) -> None:
    lower, upper = Decimal(50), Decimal(150)
    params = GridParams(lower=lower, upper=upper, cells=cells, resting=True, each_side=each_side)
    venue = Venue(params)

    for cents in closes:
        close = Decimal(cents).scaleb(-2)
        venue.close(close)
        assert max(len(venue.lines(Side.BUY)), len(venue.lines(Side.SELL))) <= each_side
        bids = sum(o.quantity for o in venue.orders.values() if o.side is Side.BUY)
        assert venue.held >= 0
        assert (venue.held + bids) * upper <= NOTIONAL
    venue.close(close)
    assert not venue.wishes(close), "all is as it should be"
