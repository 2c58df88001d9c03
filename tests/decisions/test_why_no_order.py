"""What a person is told when a strategy got nothing executed."""

import pytest

from decisions.why_no_order import Hindsight, reasons_without_a_fill, small_targets
from messages.ids import Symbol
from messages.values import plain_instrument


def said(**seen: object) -> str:
    known: dict[str, object] = {"strategy": "s", "symbol": "BTC/USDT", "events": 100, "warmup": 30}
    return "; ".join(reasons_without_a_fill(Hindsight(**(known | seen))))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (
            {},
            "s decided nothing: its rule was not met at any of 70 events of BTC/USDT after a warm",
        ),
        (
            {"is_history": True},
            "s was to decide nothing: all 100 events of BTC/USDT are before --warm-until",
        ),
        ({"warmup": 0}, "not met at any of 100 events of BTC/USDT"),
        (
            {"too_small": "order_notional 1 is less than 5"},
            "a warm-up of 30, or what it wanted was too small: order_notional 1 is less than 5",
        ),
        (
            {"small_targets": "70 targets of BTC/USDT were smaller than the venue takes"},
            "s decided nothing that can be ordered: 70 targets of BTC/USDT were smaller than",
        ),
        (
            {"events": 30},
            "never finished its warm-up: it needs 30 events of BTC/USDT and there are 30",
        ),
        (
            {"events": 0, "dropped": {"malformed": 7}},
            "no usable event of BTC/USDT: all 7 rows were",
        ),
        ({"events": 0}, "saw no market: there is no usable event of BTC/USDT"),
        (
            {"states": {"refused": 3}, "refusals": {"cooldown: early": 2, "other": 1}},
            "risk refused 3 of 3 decisions of s: cooldown: early, 2 times",
        ),
        (
            {"states": {"rejected": 1}, "rejections": {"not enough USDT": 1}},
            "the venue rejected 1 of 1 decisions of s: not enough USDT",
        ),
        (
            {"states": {"accepted": 2, "expired": 1}},
            "orders of s that the market never reached: 2 accepted, 1 expired",
        ),
        (
            {"states": {"accepted": 3}, "without_volume": 2},
            "2 of 3 decisions of s met no volume: the candles have none, or venue.participation"
            " leaves less than a step of it; orders of s that the market never reached: 1 accepted",
        ),
        (
            {"states": {"accepted": 1, "canceled": 9}, "ended": 7},
            "canceled by request before the market reached them: 7;"
            " orders of s that the market never reached: 1 accepted, 2 canceled",
        ),
    ],
)
def test_each_case_is_a_sentence(seen: dict[str, object], sentence: str) -> None:
    assert sentence in said(**seen)


def test_targets_that_are_no_orders_are_counted_beside_the_least_order() -> None:
    counts = {Symbol("ETH/BTC"): 1, Symbol("BTC/USDT"): 1_600}

    assert small_targets(counts, plain_instrument) == (
        "1,600 targets of BTC/USDT were smaller than the venue takes (0.00001 BTC, worth 5 USDT);"
        " 1 target of ETH/BTC was smaller than the venue takes (0.00001 ETH, worth 0.0001 BTC)"
    )
    assert small_targets({}, plain_instrument) == ""


def test_what_its_strategy_ended_the_market_is_not_blamed_for() -> None:
    assert "never reached" not in said(states={"canceled": 9}, ended=9)


def test_there_is_always_one() -> None:
    assert all(said(events=n, warmup=w) for n in (0, 1, 5) for w in (0, 1, 5))
