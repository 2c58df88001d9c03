"""A strategy that does what its params say: at which candle, what."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from messages.ids import Symbol, TimestampNs
from messages.market import Candle
from messages.orders import Fill, OrderUpdate
from messages.values import Instrument, OrderType, Side, TimeInForce
from strategies.protocol import Decision, Strategy, Target


class Scripted(Strategy):
    """`orders`: place, side, time in force, quantity, limit price or nothing, in turn."""

    def __init__(
        self, params: Mapping[str, Any], symbol: Symbol, notional: Decimal, instrument: Instrument
    ) -> None:
        self._orders = params["orders"]
        self._seen = 0

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        here, self._seen = self._seen, self._seen + 1
        return [_decision(*order[1:]) for order in self._orders if order[0] == here]


class Listening(Scripted):
    """The same, and it writes down what it is told of its orders, and when, in the file `log`."""

    def __init__(self, params: Mapping[str, Any], *more: Any) -> None:
        super().__init__(params, *more)
        self._log = Path(params["log"])

    def on_update(self, update: OrderUpdate) -> None:
        told = update.filled_quantity, update.average_price, update.reason
        self._note(update, *told, *(fill.trade_id for fill in update.fills))

    def _note(self, update: OrderUpdate, *told: object) -> None:
        words = update.order_key, update.ts_event_ns, update.state, *told
        with self._log.open("a") as log:
            log.write(" ".join(map(str, words)) + "\n")


class Aiming(Listening):
    """Gives targets by its script, hears of executions alone, and keeps snapshots."""

    on_update = Strategy.on_update

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        return [
            Target(quantity=one.side.sign * one.quantity, reason=one.reason)
            for one in super().on_candle(candle, position)
        ]

    def on_fill(self, fill: Fill, order: OrderUpdate) -> None:
        self._note(order, fill.trade_id, fill.price, fill.quantity)

    def snapshot(self) -> bytes:
        return b"%d" % self._seen

    def restore(self, data: bytes) -> None:
        self._seen = int(data)


class Wide(Listening):
    """The same over all that it is shown: candles of its symbols, longer bars, timers.

    Each order's last field is the number of the symbol; where it is none of that of the event,
    a target. `timeframes` and `timer_s` are params.
    """

    def __init__(self, params: Mapping[str, Any], *more: Any) -> None:
        super().__init__(params, *more)
        self.timeframes = tuple(params["timeframes"])
        self.timer_s = params["timer_s"]
        self._priced: set[Symbol] = set()

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        assert self.positions[candle.symbol] == position
        self._priced.add(candle.symbol)
        return self._next()

    def on_bar(self, bar: Candle, timeframe: str, position: Decimal) -> Any:
        assert timeframe in self.timeframes
        return self._next()

    def on_timer(self, due_ns: TimestampNs, position: Decimal) -> Any:
        return self._next()

    def _next(self) -> Any:
        here, self._seen = self._seen, self._seen + 1
        return [self._wish(*one[1:]) for one in self._orders if one[0] == here and self._knows(one)]

    def _knows(self, order: Sequence[Any]) -> bool:
        return self.symbols[order[5] % len(self.symbols)] in self._priced

    def _wish(self, side: str, how: str, quantity: str, limit: str, place: int) -> Any:
        symbol = self.symbols[place % len(self.symbols)]
        decision = _decision(side, how, quantity, limit)
        if place >= len(self.symbols):
            aim = decision.side.sign * decision.quantity
            return Target(quantity=aim, reason=decision.reason, symbol=symbol)
        return msgspec.structs.replace(decision, symbol=symbol)


def _decision(side: str, time_in_force: str, quantity: str, limit: str) -> Decision:
    return Decision(
        side=Side(side),
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        time_in_force=TimeInForce(time_in_force),
        quantity=Decimal(quantity),
        limit_price=Decimal(limit) if limit else None,
        reason="the script says so",
    )
