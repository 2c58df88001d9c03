from decimal import Decimal
from random import Random

from messages.ids import TimestampNs
from strategies import build
from strategies.long_flat import ENTER, LEAVE, STAY, LongFlat, above
from tests.strategies.market import BTC, NOTIONAL, candle


def signals_of(strategy: LongFlat, closes: list[Decimal]) -> list[int]:
    bars = (candle(TimestampNs(0), close, close, close, close, Decimal(1)) for close in closes)
    return [strategy.signal(bar) for bar in bars]


def bollinger(width: float) -> LongFlat:
    made = build("bollinger_reversion", {"period": 4, "width": width}, BTC.symbol, NOTIONAL, BTC)
    assert isinstance(made, LongFlat)
    return made


def test_a_market_that_swings_between_two_prices_touches_its_band_and_does_not_break_it() -> None:
    chance = Random(1)
    for _ in range(100):
        low = Decimal(chance.randrange(1, 10**7)).scaleb(-2)
        high = low + Decimal(chance.randrange(1, 10**5)).scaleb(-2)

        found = signals_of(bollinger(width=1.0), [low, high] * 20)

        assert found[4:] == [STAY, LEAVE] * 18, (low, high)


def test_a_close_a_tick_below_the_band_breaks_it() -> None:
    found = signals_of(bollinger(width=1.0), [Decimal(x) for x in ("101", "101", "100", "99.99")])

    assert found[-1] == ENTER


def test_nothing_is_above_or_below_what_is_no_number() -> None:
    nan = float("nan")
    assert not above(nan, 1.0)
    assert not above(1.0, nan)


def test_a_tick_is_far_more_than_a_rounding() -> None:
    assert above(99_999.99, 99_999.98)
    assert not above(99_999.99 * (1 + 2e-16), 99_999.99)
