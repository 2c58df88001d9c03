"""Cancelling what waits, at each turn of the loop in which its answer is on its way to it."""

import asyncio
from collections.abc import Awaitable, Callable

_TURNS = range(8)
"""More than any answer takes through a task and a future."""


async def heeds_a_cancellation(waits: Callable[[asyncio.Event], Awaitable[object]]) -> bool:
    """Whether whoever is cancelled while it waits is cancelled, though the event is just set.

    Until Python 3.12 `asyncio.wait_for` gave the answer then, and its caller went on.
    """
    return all([await _heeds(waits, turns) for turns in _TURNS])


async def _heeds(waits: Callable[[asyncio.Event], Awaitable[object]], turns: int) -> bool:
    answered = asyncio.Event()
    task = asyncio.ensure_future(waits(answered))
    for _ in _TURNS:
        await asyncio.sleep(0)
    answered.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    was_waiting = task.cancel()
    await asyncio.wait({task}, timeout=10)
    return task.cancelled() or not was_waiting
