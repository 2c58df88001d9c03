"""Strategies that misbehave, each in its own way, around an sma_cross that does not."""

import os
import sys
import threading
from decimal import Decimal
from pathlib import Path

import pykka

from actors.executor import ExecutorActor
from messages.market import Candle
from strategies.protocol import Decision
from strategies.sma_cross import SmaCross


class RaisesEvery500(SmaCross):
    """Raises on each 500th candle that is new to it; what it was shown before is no trouble."""

    new = last_ts = 0

    def on_candle(self, candle: Candle, position: Decimal) -> "tuple[Decision, ...]":
        cls = RaisesEvery500
        if candle.ts_open_ns > cls.last_ts:
            cls.last_ts = candle.ts_open_ns
            cls.new += 1
            if cls.new % 500 == 0:
                raise RuntimeError("every five hundredth candle is too much for me")
        return tuple(super().on_candle(candle, position))


class Hangs(SmaCross):
    """Hangs on one candle, once."""

    hung = False

    def on_candle(self, candle: Candle, position: Decimal) -> "tuple[Decision, ...]":
        if not Hangs.hung and candle.ts_open_ns % (1_000 * 60_000_000_000) == 0:
            Hangs.hung = True
            threading.Event().wait()
        return tuple(super().on_candle(candle, position))


class TakesItsTime(SmaCross):
    """Is as slow with each candle as a model may be: seconds, from the environment."""

    def on_candle(self, candle: Candle, position: Decimal) -> "tuple[Decision, ...]":
        threading.Event().wait(float(os.environ.get("SLOW_S", "0")))
        return tuple(super().on_candle(candle, position))


class CallsExit(SmaCross):
    """Calls sys.exit on one new candle in a thousand."""

    last_ts = 0

    def on_candle(self, candle: Candle, position: Decimal) -> "tuple[Decision, ...]":
        is_new = candle.ts_open_ns > CallsExit.last_ts
        CallsExit.last_ts = max(candle.ts_open_ns, CallsExit.last_ts)
        if is_new and candle.ts_open_ns % (1_000 * 60_000_000_000) == 0:
            sys.exit(3)
        return tuple(super().on_candle(candle, position))


class FailsToStart(SmaCross):
    """Is made once to be asked what it wants, while a run is put together; never by its actor."""

    made = 0

    def __init__(self, *arguments: object) -> None:
        FailsToStart.made += 1
        if FailsToStart.made > 1:
            raise RuntimeError("not today")
        super().__init__(*arguments)  # type: ignore[arg-type]  # whatever the base takes


class FailsAlways(SmaCross):
    """Raises on every candle."""

    def on_candle(self, candle: Candle, position: Decimal) -> "tuple[Decision, ...]":
        raise RuntimeError("no candle suits me")


class LosesTheMarket(SmaCross):
    """Takes away the part of the market that was not read yet, as a disk that goes does."""

    def on_candle(self, candle: Candle, position: Decimal) -> "tuple[Decision, ...]":
        Path(os.environ["LOST_FILE"]).unlink(missing_ok=True)
        return tuple(super().on_candle(candle, position))


class CutsTheMarket(SmaCross):
    """Writes over the market while it is read, as `cp` and a shell's `>` do."""

    def on_candle(self, candle: Candle, position: Decimal) -> "tuple[Decision, ...]":
        os.truncate(os.environ["CUT_FILE"], 5_000)
        return tuple(super().on_candle(candle, position))


class StopsTheMetrics(SmaCross):
    """Stops another actor on every candle, as code in the same process can."""

    def on_candle(self, candle: Candle, position: Decimal) -> "tuple[Decision, ...]":
        for ref in pykka.ActorRegistry.get_by_class_name("MetricsActor"):
            ref.stop(block=False)
        return tuple(super().on_candle(candle, position))


class SpoilsTheEnd(SmaCross):
    """Has the executor fail at each orderly end, as code in the same process can."""

    def on_candle(self, candle: Candle, position: Decimal) -> "tuple[Decision, ...]":
        ExecutorActor.stopping = _fail  # type: ignore[method-assign]  # that is the mischief
        return tuple(super().on_candle(candle, position))


def _fail(self: ExecutorActor) -> None:
    raise MemoryError(f"no room for the last word of {self.ctx.path}")
