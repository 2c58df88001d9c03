from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.ids import NS_PER_S, Symbol, TimestampNs
from messages.market import Candle
from messages.values import Instrument, OrderType, Side
from strategies import Strategy, build

BTC = Instrument(symbol=Symbol("BTC/USDT"))
NOTIONAL = Decimal(100)
CLOSES = st.integers(900, 1100).map(lambda tenths: Decimal(tenths).scaleb(-1))


def candle(close: str | Decimal, minute: int = 0) -> Candle:
    price = Decimal(close)
    opened = minute * 60 * NS_PER_S
    return Candle(
        symbol=BTC.symbol,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
        ts_open_ns=TimestampNs(opened),
        ts_event_ns=TimestampNs(opened + 60 * NS_PER_S),
    )


def make(uses: str, fast: int = 1, slow: int = 2) -> Strategy:
    return build(uses, {"fast": fast, "slow": slow}, BTC.symbol, NOTIONAL, BTC)


def trades(strategy: Strategy, closes: Sequence[str | Decimal]) -> list[tuple[int, Side, Decimal]]:
    position = Decimal(0)
    made = []
    for place, close in enumerate(closes):
        for decision in strategy.on_candle(candle(close, place), position):
            position += decision.side.sign * decision.quantity
            made.append((place, decision.side, decision.quantity))
    return made


def naive_trades(closes: list[Decimal], fast: int, slow: int) -> list[tuple[int, Side]]:
    """Means taken from scratch, in exact fractions, and the rule as a sentence says it."""
    made = []
    holds = False
    before = None
    for place in range(slow - 1, len(closes)):
        seen = [Fraction(close) for close in closes[: place + 1]]
        gap = sum(seen[-fast:]) / fast - sum(seen[-slow:]) / slow
        if before is not None:
            if before <= 0 < gap and not holds:
                made.append((place, Side.BUY))
                holds = True
            elif before >= 0 > gap and holds:
                made.append((place, Side.SELL))
                holds = False
        before = gap
    return made


@pytest.mark.slow
@given(
    closes=st.lists(st.decimals("90", "110", places=1), max_size=60),
    fast=st.integers(1, 5),
    more=st.integers(1, 6),
)
def test_the_simple_crossover_trades_as_a_naive_one_does(
    closes: list[Decimal], fast: int, more: int
) -> None:
    strategy = make("sma_cross", fast, fast + more)

    made = trades(strategy, closes)

    assert [(place, side) for place, side, _ in made] == naive_trades(closes, fast, fast + more)


@pytest.mark.parametrize("uses", ["sma_cross", "ema_cross"])
def test_it_buys_the_notional_when_fast_comes_above_and_sells_all_when_it_falls_below(
    uses: str,
) -> None:
    made = trades(make(uses), ["100", "99", "110", "120", "80"])

    assert [(place, side) for place, side, _ in made] == [(2, Side.BUY), (4, Side.SELL)]
    assert made[0][2] == made[1][2] == Decimal("0.90909")


@pytest.mark.parametrize("uses", ["sma_cross", "ema_cross"])
def test_a_relation_that_is_first_seen_is_no_crossing(uses: str) -> None:
    assert trades(make(uses), ["100", "110", "120"]) == []


def test_leaving_level_upward_is_a_crossing() -> None:
    assert [place for place, _, _ in trades(make("sma_cross"), ["100", "100", "101"])] == [2]


def test_it_does_not_buy_while_it_holds_something() -> None:
    strategy = make("sma_cross")
    for close in ("100", "99"):
        strategy.on_candle(candle(close), Decimal(1))

    assert strategy.on_candle(candle("110"), Decimal(1)) == ()


@pytest.mark.parametrize("uses", ["sma_cross", "ema_cross"])
def test_what_is_still_held_below_is_sold_for_it_crossed_while_nobody_ran(uses: str) -> None:
    strategy = make(uses)
    for place, close in enumerate(("100", "99", "98")):  # the history of a new process
        strategy.on_candle(candle(close, place), Decimal(0))

    (decision,) = strategy.on_candle(candle("97", 3), Decimal(1))

    assert (decision.side, decision.quantity) == (Side.SELL, Decimal(1))
    assert strategy.on_candle(candle("96", 4), Decimal(0)) == ()


def test_it_does_not_sell_what_it_does_not_hold() -> None:
    assert trades(make("sma_cross"), ["100", "101", "90"]) == []


def test_an_order_too_small_for_the_venue_is_not_decided() -> None:
    strategy = build("sma_cross", {"fast": 1, "slow": 2}, BTC.symbol, Decimal("4.99"), BTC)

    assert trades(strategy, ["100", "99", "110"]) == []


def test_a_decision_says_why_in_the_digits_of_the_market() -> None:
    strategy = make("sma_cross")
    strategy.on_candle(candle("100"), Decimal(0))
    strategy.on_candle(candle("99"), Decimal(0))

    (decision,) = strategy.on_candle(candle("110.5"), Decimal(0))

    assert decision.reason == "sma1 110.50 crossed above sma2 104.75"
    assert decision.order_type is OrderType.MARKET
    assert decision.limit_price is None


@pytest.mark.slow
@pytest.mark.parametrize("uses", ["sma_cross", "ema_cross"])
@given(closes=st.lists(CLOSES, min_size=120, max_size=160))
def test_a_fresh_one_after_warm_up_decides_as_an_old_one(uses: str, closes: list[Decimal]) -> None:
    old, fresh = make(uses, 2, 5), make(uses, 2, 5)
    for close in closes:
        old.on_candle(candle(close), Decimal(0))
    for close in closes[-fresh.warmup_events :]:
        fresh.on_candle(candle(close), Decimal(0))

    for price in ("100", "120", "80"):
        position = Decimal(0) if price == "120" else Decimal(1)
        decisions = [one.on_candle(candle(price), position) for one in (old, fresh)]

        assert [d.side for d in decisions[0]] == [d.side for d in decisions[1]]
