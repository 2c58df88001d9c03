"""The engine alone: what trades with what, what it costs, and that money is never made."""

import os
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.local.book import Book, Resting
from exchanges.local.engine import Engine
from exchanges.local.filters import Market
from exchanges.local.orders import Execution, OrderEvent, OrderKind, Placement, Status
from exchanges.local.refusals import Reason, Refused
from messages.values import Side, TimeInForce

D = Decimal

BTC = "BTC/USDT"
RICH = {"USDT": D(100_000), "BTC": D(10), "BNB": D(5)}
POOR = {"USDT": D(302), "BTC": D(5), "BNB": D("0.001")}


def make_engine(money: dict[str, Decimal] = RICH, **changes: Any) -> Engine:
    """BTC/USDT at 100: asks 101 and 102, bids 99 and 98, two of each; BNB/USDT at 50."""
    engine = Engine([Market(symbol=BTC), Market(symbol="BNB/USDT")], money, **changes)
    engine.last_prices.update({BTC: D(100), "BNB/USDT": D(50)})
    engine.quote(BTC, {D(99): D(2), D(98): D(2)}, {D(101): D(2), D(102): D(2)}, 0)
    return engine


def ask_for(name: str, **changes: Any) -> Placement:
    values: dict[str, Any] = {
        "symbol": BTC,
        "client_order_id": name,
        "side": Side.BUY,
        "kind": OrderKind.LIMIT,
        "quantity": "1",
        "price": "101",
    } | changes
    for key in ("quantity", "price", "quote_quantity"):
        if values.get(key) is not None:
            values[key] = D(values[key])
    if values["kind"] is OrderKind.MARKET:
        values["price"] = None
    return Placement(**values)


def wealth(engine: Engine) -> dict[str, Decimal]:
    return {asset: one.total for asset, one in engine.account.balances.items()}


def test_a_level_serves_who_came_first() -> None:
    book = Book()
    first, second = Resting(D(1), D(1), 1), Resting(D(1), D(1), 2)
    book.add(Side.SELL, first)
    book.add(Side.SELL, second)
    book.add(Side.SELL, Resting(D("0.5"), D(1), 3))

    assert [one.order_id for one in book.reach(Side.BUY, None)] == [3, 1, 2]
    assert [one.order_id for one in book.reach(Side.BUY, D("0.7"))] == [3]


def test_the_world_keeps_its_place_where_it_still_quotes() -> None:
    book = Book()
    book.quote(Side.BUY, {D(9): D(1)})
    book.add(Side.BUY, Resting(D(9), D(1), 1))

    book.quote(Side.BUY, {D(9): D(5), D(8): D(1)})

    assert [one.order_id for one in book.reach(Side.SELL, D(9))] == [None, 1]
    assert book.levels(Side.BUY) == [(D(9), D(6)), (D(8), D(1))]


def test_a_limit_order_takes_what_it_reaches_and_rests() -> None:
    engine = make_engine()

    order, trades = engine.place(ask_for("a", quantity="3"), 1)

    assert [(one.price, one.quantity, one.is_maker) for one in trades] == [(D(101), D(2), False)]
    assert (order.status, order.left) == (Status.PARTIALLY_FILLED, D(1))
    assert engine.account.balances["USDT"].locked == 101
    assert engine.account.balances["BTC"].free == 12 - D("0.002")


def test_a_better_price_gives_the_difference_back() -> None:
    engine = make_engine()

    engine.place(ask_for("a", quantity="2", price="150"), 1)

    assert engine.account.balances["USDT"].free == 100_000 - 2 * 101
    assert engine.account.balances["USDT"].locked == 0


def test_a_resting_order_is_filled_by_quotes_that_cross_it_at_its_own_price() -> None:
    engine = make_engine()
    order, _ = engine.place(ask_for("a", quantity="3", price="97"), 1)

    engine.quote(BTC, {D(90): D(1)}, {D(96): D(2)}, 2)

    assert (order.status, order.filled, order.filled_quote) == (
        Status.PARTIALLY_FILLED,
        D(2),
        D(194),
    )
    assert engine.trades.all[-1].is_maker


@pytest.mark.parametrize(
    ("tif", "quantity", "status", "filled"),
    [
        (TimeInForce.IOC, "3", Status.EXPIRED, D(2)),
        (TimeInForce.IOC, "1", Status.FILLED, D(1)),
        (TimeInForce.FOK, "3", Status.EXPIRED, D(0)),
        (TimeInForce.FOK, "2", Status.FILLED, D(2)),
    ],
)
def test_times_in_force(tif: TimeInForce, quantity: str, status: Status, filled: Decimal) -> None:
    engine = make_engine()

    order, _ = engine.place(ask_for("a", time_in_force=tif, quantity=quantity), 1)

    assert (order.status, order.filled) == (status, filled)
    assert engine.account.balances["USDT"].locked == 0


def test_a_market_order_larger_than_the_book_expires_with_what_it_got() -> None:
    engine = make_engine()

    order, trades = engine.place(ask_for("a", kind=OrderKind.MARKET, quantity="9"), 1)

    assert (order.status, order.filled) == (Status.EXPIRED, D(4))
    assert [one.price for one in trades] == [D(101), D(102)]


@pytest.mark.parametrize("side", list(Side))
def test_a_market_order_in_quote_currency_spends_no_more(side: Side) -> None:
    engine = make_engine()
    placement = ask_for(
        "a", side=side, kind=OrderKind.MARKET, quantity=None, quote_quantity="250.5"
    )

    order, _ = engine.place(placement, 1)

    assert order.status is Status.FILLED
    assert order.quantity == order.filled
    assert D(249) < order.filled_quote <= D("250.5")


def test_a_post_only_order_never_takes() -> None:
    engine = make_engine()

    with pytest.raises(Refused) as refusal:
        engine.place(ask_for("a", kind=OrderKind.POST_ONLY), 1)

    assert refusal.value.reason is Reason.WOULD_TAKE
    assert engine.orders.by_id == {}
    assert engine.account.balances["USDT"].locked == 0


def test_an_id_is_unique_among_open_orders_only() -> None:
    engine = make_engine()
    engine.place(ask_for("resting", price="90"), 1)
    engine.place(ask_for("filled", kind=OrderKind.MARKET), 1)

    with pytest.raises(Refused) as refusal:
        engine.place(ask_for("resting", price="90"), 2)
    engine.place(ask_for("filled", kind=OrderKind.MARKET), 2)

    assert refusal.value.reason is Reason.DUPLICATE_ID
    assert len(engine.orders.under("resting")) == 1
    assert len(engine.orders.under("filled")) == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": "101.001"}, Reason.PRICE_FILTER),
        ({"price": "501"}, Reason.PERCENT_PRICE),
        ({"price": "19"}, Reason.PERCENT_PRICE),
        ({"quantity": "0.000001"}, Reason.LOT_SIZE),
        ({"quantity": "9001"}, Reason.LOT_SIZE),
        ({"quantity": "0.04", "price": "100"}, Reason.NOTIONAL),
        ({"quantity": "0.0000000001"}, Reason.TOO_PRECISE),
        ({"quantity": "1001"}, Reason.INSUFFICIENT_BALANCE),
        ({"side": Side.SELL, "quantity": "11"}, Reason.INSUFFICIENT_BALANCE),
        ({"symbol": "DOGE/USDT"}, Reason.BAD_SYMBOL),
        ({"client_order_id": "a b"}, Reason.BAD_CLIENT_ID),
        ({"client_order_id": "a" * 37}, Reason.BAD_CLIENT_ID),
    ],
)
def test_what_breaks_a_rule_is_refused_whole(changes: dict[str, Any], reason: Reason) -> None:
    engine = make_engine()
    before = wealth(engine)

    with pytest.raises(Refused) as refusal:
        engine.place(ask_for("a", **changes), 1)

    assert refusal.value.reason is reason
    assert (engine.orders.by_id, wealth(engine)) == ({}, before)


def test_only_so_many_orders_may_be_open() -> None:
    engine = make_engine()
    engine.markets[BTC].max_num_orders = 2
    engine.place(ask_for("a", price="90"), 1)
    engine.place(ask_for("b", price="90"), 1)

    with pytest.raises(Refused) as refusal:
        engine.place(ask_for("c", price="90"), 1)

    assert refusal.value.reason is Reason.MAX_NUM_ORDERS


def test_fees_in_bnb_are_discounted_and_leave_the_purchase_whole() -> None:
    engine = make_engine(fees_in_bnb=True)

    _, (trade,) = engine.place(ask_for("a", kind=OrderKind.MARKET), 1)

    assert (trade.fee, trade.fee_asset) == (D("0.001") * 101 * D("0.75") / 50, "BNB")
    assert engine.account.balances["BTC"].free == 11


def test_an_account_does_not_trade_with_itself() -> None:
    engine = make_engine()
    resting, _ = engine.place(ask_for("a", side=Side.SELL, price="100.5"), 1)

    taker, trades = engine.place(ask_for("b"), 2)

    assert resting.status is Status.EXPIRED_IN_MATCH
    assert (taker.status, [one.price for one in trades]) == (Status.FILLED, [D(101)])


def test_what_the_account_offers_itself_does_not_pay_for_its_market_order() -> None:
    engine = make_engine(POOR)
    resting, _ = engine.place(ask_for("a", side=Side.SELL, price="100.5", quantity="5"), 1)

    with pytest.raises(Refused) as refusal:
        engine.place(ask_for("b", kind=OrderKind.MARKET, quantity="3"), 2)

    assert refusal.value.reason is Reason.INSUFFICIENT_BALANCE
    assert (resting.is_open, engine.trades.all) == (True, [])


def test_events_tell_each_step_with_the_order_as_it_was() -> None:
    engine = make_engine()
    engine.take_effects()

    engine.place(ask_for("a", kind=OrderKind.MARKET, quantity="3"), 1)

    told = [one for one in engine.take_effects().events if isinstance(one, OrderEvent)]
    assert [(one.execution, one.order.status, one.order.filled) for one in told] == [
        (Execution.NEW, Status.NEW, D(0)),
        (Execution.TRADE, Status.PARTIALLY_FILLED, D(2)),
        (Execution.TRADE, Status.FILLED, D(3)),
    ]


prices = st.sampled_from([str(n) for n in range(95, 106)])
steps = st.one_of(
    st.tuples(
        st.just("place"),
        st.sampled_from(list(Side)),
        st.sampled_from(list(OrderKind)),
        st.sampled_from(list(TimeInForce)),
        prices,
        st.sampled_from(["0.5", "1", "3"]),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.just("quote"), st.integers(92, 108)),
    st.tuples(st.just("print"), st.sampled_from(list(Side)), prices),
)


@pytest.mark.slow
@settings(max_examples=1_200 if os.environ.get("WATCHKEEPER_STRESS") else 120, deadline=None)
@given(st.lists(steps, max_size=25), st.booleans(), st.sampled_from([RICH, POOR]))
def test_whatever_happens_the_balances_equal_the_trades(
    story: list[Any], fees_in_bnb: bool, money: dict[str, Decimal]
) -> None:
    engine = make_engine(money, fees_in_bnb=fees_in_bnb)
    for number, step in enumerate(story):
        act(engine, number, step)
    expected = dict(money)
    for trade in engine.trades.all:
        expected["BTC"] += trade.side.sign * trade.quantity
        expected["USDT"] -= trade.side.sign * trade.quote
        expected[trade.fee_asset] -= trade.fee

    assert wealth(engine) == expected
    assert all(one.free >= 0 for one in engine.account.balances.values())
    assert not any(one.kind is OrderKind.MARKET for one in engine.orders.open())
    assert locks(engine) == {
        "USDT": sum((o.price * o.left for o in engine.orders.open() if o.side is Side.BUY), D(0)),
        "BTC": sum((o.left for o in engine.orders.open() if o.side is Side.SELL), D(0)),
    }


def locks(engine: Engine) -> dict[str, Decimal]:
    return {asset: engine.account.balances[asset].locked for asset in ("USDT", "BTC")}


def act(engine: Engine, number: int, step: Any) -> None:
    try:
        match step:
            case ("place", side, kind, tif, price, quantity):
                engine.place(
                    ask_for(
                        f"o{number}",
                        side=side,
                        kind=kind,
                        time_in_force=tif if kind is OrderKind.LIMIT else TimeInForce.GTC,
                        price=price,
                        quantity=quantity,
                    ),
                    number,
                )
            case ("cancel", which) if which in engine.orders.by_id:
                engine.cancel(BTC, engine.orders.by_id[which], "c", number)
            case ("quote", mid):
                engine.quote(BTC, {D(mid - 1): D(2)}, {D(mid + 1): D(2)}, number)
            case ("print", side, price):
                engine.print(BTC, side, D(price), D(1), number)
    except Refused:
        pass
