"""What an interruption has left out, or the history, of several symbols: told as one market."""

from collections.abc import Awaitable, Callable, Sequence

from exchanges.feed_candles import Tell
from exchanges.feed_endings import NotBackfilled, is_answer
from exchanges.feed_line import Line
from exchanges.feed_settings import FeedItem
from messages.market import Candle, FeedGap, Tick, Trade


async def backfill_all(
    lines: Sequence[Line], tell: Tell, ask: Callable[[Line], Awaitable[None]]
) -> None:
    """Ask for what was missed, symbol after symbol, and tell it in the order of time.

    A symbol of which the exchange refuses it keeps no other from its own.

    Raises:
        NotBackfilled: the first that was refused, when all were asked for.
        Exception: what `ask` raises where that is no answer; then the others are not asked for.
    """
    told: list[FeedItem] = []
    refusals: list[NotBackfilled] = []
    for line in lines:
        line.tell = told.append
    try:
        for line in lines:
            refusals += await _refusals_of(line, ask)
    finally:  # what was asked for is not asked for again
        for line in lines:
            line.tell = tell
        for item in sorted(told, key=_moment_ns):
            tell(item)
    if refusals:
        raise refusals[0]


async def _refusals_of(line: Line, ask: Callable[[Line], Awaitable[None]]) -> list[NotBackfilled]:
    try:
        await ask(line)
    except Exception as error:
        if not is_answer(error):
            raise
        refusal = NotBackfilled(f"REST does not tell what was missed of {line.symbol}")
        refusal.__cause__ = error
        return [refusal]
    return []


def _moment_ns(item: FeedItem) -> int:
    """Give when a thing is known: a history before all else, a gap where it ends."""
    if isinstance(item, FeedGap):
        return item.ts_to_ns
    return item.ts_event_ns if isinstance(item, Candle | Trade | Tick) else 0
