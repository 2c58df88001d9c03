"""Whether anything will ever call what a strategy has: a handler with a slip in it is silent."""

import inspect
from difflib import get_close_matches
from typing import Any

from strategies.protocol import Strategy

_TAKES = {
    "on_candle": "candle, position",
    "on_bar": "bar, timeframe, position",
    "on_trade": "trade, position",
    "on_tick": "tick, position",
    "on_book": "book, position",
    "on_timer": "due_ns, position",
    "on_update": "update",
    "on_fill": "fill, order",
}
_MADE_WITH = "params, symbol, order_notional, instrument"
_DECIDE = tuple(name for name in _TAKES if name not in ("on_update", "on_fill"))
_AS_GOOD_AS_THE_SAME = 0.8


def decides_on(strategy: Strategy | type[Strategy]) -> frozenset[str]:
    """Name the handlers by which an object, or a class, decides; `on_timer` only with a timer."""
    own = {name for name in _DECIDE if _is_own(strategy, name)}
    return frozenset(own if strategy.timer_s else own - {"on_timer"})


def constructor_problems(cls: Any, uses: str) -> list[str]:
    """Give one sentence if a class cannot be made as strategies are.

    Of one without a constructor all else is told with it, for none is there to set anything.
    """
    if cls.__init__ is object.__init__:
        said = f"{uses} has no constructor: write def __init__(self, {_MADE_WITH})"
        return [said, *handler_problems(cls.__new__(cls), uses)]
    try:
        inspect.signature(cls.__init__).bind("self", *_MADE_WITH.split(", "))
    except TypeError:
        return [f"{uses}: __init__ must take (self, {_MADE_WITH})"]
    except ValueError:
        return []  # of something compiled nobody can say
    return []


def handler_problems(strategy: Strategy, uses: str) -> list[str]:
    """Give one sentence for each handler of an object that would not be called, or not as it is."""
    own = [name for name in _TAKES if _is_own(strategy, name)]
    problems = [*_misspelt(strategy, own, uses), *_not_asked_for(strategy, own, uses)]
    for name in own:
        problems += _not_callable_so(getattr(strategy, name), f"{uses}: {name}", _TAKES[name])
    if not problems and not any(name in _DECIDE for name in own):
        problems.append(f"{uses} decides nothing: give it one of {', '.join(_DECIDE)}")
    return problems


def _is_own(strategy: Strategy | type[Strategy], name: str) -> bool:
    handler = getattr(strategy, name)
    return getattr(handler, "__func__", handler) is not getattr(Strategy, name)


def _misspelt(strategy: Strategy, own: list[str], uses: str) -> list[str]:
    missing = [handler for handler in _TAKES if handler not in own]
    return [
        f'{uses} has {name}, which nothing calls; did you mean "{close}"?'
        for name in dir(type(strategy))
        if name.startswith("on") and not hasattr(Strategy, name)
        for close in get_close_matches(name, missing, n=1, cutoff=_AS_GOOD_AS_THE_SAME)
    ]


def _not_asked_for(strategy: Strategy, own: list[str], uses: str) -> list[str]:
    """What it says itself is its own choice, by a param perhaps: also that there shall be none."""
    problems = []
    if "on_bar" in own and not _says(strategy, "timeframes"):
        problems.append(f'{uses} has on_bar and no bars: say which, as timeframes = ("5m",)')
    if "on_timer" in own and not _says(strategy, "timer_s"):
        problems.append(f"{uses} has on_timer and no timer: say how often, as timer_s = 60")
    return problems


def _says(strategy: Strategy, name: str) -> bool:
    kinds = type(strategy).__mro__
    return any(name in vars(one) for one in (strategy, *kinds[: kinds.index(Strategy)]))


def _not_callable_so(handler: Any, name: str, takes: str) -> list[str]:
    if inspect.iscoroutinefunction(handler):
        return [f"{name} is async, and nothing awaits it: write def"]
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        return [f"{name} has a yield: return its decisions, in a list where there are several"]
    try:
        inspect.signature(handler).bind(*takes.split(", "))
    except TypeError:
        return [f"{name} must take (self, {takes})"]
    except ValueError:
        return []  # of something compiled nobody can say
    return []
