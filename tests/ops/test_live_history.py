"""A live feed has room for the history that strategies ask for, and for live events besides."""

from decimal import Decimal
from pathlib import Path

from actors.step_runtime import StepRuntime
from messages.ids import NS_PER_S, ActorPath, Symbol, TimestampNs
from messages.market import Candle
from ops.config import parse
from ops.live_feed import KEPT_EVENTS, live_feed

SYMBOLS = ("BTC/USDT", "ETH/USDT")
HISTORY = 12_000
"""Two hundred bars of an hour, in minutes."""
MINUTE_NS, ONE = 60 * NS_PER_S, Decimal(1)


def minutes(symbol: str, first: int, count: int) -> list[Candle]:
    return [
        Candle(
            symbol=Symbol(symbol),
            open=ONE,
            high=ONE,
            low=ONE,
            close=ONE,
            volume=ONE,
            ts_open_ns=TimestampNs(number * MINUTE_NS),
            ts_event_ns=TimestampNs((number + 1) * MINUTE_NS),
        )
        for number in range(first, first + count)
    ]


def test_a_long_history_of_several_symbols_loses_nothing_nor_takes_live_events_their_room() -> None:
    bot = {"name": "x", "strategy": [{"id": "a", "uses": "sma_cross"}]}
    config = parse(bot | {"feed": {"type": "nats", "symbols": list(SYMBOLS)}}, Path())
    strategy = StepRuntime().address("execution/strategies/a")
    spec = live_feed(
        config,
        ActorPath("feeds/feed:nats"),
        [strategy],
        strategy,
        history=HISTORY,
        max_events=0,
        opened=None,
    )
    buffer = spec.arguments["kept"].memory.buffer

    buffer.add_history([one for symbol in SYMBOLS for one in minutes(symbol, 0, HISTORY)])
    for candle in minutes(SYMBOLS[0], HISTORY, KEPT_EVENTS):
        buffer.add(candle)

    pieces = list(buffer.pieces(0, buffer.end, KEPT_EVENTS, -1))
    assert sum(piece.lost for piece in pieces) == 0
    past = [len(piece.events) for piece in pieces if piece.is_history]
    assert sum(past) == len(SYMBOLS) * HISTORY
