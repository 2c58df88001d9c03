"""Compares the venue's clock with ours while the run lasts, as its gate did at the start.

A clock may be set by a person, by NTP, or when a machine that slept goes on, and one that nobody
sets drifts by seconds a day. Orders wait while the two differ, and go on by themselves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from exchanges.ccxt_call import recorded
from exchanges.ccxt_gate import GateLimits, check_answer, difference_of, vagueness_of
from exchanges.ccxt_numbers import Unclear
from exchanges.conditions import CLOCK, Standing, clocks_differ
from exchanges.skew import Skew

COMPARE_EVERY_S = 300.0
AGAIN_S = 5.0
"""The pause while in doubt: they differ, or the venue gave no answer when it was asked. Never
sooner, however often the clock is doubted: each comparison asks three times and more."""

Comparing = Callable[[], Callable[[], object]]
"""Called before the venue is asked; what it gives is called once the clocks agree."""


class ClockWatch:
    """Of one venue, on its loop, from `start` to `close`. `took` gets each skew that is small."""

    def __init__(
        self,
        exchange: str,
        limits: GateLimits,
        standing: Standing,
        measure: Callable[[], Awaitable[Skew]],
        comparing: Comparing,
        took: Callable[[Skew], object],
    ) -> None:
        self._exchange, self._limits, self._standing = exchange, limits, standing
        self._measure, self._comparing, self._took = measure, comparing, took
        self._doubt = asyncio.Event()
        self._is_doubtful = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to compare, now and then."""
        self._task = asyncio.ensure_future(self._run())

    def doubt(self) -> None:
        """Have them compared at once: there is a sign that they differ."""
        self._is_doubtful = True
        self._doubt.set()

    async def close(self) -> None:
        """Compare no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            if not self._is_doubtful:
                with suppress(TimeoutError):
                    async with asyncio.timeout(COMPARE_EVERY_S):
                        await self._doubt.wait()
            self._doubt.clear()
            with suppress(Exception):  # no answer: asked again in a while
                await self._compare()
            await asyncio.sleep(AGAIN_S)

    async def _compare(self) -> None:
        agreed = self._comparing()
        with recorded() as call:
            measured = await self._measure()
            check_answer(call)
        if difference := difference_of(self._exchange, measured, self._limits):
            self._is_doubtful = True
            self._standing.begin(clocks_differ(difference))
            return
        if vagueness := vagueness_of(self._exchange, measured, self._limits):
            raise Unclear(vagueness)
        self._is_doubtful = False
        self._took(measured)
        agreed()
        self._standing.end(CLOCK)
