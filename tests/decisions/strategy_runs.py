"""Strategy runs: the events of one feed, and the intents that come of them."""

from collections.abc import Iterable, Sequence

from decisions.strategy import StrategyRun
from messages.ids import ActorPath, Symbol, TimestampNs
from messages.market import MarketBatch, MarketEvent
from messages.orders import OrderIntent
from tests.decisions.orders_only import orders

BTC = Symbol("BTC/USDT")
CREATED = TimestampNs(77)
FEED = ActorPath("feeds/feed")


def batch(events: Sequence[MarketEvent], first: int = 0) -> MarketBatch:
    return MarketBatch(feed=FEED, first_index=first, events=tuple(events))


def take_all(one: StrategyRun, events: Iterable[MarketEvent]) -> list[OrderIntent]:
    return [intent for event in events for intent in orders(one.take(event, CREATED))]
