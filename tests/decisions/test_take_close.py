"""A strategy that is given closes alone decides what it decides on the candles, key by key."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.strategy import StrategyRun, new_memory
from messages.errors import BadDecision
from messages.ids import AccountId, StrategyId, Symbol, TimestampNs
from messages.market import Candle
from messages.orders import OrderIntent
from messages.values import OrderType, Side, Target, TimeInForce
from strategies.protocol import Decision, Strategy

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")


class Bare(msgspec.Struct, frozen=True):
    """A decision of somebody's own: no symbol, no stops."""

    side: Any = Side.BUY
    order_type: Any = OrderType.MARKET
    time_in_force: Any = TimeInForce.GTC
    quantity: Any = Decimal("0.5")
    limit_price: Any = None
    reason: Any = "bare"


class ByClose(Strategy):
    """Gives what it was made with, turn by turn."""

    def __init__(self, turns: Sequence[Any]) -> None:
        self._turns = iter(turns)
        self.held: list[Decimal] = []

    def on_close(self, close: Decimal, position: Decimal) -> Any:
        self.held += position, self.positions[BTC]
        return next(self._turns)

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        return self.on_close(candle.close, position)


quantities = st.sampled_from(
    [Decimal(q) for q in ("1", "0.50", "0", "-1", "NaN", "0.1234567890123456789012345678901")]
)
plain = st.builds(
    Decision,
    side=st.sampled_from(Side),
    order_type=st.just(OrderType.MARKET),
    time_in_force=st.sampled_from(TimeInForce),
    quantity=quantities,
    limit_price=st.none(),
    reason=st.just("so"),
    symbol=st.sampled_from([None, None, BTC, ETH]),
)
odd = st.one_of(
    st.builds(
        Decision,
        side=st.sampled_from([Side.BUY, "buy"]),
        order_type=st.sampled_from(OrderType),
        time_in_force=st.just(TimeInForce.GTC),
        quantity=st.sampled_from([Decimal(1), 1.0, None]),
        limit_price=st.sampled_from([None, Decimal(7)]),
        reason=st.sampled_from(["so", 3]),
        stop_loss=st.sampled_from([None, Decimal(1)]),
    ),
    st.builds(Target, quantity=st.sampled_from([Decimal(0), Decimal(1), Decimal(-2)])),
    st.just(Bare()),
    st.just("nonsense"),
    st.none(),
)
turns = st.one_of(
    st.tuples(plain), st.tuples(plain), st.lists(plain | odd, max_size=3), st.tuples(odd), odd
)


def run_of(given: Sequence[Any], decided_until_ns: int) -> tuple[StrategyRun, ByClose]:
    strategy, memory = ByClose(given), new_memory(0)
    memory.decided_until_ns = decided_until_ns
    run = StrategyRun(lambda: strategy, memory, AccountId("paper"), StrategyId("one"), BTC)
    return run, strategy


def taken(take: Any) -> list[OrderIntent] | str:
    try:
        return list(take())
    except BadDecision as error:
        return str(error)


@pytest.mark.slow
@given(
    given=st.lists(turns, min_size=1, max_size=8),
    steps=st.lists(st.sampled_from([60, 60, 60, 0]), min_size=8, max_size=8),
    history=st.sampled_from([-1, 130]),
)
def test_closes_and_candles_decide_the_same(
    given: Sequence[Any], steps: Sequence[int], history: int
) -> None:
    """Until one is no decision: then a backtest ends. Two candles of one moment count on."""
    (by_close, one), (by_candle, other) = run_of(given, history), run_of(given, history)
    ts_ns = TimestampNs(0)
    for place, step in enumerate(steps[: len(given)]):
        ts_ns = TimestampNs(ts_ns + step)
        price = Decimal(f"{100 + place}.50")
        event = Candle(
            symbol=BTC,
            open=price,
            high=price,
            low=price,
            close=price,
            volume=Decimal(1),
            ts_open_ns=TimestampNs(ts_ns - 60),
            ts_event_ns=ts_ns,
        )
        found = taken(lambda p=price, at=ts_ns: by_close.take_close(p, at))
        assert repr(found) == repr(taken(lambda e=event, at=ts_ns: by_candle.take(e, at)))
        if isinstance(found, str):
            return
        assert one.held == other.held
        assert repr(by_close.memory.position) == repr(by_candle.memory.position)
        assert by_close.memory.decided == by_candle.memory.decided
        assert by_close.memory.next_index == by_candle.memory.next_index == place + 1


def test_what_is_no_decision_is_said_of_the_handler_that_gave_it() -> None:
    run, _ = run_of([(Bare(quantity=None),)], -1)

    with pytest.raises(BadDecision, match="quantity None") as told:
        run.take_close(Decimal(1), TimestampNs(1))

    assert told.value.handler == "on_close"
    assert "in on_close" in run.line_of(told.value)
