"""Each limit of the gate that is not about size: what it counts, and what it says."""

from copy import deepcopy
from decimal import Decimal

import pytest

from decisions.risk import (
    RiskLimits,
    RiskState,
    accept,
    recall,
    refusal,
    saw_fill,
    saw_market,
)
from messages.ids import Symbol, TimestampNs
from messages.values import Side
from tests.decisions.risk_orders import (
    BTC,
    BUY,
    DAY_S,
    ETH,
    FREE,
    SELL,
    at,
    canceled,
    code,
    fill,
    filled_by,
    holding,
    intent,
    only,
    opened,
    text,
)

COLLAR = RiskLimits(price_collar_bps=Decimal(100))
FRESH = RiskLimits(max_market_age_ms=1_000)
EXIT = intent("1", SELL)


# ---------------------------------------------------------------- the collar


@pytest.mark.parametrize("price", ["99", "101"])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_limit_on_the_edge_of_the_collar_passes(side: Side, price: str) -> None:
    assert code(intent("1", side, limit_price=price), COLLAR, mark="100") is None


@pytest.mark.parametrize("price", ["98.99", "101.01"])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_limit_off_the_collar_is_refused_on_either_side(side: Side, price: str) -> None:
    order = intent("1", side, limit_price=price)

    assert code(order, COLLAR, mark="100") == "price_collar_bps"
    assert text(order, COLLAR, mark="100") == (
        f"{price} is 101.0 bps from the last price 100; 100 are allowed"
    )


def test_a_market_order_that_was_decided_at_another_price_than_the_last_is_refused() -> None:
    assert code(intent(price="102"), COLLAR, mark="100") == "price_collar_bps"
    assert code(intent(price="101"), COLLAR, mark="100") is None


def test_a_limit_order_is_held_to_its_limit_and_not_to_what_it_was_decided_at() -> None:
    assert code(intent(price="150", limit_price="100"), COLLAR, mark="100") is None


def test_without_a_mark_the_price_decided_at_stands_in_for_it() -> None:
    assert code(intent(price="100"), COLLAR) is None
    assert code(intent(price="100", limit_price="102"), COLLAR) == "price_collar_bps"


def test_an_exit_at_the_market_passes_the_collar_and_one_with_a_wild_limit_does_not() -> None:
    state = holding("1")

    assert code(intent("1", SELL, price="50"), COLLAR, state, mark="100") is None
    assert code(intent("1", SELL, limit_price="50"), COLLAR, state, mark="100") is not None


@pytest.mark.parametrize("mark", ["NaN", "sNaN", "Infinity", "0", "-1"])
def test_a_mark_that_makes_no_sense_stops_new_risk_and_holds_no_exit_back(mark: str) -> None:
    assert code(intent(), FREE, mark=mark) == "invalid_price"
    assert code(EXIT, COLLAR, holding("1"), mark=mark) is None
    assert code(intent("1", SELL, limit_price="99"), COLLAR, holding("1"), mark=mark) is None


# ---------------------------------------------------------------- the age of the market


def seen(second: float, now: float | None = None) -> RiskState:
    state = RiskState(now_ns=None if now is None else at(now), open_orders={})
    saw_market(BTC, Decimal(100), at(second), state)
    return state


def test_a_market_of_just_the_allowed_age_is_traded_on_and_an_older_one_is_not() -> None:
    assert code(intent(), FRESH, seen(10, now=11)) is None

    state = seen(10, now=11)
    state.now_ns = TimestampNs(state.now_ns + 1) if state.now_ns else None
    assert code(intent(), FRESH, state) == "max_market_age_ms"


def test_the_age_is_said_in_milliseconds() -> None:
    assert text(intent(), FRESH, seen(10, now=13.5)) == (
        "the last event of BTC/USDT is 3500 ms old; 1000 are allowed"
    )


def test_a_market_that_was_never_seen_is_not_traded_on() -> None:
    state = seen(0, now=0)

    assert (
        text(intent(symbol=ETH), FRESH, state) == "nothing was seen of the market of ETH/USDT yet"
    )


def test_an_event_from_the_future_does_not_make_a_market_fresh() -> None:
    assert text(intent(), FRESH, seen(20, now=10)) == (
        "the last event of BTC/USDT is 10000 ms ahead of the clock; 1000 are allowed"
    )


def test_a_price_that_makes_no_sense_does_not_make_a_market_fresh() -> None:
    state = seen(10, now=20)
    saw_market(BTC, Decimal("NaN"), at(20), state)

    assert code(intent(), FRESH, state) == "max_market_age_ms"


def test_without_a_clock_of_the_executor_the_decision_is_the_clock() -> None:
    assert code(intent(second=10.5), FRESH, seen(10)) is None
    assert code(intent(second=12), FRESH, seen(10)) == "max_market_age_ms"


# ---------------------------------------------------------------- open orders


def test_open_orders_are_counted_on_the_symbol_and_over_all() -> None:
    limits = RiskLimits(max_open_orders=3, max_open_orders_per_symbol=2)
    first, second = intent(key="1"), intent(key="2")
    state = opened(first, second)

    assert text(intent(key="3"), limits, state) == "2 orders are open on BTC/USDT; 2 are allowed"
    assert code(intent(key="3", symbol=ETH), limits, state) is None

    accept(intent(key="3", symbol=ETH), state)
    assert text(intent(key="4", symbol=ETH), limits, state) == "3 orders are open; 3 are allowed"


def test_an_order_that_filled_or_ended_makes_room_and_one_that_filled_in_part_does_not() -> None:
    limits = RiskLimits(max_open_orders=2)
    first, second = intent("2", key="1"), intent("2", key="2")
    state = opened(first, second)

    filled_by(first, "1", state)
    assert code(intent(key="3"), limits, state) == "max_open_orders"

    filled_by(first, "2", state)
    assert code(intent(key="3"), limits, state) is None

    accept(intent(key="3"), state)
    canceled(second, state)
    assert code(intent(key="4"), limits, state) is None


def test_an_end_that_is_told_twice_makes_room_once() -> None:
    limits = RiskLimits(max_open_orders=2)
    orders = [intent(key=key) for key in "12"]
    state = opened(*orders)

    for _ in range(2):
        filled_by(orders[0], "1", state)

    accept(intent(key="3"), state)
    assert code(intent(key="4"), limits, state) == "max_open_orders"


@pytest.mark.parametrize("name", ["max_open_orders", "max_open_orders_per_symbol"])
def test_a_limit_on_open_orders_refuses_all_new_risk_while_nobody_counts_them(name: str) -> None:
    limits = only(name, 5)

    assert code(intent(), limits, RiskState()) == "max_open_orders"
    assert code(EXIT, limits, RiskState(exposure={BTC: Decimal(1)})) is None


# ---------------------------------------------------------------- what may yet be held


def test_two_orders_that_cancel_each_other_out_are_not_counted_on_to_both_fill() -> None:
    limits = RiskLimits(max_position_notional=Decimal(1000))
    buy, sell = intent("10", key="1"), intent("10", SELL, key="2")
    state = opened(buy)
    assert code(sell, limits, state) is None
    accept(sell, state)

    assert code(intent("10", key="3"), limits, state) == "max_position_notional"
    assert code(intent("10", SELL, key="3"), limits, state) == "max_position_notional"


def test_what_an_open_buy_will_hold_may_be_sold_however_the_price_has_moved() -> None:
    limits = RiskLimits(max_position_notional=Decimal(1000))
    state = opened(intent("10"))

    assert code(intent("10", SELL, price="130"), limits, state, mark="130") is None


def test_a_short_is_not_enlarged_over_the_limit_on_the_word_of_an_open_buy() -> None:
    limits = RiskLimits(max_position_notional=Decimal(1000))
    state = holding("-10")
    accept(intent("20", BUY, key="1"), state)

    assert code(intent("10", SELL, key="2"), limits, state) == "max_position_notional"


# ---------------------------------------------------------------- rate and cooldown


def test_exits_use_up_the_order_rate_and_are_not_held_back_by_it() -> None:
    limits = RiskLimits(max_orders_per_minute=2)
    state = holding("5")
    for _ in range(2):
        accept(EXIT, state)

    assert code(EXIT, limits, state) is None
    assert code(intent(), limits, state) == "max_orders_per_minute"


def test_between_two_orders_that_add_risk_the_cooldown_must_pass() -> None:
    limits = RiskLimits(cooldown_ms=5_000)
    state = opened(intent(second=10))

    assert text(intent(second=14), limits, state) == (
        "4000 ms after the last order that added risk on BTC/USDT; 5000 must pass"
    )
    assert code(intent(second=15), limits, state) is None
    assert code(intent(second=11, symbol=ETH), limits, state) is None


def test_an_exit_neither_waits_for_the_cooldown_nor_begins_one() -> None:
    limits = RiskLimits(cooldown_ms=5_000)
    state = opened(intent("3", second=10))

    exit_order = intent("1", SELL, second=14)
    assert code(exit_order, limits, state) is None
    accept(exit_order, state)
    assert code(intent(second=15), limits, state) is None


def test_an_order_that_turns_around_begins_a_cooldown() -> None:
    limits = RiskLimits(cooldown_ms=5_000)
    state = holding("1")
    accept(intent("2", SELL, second=10), state)

    assert code(intent("1", SELL, second=14), limits, state) == "cooldown_ms"


def test_rate_and_cooldown_come_back_from_the_ledger() -> None:
    limits = RiskLimits(max_orders_per_minute=2, cooldown_ms=90_000)
    state = RiskState()

    recall(BTC, [at(s) for s in (100, 55, 20, 30, 40)], at(100), state, shown_again=True)

    assert list(state.decided[BTC]) == [at(55)]
    assert state.risk_added_at[BTC] == at(55)
    assert code(intent(second=100), limits, state) == "cooldown_ms"


def test_where_the_market_is_not_shown_again_those_of_the_same_moment_and_later_do_too() -> None:
    """Another strategy may have decided on the same candle, and one that is behind decides late."""
    state = RiskState()

    recall(BTC, [at(s) for s in (100, 55, 20, 110)], at(100), state)

    assert list(state.decided[BTC]) == [at(55), at(100), at(110)]
    assert state.risk_added_at[BTC] == at(110)


def test_a_symbol_that_the_ledger_does_not_know_has_neither() -> None:
    state = RiskState()

    recall(BTC, [], at(100), state)

    assert code(intent(), RiskLimits(cooldown_ms=90_000), state) is None


# ---------------------------------------------------------------- losses


def lost(amount: int) -> RiskState:
    """Bought one at 1000 early in day 1, and it is worth less now."""
    state = holding("1")
    saw_fill(BTC, BUY, fill("1", "1000", DAY_S), state)
    saw_market(BTC, Decimal(1000 - amount), at(DAY_S + 1), state)
    return state


@pytest.mark.parametrize("name", ["max_daily_loss", "max_drawdown"])
def test_a_loss_that_reaches_its_limit_stops_new_risk_in_its_currency_only(name: str) -> None:
    limits = only(name, {"USDT": Decimal(50), "EUR": Decimal(50)})
    order = intent(second=DAY_S + 2)

    assert code(order, limits, lost(49)) is None
    assert code(order, limits, lost(50)) == name
    assert code(intent(second=DAY_S + 2, symbol=ETH), limits, lost(50)) == name
    assert code(intent(second=DAY_S + 2, symbol=Symbol("BTC/EUR")), limits, lost(50)) is None


def test_the_sentences_say_how_much_was_lost_and_until_when_it_counts() -> None:
    order = intent(second=DAY_S + 2)

    assert text(order, RiskLimits(max_daily_loss={"USDT": Decimal(50)}), lost(60)) == (
        "60 USDT lost since 00:00 UTC; 50 are allowed, until the day ends"
    )
    assert text(order, RiskLimits(max_drawdown={"USDT": Decimal(50)}), lost(60)) == (
        "down 60 USDT from a peak; 50 are allowed, until a person resumes"
    )


# ---------------------------------------------------------------- the way out


TIGHT = RiskLimits(
    max_order_notional=Decimal(1),
    max_position_notional=Decimal(1),
    max_open_orders=0,
    max_open_orders_per_symbol=0,
    max_orders_per_minute=0,
    price_collar_bps=Decimal(0),
    max_daily_loss={"USDT": Decimal(0)},
    max_drawdown={"USDT": Decimal(0)},
    max_market_age_ms=0,
    cooldown_ms=1_000_000,
)


@pytest.mark.parametrize("held", ["50", "-50"])
def test_nothing_holds_an_exit_back(held: str) -> None:
    state = holding(held)
    state.unsettled = {BTC}
    state.now_ns = at(1_000)
    state.risk_added_at[BTC] = at(0)
    way_out = SELL if Decimal(held) > 0 else BUY

    assert code(intent("50", way_out), TIGHT, state, mark="1") is None
    assert code(intent("50", way_out, limit_price="1"), TIGHT, state, mark="1") is None
    assert code(intent("51", way_out), TIGHT, state, mark="1") is not None


@pytest.mark.parametrize("quantity", ["NaN", "0", "1E+16"])
def test_an_exit_that_is_unusable_is_refused(quantity: str) -> None:
    assert code(intent(quantity, SELL), FREE, holding("50")) == "invalid_quantity"


def test_a_refusal_changes_nothing() -> None:
    state = opened(intent("3", key="1"), state=lost(60))
    before = deepcopy(state)

    for order in (intent("9", key="2"), intent("NaN"), intent("9", SELL), intent(symbol=ETH)):
        assert refusal(order, TIGHT, state, Decimal(100)) is not None

    assert state == before


# ---------------------------------------------------------------- limits that are none


@pytest.mark.parametrize(
    "name", ["max_order_notional", "max_position_notional", "price_collar_bps"]
)
@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-1"])
def test_a_limit_that_would_hold_nothing_back_is_no_limit(name: str, number: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: .* is no limit"):
        only(name, Decimal(number))


@pytest.mark.parametrize("name", ["max_daily_loss", "max_drawdown"])
def test_a_loss_limit_that_is_no_number_is_no_limit(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: NaN is no limit"):
        only(name, {"USDT": Decimal("NaN")})
