"""Strategies that end and replace their orders, for runs in processes of their own."""

import os
import signal
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from messages.ids import NS_PER_S, Symbol
from messages.market import Candle, Tick
from messages.values import Instrument, OrderState, OrderType, Side, TimeInForce
from persistence.ledger import read_orders
from strategies.protocol import Cancel, Decision, Replace, Strategy, market_order
from strategies.sizing import quantity_for_notional

QUANTITY = Decimal("0.01")
_PART = Decimal("0.85")
BEGINNING = 1_700_000_040 // 60
"""The minute in which `crossing_candles` begin."""


class Follows(Strategy):
    """Keeps one bid far below the market, and moves it at each candle."""

    manages_orders = True

    def __init__(self, *_: Any) -> None:
        """Take whatever parameters there are."""

    def on_candle(self, candle: Candle, position: Decimal) -> Decision | Replace | None:
        price = (candle.close * _PART).quantize(Decimal("0.01"))
        for key in self.open_orders:
            return Replace(order=key, limit_price=price, reason="it follows")
        return None if position else _bid(QUANTITY, price, "it begins")


class BuysOfEach(Strategy):
    """Buys of each symbol every tenth minute; where it is told to die, it does with one of two."""

    warmup_events = 0
    manages_orders = True

    def __init__(self, *_: Any) -> None:
        """Take whatever parameters there are."""

    def on_candle(self, candle: Candle, position: Decimal) -> Decision | None:
        minute = candle.ts_event_ns // (60 * NS_PER_S)
        if minute % 10:
            return None
        run_dir = os.environ.get("DIES_ONCE_CLAIMED")
        if run_dir and candle.symbol == "ETH/USDT" and minute % 200 == 0:
            _die_once_claimed(Path(run_dir) / "ledger.db", candle.ts_event_ns)
        return market_order(Side.BUY, QUANTITY, "of each")


def _die_once_claimed(path: Path, decided_at_ns: int) -> None:
    """Die by SIGKILL when the other symbol's order of this moment is durable."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if decided_at_ns in {order.decided_at_ns for order in read_orders(path)}:
            os.kill(os.getpid(), signal.SIGKILL)
        threading.Event().wait(0.01)


class OneAtATime(Strategy):
    """Holds BTC from minute 10 to 100; buys ETH now and then, where nothing at all is held."""

    warmup_events = 0
    manages_orders = True

    def __init__(self, *_: Any) -> None:
        """Take whatever parameters there are."""

    def on_candle(self, candle: Candle, position: Decimal) -> Decision | None:
        minute = candle.ts_event_ns // (60 * NS_PER_S) - BEGINNING
        if candle.symbol == "BTC/USDT":
            run_dir = os.environ.get("DIES_ONCE_CLAIMED")
            if run_dir and minute == 105:
                _die_once_claimed(Path(run_dir) / "ledger.db", (BEGINNING + 100) * 60 * NS_PER_S)
            side = {10: Side.BUY, 100: Side.SELL}.get(minute)
            return None if side is None else market_order(side, QUANTITY, "in, and out")
        if minute in (30, 60, 90, 300) and not any(self.positions.values()):
            return market_order(Side.BUY, QUANTITY, "nothing else is held")
        return None


class FollowerParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many ticks pass between two decisions."""

    every: int
    at_once: int = 1


class Follower(Strategy):
    """For the long market: moves a bid twice, then ends it, and sells what it has bought.

    A reason ends as the other strategies' there: process, strategy, number of the order.
    """

    Params = FollowerParams
    warmup_events = 0
    manages_orders = True

    def __init__(
        self,
        params: FollowerParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        self._every, self._notional, self._instrument = params.every, order_notional, instrument
        self._ticks = self._decided = self._moves = 0

    def on_tick(self, tick: Tick, position: Decimal) -> Decision | Replace | Cancel | None:
        self._ticks += 1
        if self._ticks % self._every:
            return None
        price = (tick.bid_price * _PART).quantize(Decimal("0.01"))
        for key, order in self.open_orders.items():
            if order.state is OrderState.CLAIMED:
                return None  # nothing would come of its number
            self._moves += 1
            if self._moves % 3 == 0:
                return Cancel(order=key, reason="enough")
            return Replace(order=key, limit_price=price, reason=self._reason())
        one = quantity_for_notional(self._notional, tick.bid_price, self._instrument)
        if position > one / 4:  # a bid that was to end filled first; less is what a fee has left
            return market_order(Side.SELL, position, self._reason())
        return _bid(one, price, self._reason())

    def _reason(self) -> str:
        self._decided += 1
        return f"{os.getpid()}:{id(self)}:{self._decided}"


def _bid(quantity: Decimal, price: Decimal, reason: str) -> Decision:
    return Decision(
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=quantity,
        limit_price=price,
        reason=reason,
    )
