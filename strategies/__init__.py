"""Floor 1, pure: market events in, decisions out. Here is who exists, by name or by file.

A strategy is made with (params, symbol, order_notional, instrument). Where its class has a
`Params` struct, the config's table becomes one; otherwise it gets the table as it is.

A registered strategy's file is imported when it is used: a run pays for its own alone.
"""

import sys
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import msgspec

from messages.errors import ConfigError, said_by
from messages.ids import Symbol
from messages.learning import learn
from messages.own_lines import line_of
from messages.values import Instrument
from strategies.declared import declared_problems
from strategies.from_file import class_from_file
from strategies.handlers import constructor_problems, handler_problems
from strategies.params import Bound, allowed, bounds_of, nearest
from strategies.protocol import Decision, Strategy, Target

__all__ = [
    "Decision",
    "Strategy",
    "Target",
    "all_params",
    "build",
    "check_params",
    "names",
    "strategy_class",
]

_REGISTERED = {
    "bollinger_reversion": "BollingerReversion",
    "donchian_breakout": "DonchianBreakout",
    "ema_cross": "EmaCross",
    "ensemble": "Ensemble",
    "grid": "Grid",
    "macd_trend": "MacdTrend",
    "pairs": "Pairs",
    "rsi_reversion": "RsiReversion",
    "sma_cross": "SmaCross",
    "time_series_momentum": "TimeSeriesMomentum",
}
"""The class of each, in the file of its name."""
_LONGEST_END, _SMALLEST_END = 12, 1e-300


def names() -> list[str]:
    """Give the names that `uses` may hold, beside ``path/to/file.py:ClassName``."""
    return sorted(_REGISTERED)


def check_params(uses: str, params: Mapping[str, Any], timeframe: str = "") -> list[str]:
    """Give one sentence per mistake; none when `build` will work. Runs a strategy's file.

    `timeframe` is that of the feed's candles, where it is known.

    Raises:
        ConfigError: there is no such strategy, or its file cannot be used.
    """
    cls = _find(uses)
    fields = _params_struct(cls)
    wrong = _no_struct(cls, uses) if fields is None else _problems(fields, uses, params)
    return wrong + declared_problems(cls, uses, timeframe)


def all_params(uses: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Give parameters that `check_params` has nothing against, and the defaults of the others.

    They mean the same. What cannot be written down, such as None, is left out.

    Raises:
        ConfigError: there is no such strategy, or its file cannot be used.
    """
    struct = _params_struct(_find(uses))
    if struct is None:
        return dict(params)
    made = msgspec.convert(dict(params), struct)
    told = {
        field.encode_name: _plain(getattr(made, field.name))
        for field in msgspec.structs.fields(struct)
    }
    return {**params, **{name: value for name, value in told.items() if value is not None}}


def _plain(value: Any) -> Any:
    try:
        return _without_none(msgspec.to_builtins(value))
    except (TypeError, ValueError, RecursionError):
        return None


def _without_none(value: Any) -> Any:
    """Raises ValueError where one stands in a list, whose other places it would move."""
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        if None in value:
            raise ValueError
        return [_without_none(one) for one in value]
    return value


def build(
    uses: str,
    params: Mapping[str, Any],
    symbol: Symbol,
    order_notional: Decimal,
    instrument: Instrument,
    others: Mapping[Symbol, Instrument] | None = None,
) -> Strategy:
    """Make a fresh strategy that has seen nothing; `others` are the symbols after its first.

    Raises:
        ConfigError: what `check_params` says, or the strategy's own constructor failed.
    """
    cls: Any = _find(uses)
    problems = check_params(uses, params) + constructor_problems(cls, uses)
    if problems:
        raise ConfigError(problems)
    struct = _params_struct(cls)
    values = dict(params) if struct is None else msgspec.convert(dict(params), struct)
    try:
        strategy: Any = cls.__new__(cls)
        strategy.instruments = {symbol: instrument, **(others or {})}
        strategy.symbols = tuple(strategy.instruments)
        strategy.__init__(values, symbol, order_notional, instrument)
    except (Exception, SystemExit) as error:  # a user's code may raise anything, and may exit
        where = line_of(error, str(getattr(sys.modules.get(cls.__module__), "__file__", "")))
        text = f"{uses} could not be made: {type(error).__name__}: {said_by(error)}"
        raise ConfigError([text + (f" ({where})" if where else "")]) from error
    problems = declared_problems(strategy, uses) + handler_problems(strategy, uses)
    if problems:
        raise ConfigError(problems)
    made: Strategy = strategy
    return made


def strategy_class(uses: str) -> type[Strategy]:
    """Give the class that `uses` names. Runs a strategy's file.

    Raises:
        ConfigError: there is none.
    """
    return _find(uses)


def _find(uses: str) -> type[Strategy]:
    if uses in _REGISTERED:
        cls: type[Strategy] = getattr(import_module(f"strategies.{uses}"), _REGISTERED[uses])
        return cls
    if ".py" in uses or ":" in uses:
        return class_from_file(uses)
    known = ", ".join(names())
    hint = _did_you_mean(uses, names()) or f" (known: {known}; or path/to/file.py:ClassName)"
    raise ConfigError([f'there is no strategy "{uses}"{hint}'])


def _params_struct(cls: type[Strategy]) -> type[msgspec.Struct] | None:
    struct = getattr(cls, "Params", None)
    is_struct = isinstance(struct, type) and issubclass(struct, msgspec.Struct)
    if not is_struct:
        return None
    learn(struct)
    return struct


def _no_struct(cls: Any, uses: str) -> list[str]:
    """A class of another kind is a person's own affair; a value looks as if it gave defaults."""
    if isinstance(getattr(cls, "Params", None), type | None):
        return []
    return [f"{uses}: Params is no class: write class Params(msgspec.Struct), a field for each"]


def _problems(struct: type[msgspec.Struct], uses: str, params: Mapping[str, Any]) -> list[str]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    bounds = bounds_of(struct)
    problems = [
        f'{uses} has no parameter "{name}"{_did_you_mean(name, list(fields)) or _takes(fields)}'
        for name in params
        if name not in fields
    ]
    for name, field in fields.items():
        if name in params:
            found = _wrong_type(name, params[name], field.type)
            problems += found and (_out_of_bounds(name, params[name], bounds[name]) or found)
        elif field.required:
            problems.append(f'{uses} needs the parameter "{name}"')
    return problems or _refused_together(struct, params)


def _wrong_type(name: str, value: object, kind: Any) -> list[str]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error).replace("`", "")
        return [f"{name} = {value!r}: {text[0].lower()}{text[1:]}"]
    return []


def _out_of_bounds(name: str, value: object, bound: Bound) -> list[str]:
    near = nearest(value, bound)
    if near is None or (bound.kind == "int" and not isinstance(value, int)):
        return []
    ends = [end for end in (bound.low, bound.high) if end is not None]
    if any(len(repr(end)) > _LONGEST_END or 0 < abs(end) < _SMALLEST_END for end in ends):
        return []  # an end that is not itself allowed: "expected float > 0.0" says it better
    return [f"{name} = {value!r}: expected {allowed(bound)} (the nearest is {near})"]


def _refused_together(struct: type[msgspec.Struct], params: Mapping[str, Any]) -> list[str]:
    try:
        msgspec.convert(dict(params), struct)
    except msgspec.ValidationError as error:
        return str(error.__cause__ or error).split("; ")
    return []


def _takes(fields: Mapping[str, object]) -> str:
    return f" (it takes: {', '.join(fields) or 'none'})"


def _did_you_mean(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
