"""What the crash rehearsal protects: one entry with a stop, in a market that falls through it."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from decisions.order_keys import client_order_id, exit_key, order_key
from messages.ids import (
    MINUTE_NS,
    NS_PER_MS,
    AccountId,
    ClientOrderId,
    StrategyId,
    TimestampNs,
)
from messages.market import Candle
from messages.values import OrderType, Side, TimeInForce
from ops.config import Config, FeedType, demo_config
from ops.drill_trap import Target
from ops.drill_traps import EXCHANGE
from strategies.protocol import Decision, Strategy

_PRICES = (60_000, 60_100, 57_000, 56_900, 56_800, 56_700, 56_600, 56_500, 56_400, 56_300)
CANDLES = len(_PRICES)
HOLDS = (2, 5)
"""Where the market waits until every order has ended: the entry, before the fall; the exit, two
candles after the one that it is decided on. A decision that doubles it is made in these."""
FALL = HOLDS[0]
"""The first candle that reaches the stop."""
STOP = Decimal(59_000)
_PLENTY = Decimal(1_000_000)
_HOUR_MS = 3_600_000
"""The market is ahead of our clock, by less."""
_COLLAR_BPS = Decimal(5_000)


class Stopped(Strategy):
    """Buys once, and leaves the way out to its stop."""

    uses_stops = True

    def __init__(self, *_: Any) -> None:
        """Take whatever parameters there are."""

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:  # noqa: ARG002 - a strategy is asked so
        """Decide on the first, whoever is shown it, and on no other."""
        if candle.close != _PRICES[0]:
            return ()
        return (
            Decision(
                side=Side.BUY,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.GTC,
                quantity=Decimal("0.001"),
                limit_price=None,
                reason="to be protected",
                stop_loss=STOP,
            ),
        )


def stopped_config() -> Config:
    """Give the demo's config with that strategy, and limits that let its orders pass."""
    replace, config = msgspec.structs.replace, demo_config()
    (strategy,) = config.strategies
    uses = f"{Path(__file__)}:{Stopped.__name__}"
    return replace(
        config,
        strategies=(replace(strategy, id="stopped", uses=uses, params={}),),
        risk=replace(
            config.risk,
            price_collar_bps=_COLLAR_BPS,
            max_position_notional=_PLENTY,
            max_market_age_ms=_HOUR_MS,
        ),
    )


def shown_from(
    path: Path, begins_ms: int, config: Config, prices: Sequence[int] = _PRICES
) -> Config:
    """Write the market to a file, and give the config that shows it from there."""
    minute_ms = MINUTE_NS // NS_PER_MS
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("ts", "open", "high", "low", "close", "volume"))
        for place, price in enumerate(prices):
            lines.writerow((begins_ms + place * minute_ms, *[price] * 4, "10"))
    paths = dict.fromkeys(config.feed.symbols, path)
    feed = msgspec.structs.replace(config.feed, type=FeedType.REPLAY, paths=paths)
    return msgspec.structs.replace(config, feed=feed)


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What a case's orders are called, whichever life decides them."""

    entry: Target
    exits: tuple[ClientOrderId, ...]
    """The first exit's, decided on each candle that it may be decided on."""


def names_of(config: Config, begins_ms: int) -> Names:
    """Give them: keys are functions of the decisions."""
    (strategy,) = config.strategies
    at = [TimestampNs(begins_ms * NS_PER_MS + (place + 1) * MINUTE_NS) for place in range(CANDLES)]
    entry = order_key(AccountId(EXCHANGE), StrategyId(strategy.id), strategy.symbol, at[0], 0)
    return Names(
        entry=Target(order_key=entry, client_order_id=client_order_id(entry)),
        exits=tuple(client_order_id(exit_key(entry, 0, moment)) for moment in at[FALL:]),
    )
