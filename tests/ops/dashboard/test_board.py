"""Looks at the files again and again: how often, and what a look that fails leaves behind."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.dashboard import board as looking
from ops.dashboard.board import LiveBoard
from ops.dashboard.run import RunModel
from tests.ops.dashboard.runs import LIFE, run_with

LIMIT_S = 30


class Shaky(RunModel):
    """A run whose reading raises what it is told to, and takes as long by the clock."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir, most_orders=1)
        self.error: BaseException | None = None
        self.now_s = self.takes_s = 0.0

    def refresh(self) -> dict[str, Any]:
        self.now_s += self.takes_s
        if self.error is not None:
            raise self.error
        return super().refresh()


@asynccontextmanager
async def shaky(
    run_dir: Path, clock: Callable[[], float] | None = None
) -> AsyncIterator[tuple[Shaky, LiveBoard]]:
    model = Shaky(run_with(run_dir, *LIFE))
    board = LiveBoard([model], clock=clock or (lambda: model.now_s))
    try:
        async with asyncio.timeout(LIMIT_S):
            yield model, board
    finally:
        board.close()
        model.close()


async def look_later(model: Shaky, board: LiveBoard) -> dict[str, Any]:
    """Look after any rest, and give the run that the page would show."""
    model.now_s += 1_000
    document = await board.document()
    assert document is not None
    run: dict[str, Any] = document["runs"][0]
    return run


ERRORS = [RuntimeError("what a file made"), RecursionError("too deep"), OSError(5, "bad disk")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_look_that_fails_is_told_once_and_the_next_one_is_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    async def watch() -> list[dict[str, Any]]:
        async with shaky(tmp_path) as (model, board):
            before = await look_later(model, board)
            model.error = error
            failed = [await look_later(model, board) for _ in range(2)]
            model.error = None
            return [before, *failed, await look_later(model, board)]

    before, failed, again, after = asyncio.run(watch())

    assert (before["trouble"], after["trouble"]) == ("", "")
    assert type(error).__name__ in failed["trouble"]
    assert again == failed
    assert failed["standing"] == before["standing"]
    assert capsys.readouterr().err == f"dashboard: {failed['trouble']}\n"


def test_what_fails_in_the_end_is_told_to_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def end() -> str:
        async with shaky(tmp_path) as (_, board):
            board.close()
            await board.refresh()
            return board.trouble

    assert asyncio.run(end()) == ""
    assert capsys.readouterr().err == ""


class Endless(RunModel):
    """A run so huge that its reading ends only when somebody says so."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir, most_orders=1)
        self.begun, self.twice, self.may_end = (threading.Event() for _ in range(3))

    def refresh(self) -> dict[str, Any]:
        (self.twice if self.begun.is_set() else self.begun).set()
        self.may_end.wait(2 * LIMIT_S)
        self.begun.clear()
        return super().refresh()


@asynccontextmanager
async def endless(run_dir: Path) -> AsyncIterator[tuple[Endless, LiveBoard]]:
    """Give a board of such a run; its threads have ended afterwards."""
    model = Endless(run_with(run_dir, *LIFE))
    board = LiveBoard([model])
    try:
        async with asyncio.timeout(LIMIT_S):
            yield model, board
    finally:
        board.close()
        model.may_end.set()
        for thread in looking_threads():
            await asyncio.to_thread(thread.join, LIMIT_S)
        model.close()


def looking_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("dashboard")]


def test_an_end_waits_for_no_look_and_lets_go_who_waits_for_one(tmp_path: Path) -> None:
    async def end() -> tuple[object, list[bool]]:
        async with endless(tmp_path) as (model, board):
            looks = asyncio.create_task(board.look())
            page = asyncio.create_task(board.document())
            assert await asyncio.to_thread(model.begun.wait, LIMIT_S)
            board.close()
            await looks
            return await page, [one.daemon for one in looking_threads()]

    page, are_daemons = asyncio.run(end())

    assert page is None
    assert are_daemons == [True], "a thread that is none keeps the process alive"


def test_a_look_whose_asker_has_left_is_still_the_only_one(tmp_path: Path) -> None:
    async def ask_twice() -> tuple[bool, object]:
        async with endless(tmp_path) as (model, board):
            page = asyncio.create_task(board.document())
            assert await asyncio.to_thread(model.begun.wait, LIMIT_S)
            page.cancel()
            other = asyncio.create_task(board.document())
            is_beside = await asyncio.to_thread(model.twice.wait, 0.1)
            model.may_end.set()
            return is_beside, await other

    is_beside, page = asyncio.run(ask_twice())

    assert not is_beside
    assert page is not None


def test_a_page_hears_of_a_look_that_fails_and_of_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_PERIOD_S", 0.001)
    monkeypatch.setattr(looking, "_REST", 0)

    async def hear() -> list[dict[str, Any]]:
        async with shaky(tmp_path, time.monotonic) as (model, board):
            model.error = ERRORS[0]
            looks, told = asyncio.create_task(board.look()), board.changes()
            first = json.loads(await anext(told))
            model.error = None
            second = json.loads(await anext(told))
            board.close()
            await told.aclose()
            await looks
            return [first["parts"], second["parts"]]

    first, second = asyncio.run(hear())

    assert list(first) == ["trouble"]
    assert "what a file made" in first["trouble"]
    assert second["trouble"] == ""
    assert second["standing"]["word"]


def test_a_request_in_the_rest_after_a_look_makes_no_other(tmp_path: Path) -> None:
    async def ask(seconds: list[float], takes_s: float) -> list[int]:
        async with shaky(tmp_path) as (model, board):
            model.takes_s, looks = takes_s, []
            for second in seconds:
                model.now_s = second
                await board.document()
                looks.append(board.looks)
            return looks

    # A look of 2 s ends at 2 and rests 40; one that takes no time rests half a second.
    assert asyncio.run(ask([0, 3, 41.9, 42.1], takes_s=2)) == [1, 1, 1, 2]
    assert asyncio.run(ask([0, 0.4, 0.6], takes_s=0)) == [1, 1, 2]


def test_before_anything_could_be_read_there_is_a_sentence_and_no_page(tmp_path: Path) -> None:
    pytest.importorskip("starlette", reason="the extra `dashboard` is not installed")
    from ops.dashboard.app import make_app

    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def ask() -> None:
        async with shaky(tmp_path) as (model, board):
            model.error = ERRORS[0]
            app = make_app(board, token="", hosts=())
            where = {"path": "/", "raw_path": b"/", "query_string": b"", "headers": []}
            await app({"type": "http", "method": "GET", **where}, receive, send)

    asyncio.run(ask())

    assert sent[0]["status"] == 503
    assert b"what a file made" in sent[1]["body"]
