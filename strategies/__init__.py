"""Floor 1, pure: market events in, decisions out. Here is who exists, by name or by file.

A strategy is made with (params, symbol, order_notional, instrument). Where its class has a
`Params` struct, the config's table becomes one; otherwise it gets the table as it is.

A registered strategy's file is imported when it is used: a run pays for its own alone.
"""

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import msgspec

from messages.errors import ConfigError
from messages.ids import Symbol
from messages.values import Instrument
from strategies.from_file import class_from_file
from strategies.protocol import Decision, Strategy

__all__ = ["Decision", "Strategy", "build", "check_params", "names"]

_REGISTERED = {
    "bollinger_reversion": "BollingerReversion",
    "donchian_breakout": "DonchianBreakout",
    "ema_cross": "EmaCross",
    "ensemble": "Ensemble",
    "grid": "Grid",
    "macd_trend": "MacdTrend",
    "rsi_reversion": "RsiReversion",
    "sma_cross": "SmaCross",
    "time_series_momentum": "TimeSeriesMomentum",
}
"""The class of each, in the file of its name."""


def names() -> list[str]:
    """Give the names that `uses` may hold, beside ``path/to/file.py:ClassName``."""
    return sorted(_REGISTERED)


def check_params(uses: str, params: Mapping[str, Any]) -> list[str]:
    """Give one sentence per mistake; none when `build` will work. Runs a strategy's file."""
    try:
        fields = _params_struct(_find(uses))
    except ConfigError as error:
        return error.problems
    return [] if fields is None else _problems(fields, uses, params)


def build(
    uses: str,
    params: Mapping[str, Any],
    symbol: Symbol,
    order_notional: Decimal,
    instrument: Instrument,
) -> Strategy:
    """Make a fresh strategy that has seen nothing.

    Raises:
        ConfigError: what `check_params` says, or the strategy's own constructor failed.
    """
    problems = check_params(uses, params)
    if problems:
        raise ConfigError(problems)
    cls: Any = _find(uses)
    struct = _params_struct(cls)
    values = dict(params) if struct is None else msgspec.convert(dict(params), struct)
    try:
        strategy: Strategy = cls(values, symbol, order_notional, instrument)
    except Exception as error:  # a user's code may raise anything
        text = f"{uses} could not be made: {type(error).__name__}: {error}"
        raise ConfigError([text]) from error
    return strategy


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
    return struct if is_struct else None


def _problems(struct: type[msgspec.Struct], uses: str, params: Mapping[str, Any]) -> list[str]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    problems = [
        f'{uses} has no parameter "{name}"{_did_you_mean(name, list(fields)) or _takes(fields)}'
        for name in params
        if name not in fields
    ]
    for name, field in fields.items():
        if name in params:
            problems += _wrong_type(name, params[name], field.type)
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
