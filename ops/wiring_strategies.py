"""How strategies are made, and what they ask for before anything is put together."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

import strategies
from actors.strategy import Kept
from decisions.strategy import StrategyLike, memory_of, warmup_candles
from messages.ids import StrategyId, Symbol
from messages.values import Instrument, plain_instrument
from ops.config import Config, StrategyConfig
from ops.own_code import in_time

if TYPE_CHECKING:
    from ops.live_venue import LiveVenue


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy wants; an object is asked, for it may depend on its params."""

    kept: Kept
    warmup: int
    """How many candles it must see before it decides."""
    steps: bool
    """Whether it may attach stops, or manages its orders: then the executor is shown each event of
    a market that waits before it is."""


def ask_strategies(config: Config, live: "LiveVenue | None" = None) -> dict[StrategyId, Asked]:
    """Make each strategy once, and ask it. Its actor makes its own, and anew at each restart."""
    instrument_of = plain_instrument if live is None else live.instrument
    return {StrategyId(s.id): ask_strategy(s, config, instrument_of) for s in config.strategies}


def ask_strategy(
    settings: StrategyConfig,
    config: Config,
    instrument_of: Callable[[Symbol], Instrument] = plain_instrument,
) -> Asked:
    """Make one strategy, and ask it.

    Raises:
        ConfigError: it cannot be made, or its own code does not come back.
    """
    hang_after_s = config.supervision.hang_after_s
    ask = partial(_asked, maker(settings, instrument_of), settings, config.feed.timeframe_ns)
    return in_time(ask, settings.uses, "made", hang_after_s)


def _asked(make: Callable[[], StrategyLike], settings: StrategyConfig, base_ns: int) -> Asked:
    made = make()
    return Asked(
        kept=Kept(memory_of(made, base_ns, settings.symbols)),
        warmup=warmup_candles(made, base_ns),
        steps=any(getattr(made, name, False) for name in ("uses_stops", "manages_orders")),
    )


def warmup_of(asked: Iterable[Asked]) -> int:
    """Give how many events the strategy that needs the most must see before it decides."""
    return max((one.warmup for one in asked), default=0)


def maker(
    settings: StrategyConfig, instrument_of: Callable[[Symbol], Instrument] = plain_instrument
) -> Callable[[], StrategyLike]:
    """Give what makes a strategy; its instruments are asked each time, for rules may change."""

    def make() -> StrategyLike:
        first, *others = settings.symbols
        return strategies.build(
            settings.uses,
            settings.params,
            first,
            settings.order_notional,
            instrument_of(first),
            {symbol: instrument_of(symbol) for symbol in others},
        )

    return make
