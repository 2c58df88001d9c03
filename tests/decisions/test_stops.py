"""When a stop acts and what could be had then: the worse, where a candle leaves it open."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from decisions.stops import begun_anew, level, seen, stop_of
from messages.ids import NS_PER_S, TimestampNs
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.stops import Stop, StopState
from messages.values import OrderType, Protection, Side
from tests.decisions.risk_orders import BTC, intent

MINUTE = 60 * NS_PER_S


def stop(side: Any = Side.BUY, limit: Any = None, **prices: str) -> Stop:
    """Of an entry at 100, decided at the end of minute 0."""
    wanted = Protection(**{name: Decimal(price) for name, price in prices.items()})
    entry = msgspec.structs.replace(intent("2", side, "100", limit), protection=wanted)
    made = stop_of(entry)
    assert made is not None
    return made


def candle(minute: int, *prices: str, opened_s: int | None = None) -> Candle:
    """Of the minute that ends then: open, high, low, close."""
    first, high, low, last = map(Decimal, prices)
    opened_ns = (minute - 1) * MINUTE if opened_s is None else opened_s * NS_PER_S
    return Candle(
        symbol=BTC,
        ts_open_ns=TimestampNs(opened_ns),
        ts_event_ns=TimestampNs(minute * MINUTE),
        open=first,
        high=high,
        low=low,
        close=last,
        volume=Decimal(1),
    )


def book(second: int, bid: str, ask: str) -> Tick:
    at = TimestampNs(second * NS_PER_S)
    return Tick(
        symbol=BTC,
        bid_price=Decimal(bid),
        ask_price=Decimal(ask),
        ts_event_ns=at,
        ts_received_ns=at,
    )


def trade(second: int, price: str) -> Trade:
    at = TimestampNs(second * NS_PER_S)
    return Trade(
        symbol=BTC,
        price=Decimal(price),
        quantity=Decimal(1),
        aggressor_side=None,
        ts_event_ns=at,
    )


def acted(one: Stop, *events: MarketEvent, **more: Any) -> tuple[str, Decimal | None]:
    for event in events:
        assert one.state is StopState.ARMED
        one = seen(one, event, **more)
    return one.cause, one.acted_price


LONG = {"stop_loss": "95", "take_profit": "110"}
SHORT = {"stop_loss": "105", "take_profit": "90"}


@pytest.mark.parametrize(
    ("side", "prices", "bar", "cause", "price"),
    [
        (Side.BUY, LONG, ("100", "109", "96", "100"), "", None),
        (Side.BUY, LONG, ("100", "101", "95", "100"), "stop_loss", "95"),
        (Side.BUY, LONG, ("100", "110", "99", "100"), "take_profit", "110"),
        (Side.SELL, SHORT, ("100", "104", "91", "100"), "", None),
        (Side.SELL, SHORT, ("100", "105", "99", "100"), "stop_loss", "105"),
        (Side.SELL, SHORT, ("100", "101", "90", "100"), "take_profit", "90"),
    ],
)
def test_a_candle_that_reaches_a_price_acts_at_it(
    side: Side, prices: dict[str, str], bar: tuple[str, ...], cause: str, price: str | None
) -> None:
    expected = None if price is None else Decimal(price)
    assert acted(stop(side, **prices), candle(1, *bar)) == (cause, expected)


def test_a_candle_that_reaches_both_acts_as_the_stop() -> None:
    assert acted(stop(**LONG), candle(1, "100", "120", "94", "119")) == ("stop_loss", Decimal(95))


@pytest.mark.parametrize(
    ("side", "prices", "bar", "cause", "price"),
    [
        (Side.BUY, LONG, ("90", "99", "89", "98"), "stop_loss", "90"),
        (Side.BUY, LONG, ("112", "113", "111", "112"), "take_profit", "112"),
        (Side.SELL, SHORT, ("107", "108", "101", "102"), "stop_loss", "107"),
    ],
)
def test_after_a_gap_it_acts_at_the_open_and_not_at_its_own_price(
    side: Side, prices: dict[str, str], bar: tuple[str, ...], cause: str, price: str
) -> None:
    assert acted(stop(side, **prices), candle(1, *bar)) == (cause, Decimal(price))


def test_a_trailing_stop_hangs_from_the_best_price_before_the_candle() -> None:
    rising = candle(1, "100", "108", "99", "107")
    one = seen(stop(trailing="5"), rising)

    assert (one.best_price, level(one)) == (Decimal(108), (Decimal(103), "trailing"))
    assert acted(stop(trailing="5"), rising, candle(2, "107", "120", "103", "119")) == (
        "trailing",
        Decimal(103),
    )
    # Its own high of 120 would have put it at 115, and its low came first for all we know.
    assert acted(stop(trailing="5"), rising, candle(2, "107", "120", "104", "119"))[0] == ""


def test_of_a_fixed_and_a_trailing_stop_the_nearer_acts() -> None:
    both = stop(trailing="5", stop_loss="97")
    assert level(both) == (Decimal(97), "stop_loss")
    assert level(seen(both, trade(70, "104"))) == (Decimal(99), "trailing")
    short = stop(Side.SELL, trailing="5", stop_loss="102")
    assert level(short) == (Decimal(102), "stop_loss")
    assert level(seen(short, trade(70, "95"))) == (Decimal(100), "trailing")


def test_what_the_market_did_before_the_decision_is_not_looked_at() -> None:
    assert seen(stop(**LONG), candle(0, "1", "1", "1", "1")) == stop(**LONG)


def test_of_a_candle_that_began_before_only_the_close_counts() -> None:
    """Its low may be older than the entry, or than the high that a trailing stop hangs from."""
    one = msgspec.structs.replace(stop(**LONG), placed_at_ns=TimestampNs(30 * NS_PER_S))
    assert acted(one, candle(1, "100", "120", "90", "100"))[0] == ""
    assert acted(one, candle(1, "100", "120", "90", "94")) == ("stop_loss", Decimal(94))
    looked = seen(stop(trailing="5"), trade(50, "110"))
    assert acted(looked, candle(1, "100", "110", "90", "109"))[0] == ""


def test_an_older_event_than_the_last_is_passed_over() -> None:
    looked = seen(stop(trailing="5"), trade(70, "110"))
    assert seen(looked, trade(65, "1")) is looked


def test_the_candle_that_a_limit_entry_fills_in_counts_for_the_stop_alone() -> None:
    bar, filled = candle(1, "101", "115", "99", "100"), MINUTE
    limited = stop(limit="100", **LONG)
    assert acted(limited, bar, first_fill_ns=filled)[0] == ""
    assert acted(limited, bar, candle(2, "100", "115", "99", "100"), first_fill_ns=filled) == (
        "take_profit",
        Decimal(110),
    )
    assert acted(stop(**LONG), bar, first_fill_ns=filled)[0] == "take_profit"
    low = candle(1, "101", "115", "94", "100")
    assert acted(limited, low, first_fill_ns=filled)[0] == "stop_loss"


@pytest.mark.parametrize(
    ("side", "bar", "best", "best_of_market"),
    [
        (Side.BUY, ("110", "111", "99", "103"), "103", "111"),
        (Side.BUY, ("110", "111", "99", "99.5"), "100", "111"),
        (Side.SELL, ("90", "101", "89", "97"), "97", "89"),
    ],
)
def test_a_limit_entry_trails_from_no_price_that_may_be_older_than_its_fill(
    side: Side, bar: tuple[str, ...], best: str, best_of_market: str
) -> None:
    """Of the candle that filled it only the close is surely younger."""
    limited = stop(side, limit="100", trailing="8")

    looked = seen(limited, candle(1, *bar), first_fill_ns=MINUTE)

    assert looked.state is StopState.ARMED
    assert looked.best_price == Decimal(best)
    by_market = seen(stop(side, trailing="12"), candle(1, *bar), first_fill_ns=MINUTE)
    assert by_market.best_price == Decimal(best_of_market)


def test_what_was_before_the_first_fill_is_passed_over() -> None:
    limited = stop(limit="100", **LONG)
    assert seen(limited, candle(1, "101", "115", "101", "102"), first_fill_ns=2 * MINUTE) is limited


def test_of_a_book_the_side_that_an_exit_would_get_counts() -> None:
    assert acted(stop(**LONG), book(70, "95.1", "95.2"))[0] == ""
    assert acted(stop(**LONG), book(70, "94", "96")) == ("stop_loss", Decimal(94))
    assert acted(stop(Side.SELL, **SHORT), book(70, "103", "106")) == ("stop_loss", Decimal(106))


def test_only_what_acts_inside_a_candle_is_said_to() -> None:
    assert seen(stop(**LONG), candle(1, "100", "101", "90", "91")).is_inside
    assert not seen(stop(**LONG), trade(70, "90")).is_inside


def test_a_price_that_makes_no_sense_moves_nothing() -> None:
    assert seen(stop(**LONG), trade(70, "0")) == stop(**LONG)


def test_an_order_that_adds_nothing_brings_no_stop() -> None:
    wanted = Protection(stop_loss=Decimal(95))
    leaving = msgspec.structs.replace(intent("2"), protection=wanted, leaves=Decimal(2))
    turning = msgspec.structs.replace(leaving, leaves=Decimal(1))

    assert stop_of(intent("2")) is None
    assert stop_of(leaving) is None
    assert stop_of(turning) is not None


def test_a_limit_entry_trails_from_its_limit() -> None:
    assert stop(limit="98", trailing="5").best_price == 98
    assert stop(limit="98", trailing="5").is_limit
    assert intent("2", limit_price="98").order_type is OrderType.LIMIT


def test_a_market_that_is_shown_again_finds_it_as_it_was_placed() -> None:
    looked = seen(stop(trailing="5"), trade(70, "110"))
    assert begun_anew(looked) == stop(trailing="5")


def test_a_candle_that_is_shown_twice_is_looked_at_once() -> None:
    """Its own high would move the stop above its close."""
    bar = candle(1, "100", "120", "99", "112")
    once = seen(stop(trailing="7"), bar)

    assert once.best_price == 120
    assert seen(once, bar) is once
