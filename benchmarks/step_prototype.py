"""Four stepped Pykka actors that pass candles on, and nothing else: what the style itself costs.

Pykka's actors, refs, envelopes and `_handle_receive`, on a run queue instead of threads. No
bounds, no policies, no accounting, no risk, no ledger, no money, and floats for prices. How fast
the machine is today can be told from it.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pykka

from messages.market import Candle

_Runs = deque[tuple[Callable[[Any], Any], Any]]
_NEXT = object()


class _Door:
    """Pykka's inbox of one actor: what is put into it waits in the queue of all."""

    def __init__(self) -> None:
        self.runs: _Runs = deque()
        self.handle: Callable[[Any], Any] = lambda _: None

    def put(self, envelope: Any) -> None:
        self.runs.append((self.handle, envelope))

    def get(self) -> Any:
        raise NotImplementedError("it is stepped")

    def empty(self) -> bool:
        return True


class _Stepped(pykka.ThreadingActor):
    def __init__(self, runs: _Runs) -> None:
        super().__init__()
        door: Any = self.actor_inbox
        door.runs, door.handle = runs, self._handle_receive

    @staticmethod
    def _create_actor_inbox() -> Any:
        return _Door()

    def _start_actor_loop(self) -> None:
        """Whoever has the queue steps it."""


class _Feed(_Stepped):
    def __init__(self, runs: _Runs, candles: Iterator[Candle], onward: Any) -> None:
        super().__init__(runs)
        self._candles, self._onward = candles, onward

    def on_receive(self, message: Any) -> None:
        candle = next(self._candles, None)
        if candle is not None:
            self._onward.tell(candle)
            self.actor_ref.tell(message)


class _Strategy(_Stepped):
    def __init__(self, runs: _Runs, fast: int, slow: int, onward: Any) -> None:
        super().__init__(runs)
        self._fast, self._slow = deque[float](maxlen=fast), deque[float](maxlen=slow)
        self._fast_sum = self._slow_sum = 0.0
        self._above: bool | None = None
        self._onward = onward

    def on_receive(self, message: Any) -> None:
        self._onward.tell(message)
        fast, slow, close = self._fast, self._slow, float(message.close)
        if len(slow) == slow.maxlen:
            self._slow_sum -= slow[0]
        if len(fast) == fast.maxlen:
            self._fast_sum -= fast[0]
        slow.append(close)
        fast.append(close)
        self._slow_sum += close
        self._fast_sum += close
        if len(slow) == slow.maxlen:
            above = self._fast_sum / len(fast) > self._slow_sum / len(slow)
            if self._above is not None and above != self._above:
                self._onward.tell(("buy" if above else "sell", close))
            self._above = above


class _Executor(_Stepped):
    def __init__(self, runs: _Runs, onward: Any) -> None:
        super().__init__(runs)
        self._onward = onward

    def on_receive(self, message: Any) -> None:
        self._onward.tell(message)


class _Venue(_Stepped):
    def __init__(self, runs: _Runs, done: Counter[str]) -> None:
        super().__init__(runs)
        self._done = done
        self._waiting: list[Any] = []

    def on_receive(self, message: Any) -> None:
        if isinstance(message, Candle):
            self._done["candles"] += 1
            self._done["orders"] += len(self._waiting)
            self._waiting.clear()
        else:
            self._waiting.append(message)


def prototype_rate(candles: Sequence[Candle], fast: int, slow: int) -> float:
    """Candles a second through the four of them."""
    runs: _Runs = deque()
    done = Counter[str]()
    venue = _Venue.start(runs, done)
    executor = _Executor.start(runs, venue)
    strategy = _Strategy.start(runs, fast, slow, executor)
    feed = _Feed.start(runs, iter(candles), strategy)
    begun = time.perf_counter()
    feed.tell(_NEXT)
    while runs:
        handle, envelope = runs.popleft()
        handle(envelope.message)
    took = time.perf_counter() - begun
    assert done["candles"] == len(candles), done
    refs: tuple[pykka.ActorRef[Any], ...] = (feed, strategy, executor, venue)
    for ref in refs:
        pykka.ActorRegistry.unregister(ref)
    return len(candles) / took
