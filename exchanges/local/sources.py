"""The market that a symbol follows: a recorded one, or one that is made up."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain

from exchanges.demo import DemoSource
from exchanges.local.market import price_of
from exchanges.local.settings import Settings
from exchanges.replay import ReplaySource
from exchanges.source import MarketSource
from messages.ids import Symbol
from messages.market import MarketEvent


def open_events(settings: Settings, symbol: str) -> tuple[Decimal, Iterator[MarketEvent]]:
    """Give the price that a market begins with, and its events; the first symbol's are recorded."""
    source: MarketSource = DemoSource(Symbol(symbol), seed=settings.seed)
    if settings.candles is not None and symbol == settings.symbols[0]:
        source = ReplaySource(settings.candles, Symbol(symbol))
    events = source.events()
    first = next(events)
    return price_of(first), chain([first], events)
