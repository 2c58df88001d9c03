"""One asyncio loop on one thread, owned by one owner; callers are never blocked."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


def faults_of(tasks: Iterable["asyncio.Future[Any]"]) -> list[BaseException]:
    """Give what has ended those that are over, in the order of the tasks; cancelled ones apart."""
    over = [task for task in tasks if task.done() and not task.cancelled()]
    return [fault for task in over if (fault := task.exception()) is not None]


def report_fault(task: "asyncio.Future[Any]") -> None:
    """Tell the loop at once, as a done-callback, of what has ended a task that nobody awaits."""
    for fault in faults_of([task]):
        context = {"message": "a task failed", "exception": fault, "future": task}
        task.get_loop().call_exception_handler(context)


class VenueLoop:
    """Runs coroutines on a thread of its own. Methods may be called from any thread.

    `on_error` gets, on the loop's thread, what no caller waits for: a callback that failed, a
    task that nobody looked at.
    """

    def __init__(self, name: str, on_error: Callable[[str], object] = lambda _: None) -> None:
        self._on_error = on_error
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._unhandled)
        self._lock = threading.Lock()
        self._closing = False
        self._calls: deque[Callable[[], object]] = deque()
        self._is_woken = False
        self._spawned: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine on the loop; its result, error or cancellation is in the future.

        After `close` the coroutine is not run and the future holds a RuntimeError. So an order
        whose future holds that error before its fence was called was not sent.
        """
        with self._lock:
            if not self._closing:
                return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        coroutine.close()
        refused: Future[T] = Future()
        refused.set_exception(RuntimeError("the venue's loop is closed"))
        return refused

    def call(self, callback: Callable[[], object]) -> None:
        """Call something on the loop, soon; after `close` never.

        Waking a thread that sleeps is dear: calls that come together wake it once.
        """
        self._calls.append(callback)
        if self._is_woken:  # and `_work_off` has not begun: it will find this one too
            return
        self._is_woken = True
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._work_off)

    def after_this(self, callback: Callable[[], object]) -> None:
        """Call something when what runs now, and what it begins, has had a turn.

        On the loop's thread only.
        """
        self._loop.call_soon(self._loop.call_soon, callback)

    def give_way(self, event: threading.Event, limit_s: float) -> None:
        """Keep the caller's thread asleep until the loop's has set an event, or for so long."""
        event.wait(limit_s)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on the loop, of whose end nobody is told: half the price of `submit`.

        They begin in the order of their calls. After `close` it is not run.
        """
        with self._lock:
            if not self._closing:
                self.call(partial(self._begin, coroutine))
                return
        coroutine.close()

    @staticmethod
    async def together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Run several at once, in a coroutine of the loop; over when all of them are."""
        await asyncio.gather(*coroutines)

    def join(self, limit_s: float) -> bool:
        """Wait until all that was spawned before this call has ended; False when it has not.

        Not to be called on the loop's own thread.
        """
        ended = threading.Event()
        with self._lock:
            if is_open := not self._closing:
                self.call(partial(self._tell_when_over, ended))
        return ended.wait(limit_s) if is_open else self.close(limit_s)

    def close(self, limit_s: float) -> bool:
        """Cancel what runs, stop the thread, and wait for it no longer than the limit.

        True when the thread has ended. A task that does not let itself be cancelled keeps it.
        """
        with self._lock:
            first, self._closing = not self._closing, True
        if first and self._thread.ident is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread.ident is not None:
            self._thread.join(limit_s)
        ended = not self._thread.is_alive()
        if ended and not self._loop.is_closed():
            self._loop.close()
        return ended

    def _work_off(self) -> None:
        self._is_woken = False  # before the first is taken: what comes from now on wakes again
        while self._calls:
            callback = self._calls.popleft()
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - as the loop itself treats a callback
                self._loop.call_exception_handler(
                    {"message": "a call from outside failed", "exception": error}
                )

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        task.add_done_callback(report_fault)

    def _tell_when_over(self, ended: threading.Event) -> None:
        left = set(self._spawned)

        def one_less(task: "asyncio.Task[None]") -> None:
            left.discard(task)
            if not left:
                ended.set()

        for task in list(left):
            task.add_done_callback(one_less)
        if not left:
            ended.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._cancel_all())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)

    async def _cancel_all(self) -> None:
        this = asyncio.current_task()
        while tasks := asyncio.all_tasks() - {this}:  # one that ends may begin another
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        detail = f": {type(error).__name__}: {error}" if error is not None else ""
        self._on_error(f"{context.get('message', 'an error')}{detail}")
