"""The stream says when a bar is over, REST says what it was: each once, in order, exact."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.candle_builder import Bar, CandleBuilder
from exchanges.source import GapSpan
from exchanges.trade_bars import TradeBars
from messages.ids import NS_PER_S, Symbol, TimestampNs
from messages.market import Candle, Trade

BTC = Symbol("BTC/USDT")
MINUTE_NS = 60 * NS_PER_S
DAY_NS = 24 * 60 * MINUTE_NS
GRACE_NS = 2 * NS_PER_S
NEVER = 0
"""A clock by which no bar is ever over."""


def bar(number: int, volume: str = "10", close: str = "105", **changes: str) -> Bar:
    prices = {"open": "100", "high": "110", "low": "90"} | changes
    return Bar(
        open_ns=number * MINUTE_NS,
        close=Decimal(close),
        volume=Decimal(volume),
        **{name: Decimal(text) for name, text in prices.items()},
    )


def builder(next_bar: int | None = 1) -> CandleBuilder:
    return CandleBuilder(
        BTC, MINUTE_NS, GRACE_NS, None if next_bar is None else next_bar * MINUTE_NS
    )


def numbers(candles: Sequence[Candle]) -> list[int]:
    return [candle.ts_open_ns // MINUTE_NS for candle in candles]


# ------------------------------------------------------------------ when a bar is over


def test_a_bar_is_over_when_a_later_one_begins() -> None:
    made = builder()

    made.stream(bar(1))
    assert not made.is_due(NEVER)
    made.stream(bar(2))

    assert made.is_due(NEVER)
    assert numbers(made.settle([bar(1), bar(2)], NEVER)) == [1]


def test_a_stream_goes_back_where_it_is_more_than_a_late_word_behind_what_was_given() -> None:
    """As one of an exchange whose market began anew: it lives, and tells nothing new."""
    made = builder(next_bar=4)
    back = [made.has_gone_back]  # nothing was told yet
    for number in (3, 2, 1, 4):  # the newest again, a late word, an old one, a new one
        made.stream(bar(number))
        back.append(made.has_gone_back)
    made.begun(1 * MINUTE_NS)  # a trade
    back.append(made.has_gone_back)
    made.interrupted()  # what the next connection tells is not known yet
    back.append(made.has_gone_back)

    assert back == [False, False, False, True, False, True, False]


def test_a_bar_is_over_a_grace_after_its_end_by_the_exchanges_clock() -> None:
    made = builder()

    assert not made.is_due(2 * MINUTE_NS + GRACE_NS - 1)
    assert made.settle([bar(1)], 2 * MINUTE_NS + GRACE_NS - 1) == []

    assert made.is_due(2 * MINUTE_NS + GRACE_NS)
    assert numbers(made.settle([bar(1)], 2 * MINUTE_NS + GRACE_NS)) == [1]


def test_a_trade_of_a_later_bar_ends_the_bars_before_it() -> None:
    made = builder()

    made.begun(2 * MINUTE_NS + 1)

    assert made.is_due(NEVER)


def test_a_candle_is_known_from_its_close_on() -> None:
    candle = builder().settle([bar(1), bar(2)], NEVER)[0]

    assert (candle.ts_open_ns, candle.ts_event_ns) == (MINUTE_NS, 2 * MINUTE_NS)


# ------------------------------------------------------------------ what it was


def test_rest_says_what_a_bar_was() -> None:
    made = builder()
    made.stream(bar(1, "9", close="104"))
    made.stream(bar(2))

    (candle,) = made.settle([bar(1, "10", close="105"), bar(2)], NEVER)

    assert (candle.volume, candle.close) == (Decimal(10), Decimal(105))


def test_while_rest_is_behind_the_stream_the_bar_waits() -> None:
    made = builder()
    made.stream(bar(1, "10"))
    made.stream(bar(2))

    assert made.settle([bar(1, "9"), bar(2)], NEVER) == []
    assert numbers(made.settle([bar(1, "10"), bar(2)], NEVER)) == [1]


def test_the_last_bar_of_an_answer_waits_though_the_stream_has_seen_a_later_one() -> None:
    made = builder()
    made.stream(bar(2))

    assert made.settle([bar(1, "3")], NEVER) == []
    assert numbers(made.settle([bar(1, "10"), bar(2)], NEVER)) == [1]


def test_a_volume_that_went_through_a_float_is_not_taken_for_news() -> None:
    made = builder()
    made.stream(bar(1, "0.30000000000000004"))
    made.stream(bar(2))

    assert numbers(made.settle([bar(1, "0.3"), bar(2)], NEVER)) == [1]


def test_an_exchange_whose_volumes_differ_costs_patience_once_only() -> None:
    made = builder()
    for number in (1, 2, 3):
        made.stream(bar(number, "10"))

    assert made.settle([bar(1, "9"), bar(2, "9"), bar(3)], NEVER) == []
    assert numbers(made.settle([bar(1, "9"), bar(2, "9"), bar(3)], NEVER, patient=False)) == [1, 2]
    made.stream(bar(4))
    assert numbers(made.settle([bar(3, "9"), bar(4)], NEVER)) == [3]


def test_an_answer_is_as_old_as_its_question() -> None:
    made = builder()
    made.stream(bar(1, "3"))
    begun_ns = made.newest_ns
    made.stream(bar(2))

    assert made.settle([bar(1, "3")], NEVER, begun_ns=begun_ns, patient=False) == []
    assert numbers(made.settle([bar(1, "10"), bar(2)], NEVER)) == [1]


def test_an_answer_that_ends_before_the_stream_does_is_not_right_however_long_it_stays_so() -> None:
    made = builder()
    made.stream(bar(1, "10", close="105"))
    made.stream(bar(2))

    assert made.settle([bar(1, "7", close="95")], 10 * MINUTE_NS, patient=False) == []
    assert made.holds_back
    (candle,) = made.release(NEVER)
    assert (candle.volume, candle.close) == (Decimal(10), Decimal(105))


def test_where_nobody_has_seen_a_bar_none_is_held_back() -> None:
    made = builder()
    made.stream(bar(4))

    assert made.settle([bar(4)], NEVER) == []
    assert not made.holds_back
    made.stream(bar(5))
    assert made.settle([bar(4)], NEVER) == []
    assert made.holds_back


def test_what_rest_leaves_out_is_a_gap_and_the_bar_after_it_is_given() -> None:
    made = builder()

    candles = made.settle([bar(1), bar(4), bar(5)], NEVER)

    assert numbers(candles) == [1, 4]
    assert made.gaps == [GapSpan(2 * MINUTE_NS, 4 * MINUTE_NS, 2)]
    assert (made.stats.gaps, made.stats.missing) == (1, 2)


@pytest.mark.parametrize(
    "wrong", [bar(2, low="0"), bar(2, high="100"), bar(2, low="106"), bar(2, volume="-1")]
)
def test_a_bar_that_contradicts_itself_is_counted_and_never_given(wrong: Bar) -> None:
    made = builder()

    candles = made.settle([bar(1), wrong, bar(3), bar(4)], NEVER)

    assert numbers(candles) == [1, 3]
    assert (made.stats.malformed, made.stats.missing) == (1, 1)


def test_history_is_all_that_is_over() -> None:
    made = builder(next_bar=None)

    assert made.is_due(NEVER)
    assert numbers(made.settle([bar(7), bar(8), bar(9)], NEVER)) == [7, 8]
    assert made.settle([bar(7), bar(8), bar(9)], NEVER) == []


# ------------------------------------------------------------------ without REST


def test_without_rest_bars_are_given_as_the_stream_told_them() -> None:
    made = builder()
    for number in (1, 2, 3):
        made.stream(bar(number))

    assert numbers(made.release(NEVER)) == [1, 2]
    assert made.settle([bar(1), bar(2), bar(3)], NEVER) == []


def test_without_rest_nothing_is_given_over_a_gap_or_an_interruption() -> None:
    made = builder()
    made.stream(bar(2))
    made.stream(bar(3))
    assert made.release(NEVER) == []

    made.stream(bar(1, "3"))
    made.interrupted()
    assert made.release(NEVER) == []


# ------------------------------------------------------------------ is the stream behind?


def test_a_stream_is_behind_when_rest_has_a_newer_or_a_fuller_bar() -> None:
    made = builder()
    made.stream(bar(3, "10"))

    assert made.is_behind(bar(4))
    assert made.is_behind(bar(3, "11"))
    assert not made.is_behind(bar(3, "10"))
    assert not made.is_behind(bar(2))


def test_a_newer_bar_in_which_nothing_was_traded_is_no_news() -> None:
    """Kraken's REST shows one, and its stream tells nothing until there is a trade."""
    made = builder()
    made.stream(bar(3, "10"))

    assert not made.is_behind(bar(4, "0"))
    assert not made.is_behind(bar(5, "0.00000000"))
    assert made.is_behind(bar(4, "0.00000001"))


def test_what_rest_showed_when_the_stream_began_is_no_news() -> None:
    made = builder()
    made.assume_told(bar(3, "10"))

    assert not made.is_behind(bar(3, "10"))
    assert made.is_behind(bar(3, "11"))


# ------------------------------------------------------------------ any stream

volumes = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@st.composite
def markets(draw: st.DrawFn) -> list[Bar]:
    """Draw every state of some bars, in the order in which they were true."""
    states: list[Bar] = []
    for number, parts in enumerate(draw(st.lists(volumes, min_size=2, max_size=7)), 1):
        volume = 0
        for part in parts:
            volume += part
            close = Decimal(draw(st.integers(95, 105)))
            states.append(
                Bar(
                    number * MINUTE_NS,
                    Decimal(100),
                    Decimal(110),
                    Decimal(90),
                    close,
                    Decimal(volume),
                )
            )
    return states


def by_rest(states: Sequence[Bar]) -> list[Bar]:
    """Give what REST shows when these states have been true."""
    return list({state.open_ns: state for state in states}.values())


@pytest.mark.slow
@given(markets(), st.data())
def test_any_stream_and_one_backfill_give_the_bars_of_a_clean_one_each_once(
    states: list[Bar], data: st.DataObject
) -> None:
    expected = by_rest(states)[:-1]
    made, given_out, now = builder(), [], 0
    for _ in range(data.draw(st.integers(0, 30), "steps")):
        now = data.draw(st.integers(now, len(states)), "how far the market is")
        step = data.draw(st.sampled_from(["event", "event", "event", "ask", "interrupted"]))
        if step == "event" and now:  # any that was true: again, late, or never
            made.stream(states[data.draw(st.integers(0, now - 1))])
        elif step == "ask":
            behind = data.draw(st.integers(0, now), "how far REST is")
            given_out += made.settle(by_rest(states[:behind]), NEVER)
        elif step == "interrupted":
            made.interrupted()

    given_out += made.settle(by_rest(states), NEVER)

    assert [(c.ts_open_ns, c.close, c.volume) for c in given_out] == [
        (b.open_ns, b.close, b.volume) for b in expected
    ]
    assert made.gaps == []


# ------------------------------------------------------------------ bars of trades


def trade(at_ns: int, price: int, quantity: int = 1) -> Trade:
    return Trade(
        symbol=BTC,
        price=Decimal(price),
        quantity=Decimal(quantity),
        aggressor_side=None,
        ts_event_ns=TimestampNs(at_ns),
    )


trade_lists = st.lists(
    st.tuples(st.integers(MINUTE_NS, 6 * MINUTE_NS), st.integers(95, 105), st.integers(1, 5)),
    min_size=1,
    max_size=25,
)


@pytest.mark.slow
@given(trade_lists, st.data())
def test_trades_again_and_in_any_order_within_a_bar_make_the_same_bars(
    drawn: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    clean = [(str(n), trade(*values)) for n, values in enumerate(sorted(drawn))]
    expected: dict[int, Bar] = {}
    for _, one in clean:
        opened = one.ts_event_ns // MINUTE_NS * MINUTE_NS
        before = expected.get(opened)
        expected[opened] = Bar(
            opened,
            one.price if before is None else before.open,
            one.price if before is None else max(before.high, one.price),
            one.price if before is None else min(before.low, one.price),
            one.price,
            one.quantity + (before.volume if before else 0),
        )
    first, rest = clean[0], clean[1:]
    noisy = data.draw(st.permutations([*rest, *rest])) if len(rest) < 12 else [*rest, *rest]
    noisy = sorted(noisy, key=lambda pair: pair[1].ts_event_ns // MINUTE_NS)

    bars = TradeBars(MINUTE_NS)
    made: dict[int, Bar] = {}
    for name, one in [first, *noisy]:
        told = bars.add(name, one)
        if told is not None:
            made[told.open_ns] = told

    whole = {o: b for o, b in expected.items() if o >= first[1].ts_event_ns}
    assert made == whole


@pytest.mark.parametrize(
    ("first_day", "known"), [(23, None), (23, 16), (26, 19), (26, 26)], ids=str
)
def test_a_week_of_trades_begins_as_the_exchanges_own_and_else_on_a_monday(
    first_day: int, known: int | None
) -> None:
    first_ns = november_ns(first_day)
    bars = TradeBars(7 * DAY_NS)
    if known is not None:
        bars.align(november_ns(known))
    bars.add("1", trade(first_ns - DAY_NS, 100))

    for number in range(7):
        bar = bars.add(f"in {number}", trade(first_ns + number * DAY_NS, 101))
        assert bar is not None
        assert bar.open_ns == first_ns
    after = bars.add("2", trade(first_ns + 7 * DAY_NS, 102))
    assert after is not None
    assert after.open_ns == first_ns + 7 * DAY_NS


def november_ns(day: int) -> int:
    """The 23rd was a Monday."""
    return int(datetime(2026, 11, day, tzinfo=UTC).timestamp()) * NS_PER_S


def test_after_an_interruption_the_bar_that_it_fell_into_is_not_made_of_trades() -> None:
    bars = TradeBars(MINUTE_NS)
    bars.add("1", trade(MINUTE_NS, 100))
    bars.interrupted()

    assert bars.add("2", trade(MINUTE_NS + 5, 101)) is None
    assert bars.add("3", trade(2 * MINUTE_NS, 102)) is not None
