"""Whether a connection to a market is alive, and whether its clock is known, while it lasts.

Liveness is shown by work: a stream that is silent for long is compared with REST, and one that
had not told what REST knows is stale, whatever its pongs say.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from exchanges.ccxt_watch import Stale
from exchanges.feed_line import Line
from exchanges.feed_settings import Channel, FeedSettings
from messages.ids import NS_PER_MS

UNANSWERED_MAX = 3
"""So many questions in a row may fail."""


class Oversight:
    """Of one connection; its coroutines run on the feed's loop.

    `on_fallen_back` is told, at each look, which markets show what was told already; empty: none.
    `measure` compares the exchange's clock with ours, at times and whenever `is_clock_doubtful`.
    """

    def __init__(
        self,
        *,
        client: Any,
        exchange: str,
        lines: Sequence[Line],
        streams: Collection[Channel],
        patience: FeedSettings,
        monotonic_ns: Callable[[], int],
        measure: Callable[[], Awaitable[None]],
        is_clock_doubtful: Callable[[], bool],
        on_stable: Callable[[], None],
        on_fallen_back: Callable[[str], None],
    ) -> None:
        self._on_fallen_back = on_fallen_back
        self._client, self._exchange = client, exchange
        self._lines, self._streams, self._patience = lines, streams, patience
        self._monotonic_ns, self._measure = monotonic_ns, measure
        self._is_clock_doubtful, self._on_stable = is_clock_doubtful, on_stable

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            Stale: a stream is not alive, or REST could not be asked again and again.
        """
        patience, began_ns = self._patience, self._monotonic_ns()
        measured_ns, unanswered = began_ns, 0
        while True:
            await asyncio.sleep(patience.quiet_ms / 4_000)
            now_ns = self._monotonic_ns()
            quiet_ns = patience.quiet_ms * NS_PER_MS
            back = [text for line in self._lines if (text := line.candles.fallen_back(quiet_ns))]
            self._on_fallen_back("; ".join(back))
            if now_ns - began_ns > patience.stable_ms * NS_PER_MS:
                self._on_stable()
            try:
                is_old = now_ns - measured_ns > patience.skew_every_ms * NS_PER_MS
                if is_old or self._is_clock_doubtful():
                    measured_ns = now_ns
                    await self._measure()
                await self._compare_silent(now_ns)
                unanswered = 0
            except Stale:
                raise
            except Exception as error:
                unanswered += 1
                if unanswered >= UNANSWERED_MAX:
                    raise Stale(f"REST could not be asked {unanswered} times: {error}") from error

    async def _compare_silent(self, now_ns: int) -> None:
        quiet_ns = self._patience.quiet_ms * NS_PER_MS
        silent = [
            (line, channel)
            for line in self._lines
            for channel in self._streams
            if now_ns - line.heard_ns[channel] > quiet_ns
        ]
        for line, channel in silent:
            await self._compare(line, channel)

    async def _compare(self, line: Line, channel: Channel) -> None:
        """Let REST say whether a silent stream has nothing to tell, or does not tell it."""
        heard_ns = line.heard_ns[channel]
        news = await line.is_behind(self._client, self._exchange, channel)
        if news:
            await asyncio.sleep(self._patience.grace_ms / 1000)
        if line.heard_ns[channel] != heard_ns:
            return
        if news:
            silent_s = (self._monotonic_ns() - heard_ns) / (1000 * NS_PER_MS)
            raise Stale(
                f"the stream of {channel} was silent for {silent_s:.1f} s, and REST had {news}"
            )
        line.heard(channel)
