"""The bars of one symbol before now: asked for page after page, back in time."""

from collections.abc import Awaitable, Callable

from exchanges.candle_builder import Bar
from exchanges.feed_endings import is_refusal, is_word_of_exchange

_EMPTY_MAX = 5
"""After so many pages without a bar, one after the other, there was no market before."""
_PAGES_MAX = 20
"""So many are asked for, at most, in place of one that were full."""

Ask = Callable[[int, int], Awaitable[list[Bar]]]
"""For bars from a moment on, at most so many."""


async def with_older(
    rows: list[Bar], ask: Ask, *, wanted: int, page: int, timeframe_ns: int
) -> tuple[list[Bar], bool]:
    """Give these bars with those before them, up to `wanted`, and whether there may be more.

    A page is a span of time, as long as `page` bars would be, however few of them were traded:
    some exchanges answer for that long and no further. A page that is refused ends the history,
    for there are exchanges that have more, and tell the newest only.

    Raises:
        Exception: what `ask` raises where it is no refusal: REST could not be asked.
    """
    empty, since_ns = 0, rows[0].open_ns
    for _ in range(_PAGES_MAX * (1 + wanted // page)):
        until_ns, since_ns = since_ns, since_ns - page * timeframe_ns
        if since_ns <= 0:
            return rows, False
        try:
            older = await _page(ask, since_ns, until_ns, page, timeframe_ns)
        except Exception as error:
            # Behind an empty page there is mostly no market yet: nothing hangs on such an answer.
            if empty and is_word_of_exchange(error):
                return rows, False
            if not is_refusal(error):
                raise
            return rows, True
        rows, empty = older + rows, 0 if older else empty + 1
        if len(rows) >= wanted or empty == _EMPTY_MAX:
            return rows, False
    return rows, True


async def _page(ask: Ask, since_ns: int, until_ns: int, page: int, timeframe_ns: int) -> list[Bar]:
    """Give the bars of a span of time; an answer may hold fewer of old ones."""
    found: list[Bar] = []
    while since_ns < until_ns:
        bars = [bar for bar in await ask(since_ns, page) if since_ns <= bar.open_ns < until_ns]
        if not bars:
            break
        found += bars
        since_ns = bars[-1].open_ns + timeframe_ns
    return found
