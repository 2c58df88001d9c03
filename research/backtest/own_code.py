"""Which call into a strategy's own code a thread is in: a loop without a clock has no other mark.

A call has a frame of its own for as long as it goes on. So the outermost frame of a strategy's
file on the stack is another one at each event, and one that is the same for a minute has not come
back. The loop pays nothing for it.
"""

import sys
from collections.abc import Callable
from inspect import CO_VARARGS
from types import FrameType
from typing import Any, TypeVar

import msgspec

from decisions.strategy import StrategyLike
from messages.errors import ConfigError
from messages.ids import StrategyId
from messages.market import Candle, Tick, Trade
from messages.own_lines import line_of, line_of_stack
from messages.patience import Hung, Patience, last_line
from research.backtest.plan import Plan, StrategyPlan
from research.texts import event_text, moment
from strategies.protocol import Strategy

Given = TypeVar("Given")


class OwnCode:
    """That of a plan's strategies; `plan` is the same one, and is to be run in its place."""

    def __init__(self, plan: Plan) -> None:
        self._files: set[str] = set()
        self._ids: dict[int, StrategyId] = {}
        self._making: StrategyId | None = None
        strategies = tuple(self._watched(one) for one in plan.strategies)
        self.plan = msgspec.structs.replace(plan, strategies=strategies)

    def call(self, frame: FrameType | None) -> object:
        """Give the call that a stack is in, by its innermost frame; None outside of one."""
        if self._making is not None:
            return self._making
        found = None
        while frame is not None:
            if frame.f_code.co_filename in self._files:
                found = frame
            frame = frame.f_back
        return found

    def mark(self) -> object:
        """Give the call of the thread that asks; outside of one something new each time."""
        return self.call(sys._getframe()) or object()

    def where(self, error: Hung, limit_s: float) -> str:
        """Say which call was interrupted: whose, on what, at which line."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename not in self._files:
            trace = trace.tb_next
        if self._making is not None or trace is None:
            return self._said(None, limit_s, last_line(error))
        frame = trace.tb_frame
        return self._said(frame, limit_s, line_of(error, frame.f_code.co_filename))

    def where_now(self, frame: FrameType, limit_s: float) -> str:
        """Say the same of a stack that is in a call still, by its innermost frame."""
        call = self._frame_of(frame)
        return self._said(call, limit_s, _line_now(call, frame))

    def here(self) -> str:
        """Say whose call the thread that asks is in, on what, at which line."""
        frame = sys._getframe()
        call = self._frame_of(frame)
        return f"{self._who(call)} ({_line_now(call, frame)})"

    def _frame_of(self, frame: FrameType) -> FrameType | None:
        call = self.call(frame)
        return call if isinstance(call, FrameType) else None

    def _said(self, call: FrameType | None, limit_s: float, line: str) -> str:
        at = " as it was made" if call is None else ""
        return f"{self._who(call, f' did not come back within {limit_s:g} s{at}')} ({line})"

    def _who(self, call: FrameType | None, does: str = "") -> str:
        if call is None:
            return f"strategy {self._making or 'code'}{does}"
        given = _given(call)
        name = next((self._ids[id(one)] for one in given[:1] if id(one) in self._ids), "code")
        return f"strategy {name}{does}{_on(given[1]) if len(given) > 1 else ''}"

    def _watched(self, strategy: StrategyPlan) -> StrategyPlan:
        build = strategy.build

        def built() -> StrategyLike:
            self._making = strategy.id
            try:
                made = build()
            except Exception:
                self._making = None
                raise
            self._making = None
            self._ids[id(made)] = strategy.id
            self._files |= _files_of(type(made))
            return made

        return msgspec.structs.replace(strategy, build=built)


def in_time(own: OwnCode, patience: Patience, work: Callable[[], Given]) -> Given:
    """Do it in the main thread; a call that does not come back ends it.

    Raises:
        ConfigError: one did not.
    """
    try:
        return patience.over(work, own.mark, own.here)
    except Hung as error:
        text = own.where(error, patience.limit_s)
        raise ConfigError([f"{text}: mend it there, or give it longer (--event-limit-s)"]) from None


def _line_now(call: FrameType | None, frame: FrameType) -> str:
    file = frame.f_code.co_filename if call is None else call.f_code.co_filename
    return line_of_stack(frame, file)


def _given(call: FrameType) -> list[Any]:
    """Give what a call was made with: it is there still, unless its names were used otherwise."""
    code, names = call.f_code, call.f_locals
    given = [names.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_flags & CO_VARARGS:
        given += names.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount], ())
    return given


def _files_of(cls: type) -> set[str]:
    """Give the files of its classes, but for the one that all inherit."""
    modules = (sys.modules.get(one.__module__) for one in cls.__mro__ if one is not Strategy)
    return {file for one in modules if (file := getattr(one, "__file__", None))}


def _on(shown: Any) -> str:
    if isinstance(shown, Candle | Trade | Tick):
        return f" on {event_text(shown)}"
    return f" on its timer of {moment(shown)}" if isinstance(shown, int) else ""
