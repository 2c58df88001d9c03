"""The words that say why a strategy does not trade."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.why_no_trade import LastOrder, Sight, reasons
from messages.values import OrderState


def sight(**changes: Any) -> Sight:
    return Sight(symbol="BTC/USDT", events=30, warmup=30, **changes)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Sight(symbol="BTC/USDT", events=12, warmup=30), ["warm-up: 12 of 30 events"]),
        (
            sight(last=LastOrder(OrderState.REFUSED, "max_order_notional: 2000 is too much", 12.0)),
            ["its last decision was refused 12 s ago: max_order_notional: 2000 is too much"],
        ),
        (
            sight(last=LastOrder(OrderState.ACCEPTED, "", 180.0)),
            ["its last order is accepted, 3 min ago"],
        ),
        (
            sight(market_age_s=41.0, market_limit_s=30.0),
            ["market of BTC/USDT stale 41 s (limit 30 s)"],
        ),
        (sight(market_limit_s=30.0), ["the market has shown nothing of BTC/USDT yet"]),
        (sight(too_small="1 is less than 5"), ["1 is less than 5"]),
        (sight(small_targets="9 targets", too_small="1 is less"), ["9 targets"]),
        (
            sight(too_small="1 is less than 5", last=LastOrder(OrderState.ACCEPTED, "", 1.0)),
            ["its last order is accepted, 1 s ago"],  # it sizes its orders by itself
        ),
        (sight(market_age_s=41.0), ["nothing keeps it from trading; it has not decided yet"]),
        (
            sight(known=30),
            [
                "it decided 30 times, each known already in this run directory, so nothing was"
                " sent again (another --run-dir begins anew)"
            ],
        ),
        (
            sight(known=30, last=LastOrder(OrderState.FILLED, "", 1.0), decisions=1),
            ["nothing keeps it from trading; last decision 1 s ago (filled), 1 in all"],
        ),
        (
            sight(last=LastOrder(OrderState.FILLED, "", 1.0)),
            [
                "nothing keeps it from trading; it has not decided yet,"
                " its last order ended 1 s ago (filled)"
            ],
        ),
        (
            sight(halt="halted by operator at 12:00: I said so"),
            ["halted by operator at 12:00: I said so"],
        ),
        (
            sight(behind_s=90_000.0),
            [
                "the market of BTC/USDT is 25 h behind what an earlier process has decided on:"
                " nothing is decided before it is there"
            ],
        ),
        (sight(behind_s=60.0), ["nothing keeps it from trading; it has not decided yet"]),
        (
            sight(rate="binance wants to hear nothing for 60 s", market_limit_s=30.0),
            [
                "binance wants to hear nothing for 60 s",
                "the market has shown nothing of BTC/USDT yet",
            ],
        ),
        (
            sight(unknown=2),
            ["2 order(s) of BTC/USDT with an unknown outcome: no new risk until settled"],
        ),
        (
            sight(last=LastOrder(OrderState.FILLED, "", 8_000.0), decisions=5),
            ["nothing keeps it from trading; last decision 2 h ago (filled), 5 in all"],
        ),
    ],
)
def test_each_reason_has_its_words(seen: Sight, words: list[str]) -> None:
    assert reasons(seen) == words


def test_what_a_person_must_act_on_comes_first() -> None:
    found = reasons(
        sight(halt="halted", executor="the executor is reconciling", feed="the market is backoff")
    )

    assert found == ["halted", "the executor is reconciling", "the market is backoff"]


@given(
    st.builds(
        Sight,
        symbol=st.just("A/B"),
        halt=st.sampled_from(["", "halted"]),
        feed=st.sampled_from(["", "away"]),
        market_age_s=st.none() | st.floats(0, 1e6),
        market_limit_s=st.none() | st.floats(1, 1e6),
        events=st.integers(0, 5),
        warmup=st.integers(0, 5),
        unknown=st.integers(0, 3),
        last=st.none()
        | st.builds(LastOrder, st.sampled_from(OrderState), st.text(), st.floats(0, 1e6)),
    )
)
def test_there_is_always_a_word_and_never_an_empty_one(seen: Sight) -> None:
    found = reasons(seen)

    assert found
    assert all(found)
    assert ("nothing keeps" in found[0]) <= (len(found) == 1)
