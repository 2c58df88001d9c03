"""What a backtest is of: markets, strategies, a venue's terms and limits."""

from collections.abc import Callable, Iterator

import msgspec

from decisions.risk_limits import RiskLimits
from decisions.strategy import StrategyLike
from exchanges.event_blocks import Block
from exchanges.paper_settings import PaperSettings
from exchanges.source import SourceStats
from messages.ids import PAPER_ACCOUNT, AccountId, StrategyId, Symbol

"""That of a run on the paper venue: it is in every order's key."""


def no_stats() -> SourceStats:
    """Of a market that nothing was dropped from."""
    return SourceStats()


class MarketPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's market; `blocks` begins a new reading each time."""

    symbol: Symbol
    blocks: Callable[[], Iterator[Block]]
    stats: Callable[[], SourceStats] = no_stats
    """What was dropped in the readings so far."""
    rows_expected: int | None = None
    """About how many events there are, for a progress bar."""


class StrategyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy; `build` makes one that has seen nothing."""

    id: StrategyId
    symbol: Symbol
    """The first of its symbols."""
    build: Callable[[], StrategyLike]
    symbols: tuple[Symbol, ...] = ()
    """All of them in their order; where none is given, the first is the only one."""
    decided_until_ns: int = -1
    """Events up to here are history: they decide nothing."""
    too_small: str = ""
    """Why orders of the size that it is told may be none; empty where they are large enough."""

    @property
    def traded(self) -> tuple[Symbol, ...]:
        """Its symbols, each once, the first one first."""
        return tuple(dict.fromkeys((self.symbol, *self.symbols)))


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole backtest. At one moment the market that is named first goes first."""

    markets: tuple[MarketPlan, ...]
    strategies: tuple[StrategyPlan, ...]
    venue: PaperSettings
    limits: RiskLimits
    account: AccountId = PAPER_ACCOUNT
    fast_doors: bool = True
    """Whether strategies that have one are shown closes by it; see `strategies.protocol`."""
