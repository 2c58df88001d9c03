"""The venue's loop: nobody who submits to it is blocked, and it ends in time."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError

import pytest

from exchanges.venue_loop import VenueLoop

LIMIT_S = 60.0


@pytest.fixture
def loop() -> Iterator[VenueLoop]:
    made = VenueLoop("loop-of-a-test")
    made.start()
    yield made
    made.close(LIMIT_S)


async def answer(value: int) -> int:
    return value


async def never() -> None:
    await asyncio.Event().wait()


def test_a_coroutine_runs_on_the_loops_own_thread(loop: VenueLoop) -> None:
    async def name() -> str:
        return threading.current_thread().name

    assert loop.submit(name()).result(LIMIT_S) == "loop-of-a-test"


def test_a_hanging_coroutine_blocks_neither_the_caller_nor_others(loop: VenueLoop) -> None:
    hanging = loop.submit(never())

    assert loop.submit(answer(3)).result(LIMIT_S) == 3
    assert not hanging.done()


def test_closing_cancels_what_runs(loop: VenueLoop) -> None:
    hanging = loop.submit(never())

    assert loop.close(LIMIT_S)
    with pytest.raises(CancelledError):
        hanging.result(LIMIT_S)


def test_after_closing_nothing_runs_and_the_future_says_so(loop: VenueLoop) -> None:
    loop.close(LIMIT_S)

    with pytest.raises(RuntimeError, match="the venue's loop is closed"):
        loop.submit(answer(1)).result(LIMIT_S)


def test_closing_twice_or_before_the_start_is_fine(loop: VenueLoop) -> None:
    assert loop.close(LIMIT_S)
    assert loop.close(LIMIT_S)
    assert VenueLoop("never-started").close(LIMIT_S)


def test_closing_waits_no_longer_than_its_limit(loop: VenueLoop) -> None:
    blocked, release = threading.Event(), threading.Event()

    async def stubborn() -> None:
        blocked.set()
        release.wait(LIMIT_S)

    loop.submit(stubborn())
    assert blocked.wait(LIMIT_S)

    assert not loop.close(0.01)
    release.set()
    assert loop.close(LIMIT_S)


def test_what_nobody_waits_for_is_told() -> None:
    told: list[str] = []
    heard = threading.Event()

    def tell(problem: str) -> None:
        told.append(problem)
        heard.set()

    loop = VenueLoop("told", tell)
    loop.start()

    async def plant() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)

    loop.submit(plant()).result(LIMIT_S)
    assert heard.wait(LIMIT_S)
    loop.close(LIMIT_S)

    assert "ZeroDivisionError" in told[0]
