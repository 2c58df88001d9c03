"""A bar that is polled is asked for as it ends, however often it was asked for before that."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from exchanges.ccxt_feed import CcxtFeed
from messages.ids import NS_PER_MS

ENDS_MS, POLL_MS, AFTER_MS = 60_000, 5_000, 300


class Enough(Exception):
    """The bar was seen."""


@pytest.mark.parametrize("begun_ms", range(0, 5_000, 700))
def test_a_poll_before_its_end_does_not_put_off_the_one_at_its_end(
    begun_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each came five seconds late, by what was waited after a poll in vain, and decided nothing."""
    now_ms, seen_ms = [begun_ms], list[int]()
    feed: Any = object.__new__(CcxtFeed)
    feed._client, feed._venue_now_ns = None, lambda: now_ms[0] * NS_PER_MS
    feed._patience = SimpleNamespace(ask_again_ms=500, poll_ms=POLL_MS)

    async def until_due(_line: Any, *, is_polled: bool) -> None:
        assert is_polled
        now_ms[0] += max(1, min(ENDS_MS + AFTER_MS - now_ms[0], POLL_MS))

    async def sleep(seconds: float) -> None:
        now_ms[0] += int(seconds * 1_000)

    async def catch_up(*_: Any) -> bool:
        if now_ms[0] >= ENDS_MS:
            seen_ms.append(now_ms[0])
            raise Enough
        return False

    feed._until_due = until_due
    monkeypatch.setattr("exchanges.ccxt_feed.asyncio.sleep", sleep)
    builder = SimpleNamespace(is_due=lambda now_ns: now_ns >= ENDS_MS * NS_PER_MS)
    candles = SimpleNamespace(catch_up=catch_up, builder=builder)
    line = SimpleNamespace(candles=candles)

    with pytest.raises(Enough):
        asyncio.run(feed._keep_up(line, is_polled=True))

    assert seen_ms[0] <= ENDS_MS + AFTER_MS
