"""The venue's loop: nobody who submits to it is blocked, and it ends in time."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from exchanges.venue_loop import VenueLoop, faults_of

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


# ---------------------------------------------------------------- calls from outside


def test_calls_that_come_together_are_made_in_their_order_and_wake_the_loop_once(
    loop: VenueLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    done, busy, free = threading.Event(), threading.Event(), threading.Event()
    wakes: list[object] = []
    wake = loop._loop.call_soon_threadsafe

    def counted(callback: Any, *more: Any) -> Any:
        wakes.append(callback)
        return wake(callback, *more)

    def occupy() -> None:
        busy.set()
        free.wait(LIMIT_S)

    loop.call(occupy)
    assert busy.wait(LIMIT_S)
    monkeypatch.setattr(loop._loop, "call_soon_threadsafe", counted)
    for number in range(5):
        loop.call(lambda number=number: made.append(number))  # type: ignore[misc]  # bound in each round
    loop.call(done.set)
    free.set()

    assert done.wait(LIMIT_S)
    assert made == [0, 1, 2, 3, 4]
    assert len(wakes) == 1


def test_no_call_is_lost_however_many_threads_make_them(loop: VenueLoop) -> None:
    made: list[int] = []
    done = threading.Event()

    def make() -> None:
        for _ in range(500):
            loop.call(lambda: made.append(1))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    loop.call(done.set)

    assert done.wait(LIMIT_S)
    assert len(made) == 2_000


def test_a_call_that_fails_is_told_and_the_next_is_made() -> None:
    told: list[str] = []
    done = threading.Event()
    loop = VenueLoop("told", told.append)
    loop.start()

    loop.call(lambda: 1 / 0)
    loop.call(done.set)

    assert done.wait(LIMIT_S)
    assert loop.close(LIMIT_S)
    assert told == ["a call from outside failed: ZeroDivisionError: division by zero"]


def test_after_closing_nothing_is_called(loop: VenueLoop) -> None:
    made: list[int] = []
    assert loop.close(LIMIT_S)

    loop.call(lambda: made.append(1))
    loop.call(lambda: made.append(2))

    assert made == []


# ---------------------------------------------------------------- spawned from outside


def test_what_is_spawned_begins_in_its_order_and_can_be_waited_for(loop: VenueLoop) -> None:
    made: list[int] = []

    async def make(number: int) -> None:
        made.append(number)
        await asyncio.sleep(0)
        made.append(10 + number)

    for number in range(3):
        loop.spawn(make(number))

    assert loop.join(LIMIT_S)
    assert [one for one in made if one < 10] == [0, 1, 2]
    assert sorted(made) == [0, 1, 2, 10, 11, 12]
    assert loop.join(LIMIT_S), "with nothing under way there is nothing to wait for"


def test_waiting_ends_at_its_limit_and_later_spawns_are_not_waited_for(loop: VenueLoop) -> None:
    free = asyncio.Event()

    async def wait() -> None:
        await free.wait()

    loop.spawn(wait())
    assert not loop.join(0.01)

    loop.call(free.set)
    assert loop.join(LIMIT_S)
    loop.spawn(never())
    assert not loop.join(0.01)


def test_after_closing_nothing_spawned_runs_and_nobody_waits_for_it(loop: VenueLoop) -> None:
    ran: list[int] = []

    async def run() -> None:
        ran.append(1)

    loop.spawn(never())
    assert loop.close(LIMIT_S)
    loop.spawn(run())

    assert loop.join(LIMIT_S)
    assert ran == []


def test_of_tasks_that_are_over_the_faults_are_given_in_their_order(loop: VenueLoop) -> None:
    async def fail(error: Exception) -> None:
        raise error

    async def several() -> list[str]:
        work = [fail(KeyError()), asyncio.sleep(0), fail(OSError()), never(), fail(ValueError())]
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(one) for one in work]
        tasks[4].cancel()
        await asyncio.sleep(0.01)
        kinds = [type(one).__name__ for one in faults_of(tasks)]
        tasks[3].cancel()
        return kinds

    assert loop.submit(several()).result(LIMIT_S) == ["KeyError", "OSError"]


@pytest.mark.slow
def test_what_a_spawned_coroutine_raises_is_told() -> None:
    told: list[str] = []
    loop = VenueLoop("told", told.append)
    loop.start()

    async def fail() -> None:
        raise ZeroDivisionError

    loop.spawn(fail())
    assert loop.join(LIMIT_S)
    assert loop.submit(answer(1)).result(LIMIT_S) == 1
    loop.close(LIMIT_S)

    assert any("ZeroDivisionError" in one for one in told)


def test_closing_cancels_also_what_an_ending_task_begins(loop: VenueLoop) -> None:
    ended: list[str] = []

    async def begun() -> None:
        try:
            await never()
        finally:
            ended.append("begun")

    async def ending(begins: list[asyncio.Future[None]]) -> None:
        try:
            await never()
        finally:
            begins.append(asyncio.ensure_future(begun()))
            await asyncio.sleep(0)

    loop.submit(ending([]))
    loop.submit(asyncio.sleep(0)).result(LIMIT_S)

    assert loop.close(LIMIT_S)
    assert ended == ["begun"]
