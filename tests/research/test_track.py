"""Which strategies are shown closes by their fast door."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from decisions.strategy import close_handler, fast_door
from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies.crossover import CrossParams
from strategies.ema_cross import EmaCross
from strategies.protocol import Decision, Strategy
from strategies.sma_cross import SmaCross


class OtherCandle(SmaCross):
    """Has the door of its parent, and decides otherwise."""

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        return ()


class OtherClose(SmaCross):
    """The same, by its other handler."""

    def on_close(self, close: Decimal, position: Decimal) -> Sequence[Decision]:
        return ()


class OtherName(SmaCross):
    """Only called otherwise."""

    mean_name = "other"


class BothOthers(OtherCandle):
    """Has a door of its own for it."""

    def pass_closes(self, closes: Sequence[float], start: int) -> int:
        return len(closes)


@pytest.mark.parametrize(
    ("cls", "has", "by_close"),
    [
        (SmaCross, True, True),
        (EmaCross, True, True),
        (OtherName, True, True),
        (BothOthers, True, False),
        (OtherCandle, False, False),
        (OtherClose, False, True),
    ],
)
def test_a_door_is_trusted_by_who_wrote_it_for_its_candles(
    cls: type[SmaCross], has: bool, by_close: bool
) -> None:
    symbol = Symbol("BTC/USDT")
    params = CrossParams(fast=1, slow=2)
    strategy = cls(params, symbol, Decimal(1), Instrument(symbol=symbol))

    assert (fast_door(strategy) is not None) is has
    assert (close_handler(strategy) is not None) is by_close


def test_a_strategy_without_one_has_none() -> None:
    assert fast_door(Strategy()) is None
    assert close_handler(Strategy()) is None
