"""What a market was worth, kept as it goes by: a tear sheet needs it when all is over.

The market is read once. Bars are folded as it passes; of times and closes all is kept, sixteen
bytes an event, in memory while they are few and in a file without a name when they are many.
"""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import Self

import msgspec

from decisions.bars import Bars
from decisions.strategy import reference_price
from exchanges.event_blocks import Block, drawn_rows
from research.backtest.plan import MarketPlan, Plan

MOST_BARS = 10_000
"""Of all symbols together; more than on the dashboard, which is drawn again and again."""
_FEWEST_BARS = 400
MOST_BYTES = 16_000_000
"""Kept in memory, of all symbols together: a million events."""


class WatchedMarket:
    """One symbol's market. `blocks` is for the run, `prices` for whoever comes after it."""

    def __init__(self, market: MarketPlan, most_bars: int, most_bytes: int) -> None:
        self.symbol = market.symbol
        self.bars = Bars(most_bars)
        self._market = market
        self._sizes: list[int] = []
        self._kept = SpooledTemporaryFile(max_size=max(most_bytes, 1))  # noqa: SIM115 - see `close`

    def blocks(self) -> Iterator[Block]:
        """Read it; what it was worth is kept.

        Raises:
            OSError: there is no room for it.
        """
        for block in self._market.blocks():
            self._keep(block)
            yield block

    def prices(self) -> Iterator[tuple[Sequence[int], Sequence[float]]]:
        """Give what was kept, block by block."""
        self._kept.seek(0)
        for size in self._sizes:
            times, closes = array("q"), array("d")
            times.frombytes(self._kept.read(size * times.itemsize))
            closes.frombytes(self._kept.read(size * closes.itemsize))
            yield times, closes

    def close(self) -> None:
        """Forget it."""
        self._kept.close()

    def _keep(self, block: Block) -> None:
        for opened_ns, opened, high, low, close, volume in drawn_rows(block):
            self.bars.candle(opened_ns, (opened, high, low, close), volume)
        closes = block.closes
        if closes is None:
            places = range(len(block.times_ns))
            closes = [float(reference_price(block.event(place))) for place in places]
        self._kept.write(array("q", block.times_ns).tobytes())
        self._kept.write(array("d", closes).tobytes())
        self._sizes.append(len(closes))


class Watched:
    """All markets of a plan; `plan` is the same one, and is to be run in its place."""

    def __init__(self, plan: Plan) -> None:
        count = max(len(plan.markets), 1)
        most = max(MOST_BARS // count, _FEWEST_BARS)
        self.markets = [WatchedMarket(one, most, MOST_BYTES // count) for one in plan.markets]
        watched = zip(plan.markets, self.markets, strict=True)
        replace = msgspec.structs.replace
        self.plan = replace(
            plan, markets=tuple(replace(one, blocks=ours.blocks) for one, ours in watched)
        )

    @property
    def bars(self) -> dict[str, Bars]:
        """For a chart."""
        return {market.symbol: market.bars for market in self.markets}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as last:
            for market in self.markets:
                last.callback(market.close)
