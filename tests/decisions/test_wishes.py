from decimal import Decimal
from typing import Any

import msgspec
import pytest

from decisions.managed_orders import ManagedOrders
from decisions.order_keys import order_key
from decisions.wishes import Desk, Moment, NotADecision
from messages.errors import BadDecision
from messages.ids import AccountId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.order_changes import Cancel, Replace
from messages.orders import OrderIntent
from messages.values import (
    Instrument,
    OrderState,
    OrderType,
    Protection,
    Side,
    Target,
    TimeInForce,
)
from strategies.protocol import market_order
from tests.decisions.orders_only import orders

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
AT = TimestampNs(1_700_000_000_000_000_000)
GRID = Instrument(
    symbol=BTC,
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.002"),
    min_notional=Decimal(5),
)
PRICES = {BTC: Decimal(100), ETH: Decimal(10)}


class Wish(msgspec.Struct, kw_only=True):
    side: Any = Side.BUY
    order_type: Any = OrderType.MARKET
    time_in_force: Any = TimeInForce.GTC
    quantity: Any = Decimal(1)
    limit_price: Any = None
    reason: Any = "because"
    symbol: Symbol | None = None


DESK = Desk(AccountId("main"), StrategyId("one"), (BTC, ETH), lambda _: GRID)


def intents(given: Any, held: dict[Symbol, Decimal] | None = None) -> list[OrderIntent]:
    moment = Moment(BTC, AT, PRICES, "on_candle")
    return orders(DESK.intents(given, moment, TimestampNs(7), {} if held is None else held, {}))


# ------------------------------------------------------------------ keys


def test_a_target_and_the_decision_that_leads_there_have_the_same_key() -> None:
    (by_target,) = intents(Target(Decimal(1), "because"))
    (by_decision,) = intents((Wish(),))

    assert by_target == by_decision
    assert by_target.order_key == order_key(DESK.account, DESK.strategy_id, BTC, AT, 0)


def test_targets_of_one_moment_follow_each_other_and_one_that_is_reached_takes_no_key() -> None:
    given = [Target(Decimal(1)), Target(Decimal(1)), Target(Decimal(-1))]

    first, last = intents(given)

    assert (first.side, first.quantity) == (Side.BUY, Decimal(1))
    assert (last.side, last.quantity) == (Side.SELL, Decimal(2))
    assert last.order_key == order_key(DESK.account, DESK.strategy_id, BTC, AT, 1)


def test_a_decision_may_name_another_symbol_and_is_numbered_and_priced_there() -> None:
    on_btc, on_eth = intents((Wish(), Wish(symbol=ETH)))

    assert (on_eth.symbol, on_eth.reference_price) == (ETH, Decimal(10))
    assert on_btc.symbol == BTC
    assert on_eth.order_key == order_key(DESK.account, DESK.strategy_id, ETH, AT, 0)


# ------------------------------------------------------------------ nonsense


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((Wish(quantity=Decimal("NaN")),), "the quantity Decimal('NaN'), expected a Decimal above"),
        ((Wish(quantity=Decimal("sNaN")),), "the quantity Decimal('sNaN')"),
        ((Wish(quantity=Decimal("Infinity")),), "the quantity Decimal('Infinity')"),
        ((Wish(quantity=Decimal(-1)),), "the quantity Decimal('-1'), expected a Decimal above 0"),
        ((Wish(quantity=1.5),), "the quantity 1.5"),
        ((Wish(quantity=None),), "the quantity None"),
        ((Wish(limit_price=Decimal("NaN")),), "the limit price Decimal('NaN')"),
        ((Wish(limit_price=Decimal(0)),), "the limit price Decimal('0')"),
        ((Wish(side="up"),), "the side 'up', expected a Side"),
        ((Wish(order_type="market!"),), "the order_type 'market!'"),
        ((Wish(reason=7),), "the reason 7, expected a str"),
        ((Wish(reason="\ud83d"),), "a decision with the reason '\\ud83d', which UTF-8 cannot"),
        (
            Target(Decimal(1), "\ud83d"),
            "a Target with the reason '\\ud83d', which UTF-8 cannot hold",
        ),
        (Target(Decimal(1), reason=7), "a Target with the reason 7, expected a str"),  # type: ignore[arg-type]  # what a user may write
        ((Wish(symbol=Symbol("DOGE/USDT")),), "DOGE/USDT is not one of this strategy's symbols"),
        ((Target(Decimal(1), symbol=Symbol("X")),), "X is not one of"),
        ("buy", "gave 'buy', expected decisions"),
        (42, "gave 42, expected decisions"),
        (1.5, "expected decisions: a tuple or list of them, or a single Decision or Target; None"),
        (Target, "gave the class Target, expected what it makes: Target(...)"),
        ((Target,), "gave the class Target, expected what it makes: Target(...)"),
        (Wish, "gave the class Wish, expected what it makes: Wish(...)"),
        (
            Target(notional=100),  # type: ignore[arg-type]  # what a user may write
            "a Target of 100 is nothing to hold; it needs a finite Decimal: write Decimal(100)",
        ),
        (Target(1.5), 'it needs a finite Decimal: write Decimal("1.5")'),  # type: ignore[arg-type]  # what a user may write
        (Target("1"), "a Target of '1' is nothing to hold; it needs a finite Decimal"),  # type: ignore[arg-type]  # what a user may write
        (iter(()), "expected decisions: a tuple or list"),
        ({"side": "buy"}, "gave {'side': 'buy'}, expected decisions"),
    ],
)
def test_nonsense_is_a_bad_decision_that_says_what_it_is(given: Any, says: str) -> None:
    with pytest.raises(BadDecision) as caught:
        intents(given)

    assert says in str(caught.value)
    assert caught.value.handler == "on_candle"


class Text(str):  # noqa: SLOT000 - nor has numpy's
    """As numpy's is: it passes for one."""


class Number(Decimal):
    """Of the strategy's own."""


def test_what_passes_for_a_text_or_a_number_becomes_one() -> None:
    """Neither metrics nor the journal could write it down: a run with one ended at once."""
    wish = Wish(
        order_type=OrderType.LIMIT,
        quantity=Number("1.5"),
        limit_price=Number(90),
        reason=Text("because"),
        symbol=Symbol(Text(BTC)),
    )
    target = Target(Number(2), Text("more"), symbol=Symbol(Text(BTC)))

    found = intents((wish, target))

    assert [one.reason for one in found] == ["because", "more"]
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[OrderIntent]) == found


def test_only_a_reason_of_plain_letters_takes_the_short_way_on_which_nothing_is_checked() -> None:
    def plain(reason: str) -> object:
        wish = market_order(Side.BUY, Decimal(1), reason)
        return DESK.plain(wish, AT, AT, PRICES[BTC], Decimal(0))

    assert plain("up") is not None
    assert plain("\ud83d") is plain("Grüße") is None
    assert intents((Wish(reason="Grüße"),))[0].reason == "Grüße"


def test_an_object_that_is_no_decision_is_named() -> None:
    with pytest.raises(NotADecision, match="expected a Decision or a Target"):
        intents((Wish(), object()))


def test_one_decision_need_not_stand_in_a_tuple() -> None:
    assert intents(Wish()) == intents((Wish(),)) == intents([Wish()])


def test_a_symbol_of_which_no_price_was_seen_cannot_be_traded_yet() -> None:
    moment = Moment(BTC, AT, {BTC: Decimal(1)}, "on_candle")

    assert DESK.intents(Target(Decimal(0), symbol=ETH), moment, AT, {}, {}) == []
    with pytest.raises(BadDecision, match="no price of ETH/USDT has been seen yet"):
        DESK.intents(Wish(symbol=ETH), moment, AT, {}, {})


# ------------------------------------------------------------------ stops and exits

STOPPING = Desk(AccountId("main"), StrategyId("one"), (BTC, ETH), lambda _: GRID, uses_stops=True)


def stopping(given: Any, held: str = "0", desk: Desk = STOPPING) -> OrderIntent:
    moment = Moment(BTC, AT, PRICES, "on_candle")
    (intent,) = orders(desk.intents(given, moment, TimestampNs(7), {BTC: Decimal(held)}, {}))
    return intent


@pytest.mark.parametrize(
    ("target", "held", "leaves"),
    [("2", "0", "0"), ("2", "1", "0"), ("1", "3", "2"), ("-1", "3", "3"), ("1", "-3", "3")],
)
def test_an_intent_says_how_much_of_it_leaves(target: str, held: str, leaves: str) -> None:
    assert stopping(Target(Decimal(target)), held).leaves == Decimal(leaves)


def test_a_stop_goes_with_what_an_order_adds() -> None:
    asked: dict[str, Any] = {
        "stop_loss": Decimal(95),
        "take_profit": Decimal(110),
        "trailing": Decimal(3),
    }

    assert stopping(Target(Decimal(2), **asked)).protection == Protection(**asked)
    assert stopping(Target(Decimal(2), **asked), "-1").protection == Protection(**asked)
    only_leaves = Target(Decimal(2), trailing=Decimal(3))
    assert stopping(only_leaves, "5", STOPPING).protection is None
    assert stopping(Target(Decimal(2))).protection is None


@pytest.mark.parametrize(
    ("side", "asked", "says"),
    [
        (1, {"stop_loss": "100"}, "must be below"),
        (1, {"take_profit": "99"}, "must be above"),
        (1, {"trailing": "100"}, "it would never act"),
        (-1, {"stop_loss": "99"}, "must be above"),
        (-1, {"take_profit": "100"}, "must be below"),
        (1, {"stop_loss": "NaN"}, "expected a Decimal above 0"),
        (1, {"trailing": "-1"}, "expected a Decimal above 0"),
    ],
)
def test_a_stop_on_the_wrong_side_is_a_bad_decision(
    side: int, asked: dict[str, str], says: str
) -> None:
    prices: dict[str, Any] = {name: Decimal(price) for name, price in asked.items()}
    with pytest.raises(BadDecision, match=says):
        stopping(Target(Decimal(2 * side), **prices))


def test_a_stop_that_is_no_decimal_is_a_bad_decision() -> None:
    wrong: Any = 95.0
    with pytest.raises(BadDecision, match=r"a stop_loss of 95\.0"):
        stopping(Target(Decimal(2), stop_loss=wrong))


def test_who_attaches_a_stop_must_say_so_in_the_class() -> None:
    with pytest.raises(BadDecision, match="uses_stops = True"):
        stopping(Target(Decimal(2), stop_loss=Decimal(95)), desk=DESK)


# ------------------------------------------------------------------ what a strategy has open


def wished(change: Any, state: OrderState) -> list[Any]:
    """What comes of a wish about the one order that is there, in that state."""
    managed = ManagedOrders()
    (bid,) = intents(Wish(limit_price=Decimal(90), order_type=OrderType.LIMIT))
    managed.decided([bid])
    (told,) = managed.open.values()
    managed.updated(msgspec.structs.replace(told, state=state))
    desk = msgspec.structs.replace(DESK, open_orders=managed.open, replaced=set())
    moment = Moment(BTC, AT, PRICES, "on_candle")
    return desk.intents(change(bid.order_key), moment, TimestampNs(7), {BTC: Decimal(1)}, {})


@pytest.mark.parametrize(
    ("state", "is_replaced", "is_ended"),
    [
        (OrderState.CLAIMED, False, True),
        (OrderState.UNKNOWN, True, True),
        (OrderState.ACCEPTED, True, True),
        (OrderState.FILLED, False, False),
    ],
)
def test_an_order_is_replaced_once_something_was_heard_of_it_and_ended_whenever(
    state: OrderState, is_replaced: bool, is_ended: bool
) -> None:
    def replace(key: OrderKey) -> Replace:
        return Replace(order=key, limit_price=Decimal(91), reason="it moved")

    assert len(wished(replace, state)) == is_replaced
    assert len(wished(lambda key: Cancel(order=key, reason="it left"), state)) == is_ended


def test_what_takes_the_place_of_an_exit_is_for_all_that_was_decided() -> None:
    """Also where fees had left less of it to send: they have left as much less of the second."""
    managed, held = ManagedOrders(), {BTC: Decimal(2)}
    (ask,) = intents(
        Wish(side=Side.SELL, limit_price=Decimal(110), order_type=OrderType.LIMIT), held
    )
    managed.decided([ask])
    (told,) = managed.open.values()
    some = Decimal("0.01")
    managed.updated(
        msgspec.structs.replace(
            told,
            state=OrderState.ACCEPTED,
            quantity=ask.quantity - some,
            taken_by_fees=some,
        )
    )
    desk = msgspec.structs.replace(DESK, open_orders=managed.open, replaced=set())
    wish = Replace(order=ask.order_key, limit_price=Decimal(109), reason="it moved")
    positions = {BTC: held[BTC] - ask.quantity}

    (second,) = orders(
        desk.intents(wish, Moment(BTC, AT, PRICES, "on_candle"), TimestampNs(7), positions, {})
    )

    assert (second.quantity, second.leaves) == (ask.quantity, ask.quantity)
    assert positions == {BTC: held[BTC] - ask.quantity}
