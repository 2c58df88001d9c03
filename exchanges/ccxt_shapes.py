"""Whether ccxt can take what `[venue.ccxt]` gives it: it looks at nothing, and fails late."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import partial
from math import isfinite
from typing import Any

from messages.errors import VenueRefused

_TABLES = frozenset({"api", "exceptions", "fees", "has", "headers", "limits", "options", "urls"})
_TEXTS = frozenset({"cafile", "hostname"})
_NUMBERS = frozenset({"rateLimit", "timeout"})
_OWN = frozenset({"cafile", "sandbox"})
"""Settings that ccxt's class has no attribute for before it is made."""
_NO_STATE = frozenset({"accounts", "currencies", "markets"})
"""What ccxt learns from the exchange; whoever gives it by hand trades by yesterday's rules."""


def refuse_misshapen(config: dict[str, Any], kind: Any) -> None:
    """Refuse what ccxt's class `kind` would break at: later, and as if by the network.

    Raises:
        VenueRefused: one sentence that names the first such setting, and says what to do.
    """
    for problem in _problems(config, kind):
        raise VenueRefused(f"[venue.ccxt] {problem}")


def _problems(config: dict[str, Any], kind: Any) -> Iterator[str]:
    parts = _NO_STATE | {_spelled(one) for one in dir(kind) if callable(getattr(kind, one))}
    for name, value in config.items():
        if _spelled(name) in parts:
            yield f"{name} is no setting, but a part of ccxt that it would replace: remove it"
        elif wanted := _wanted(name, value):
            yield f"{name} is {_shown(value)}: give {wanted}, or remove it"
        elif near := _meant(name, kind):
            yield f"{name} is not known to ccxt: did you mean {near}?"
    for name, value in (config.get("headers") or {}).items():
        if not isinstance(value, str):
            yield f"headers.{name} is {_shown(value)}: give a text"


def _wanted(name: str, value: Any) -> str:
    """Say what a setting takes that has something else; nothing where it is right, or unknown."""
    if name in _TABLES:
        return "" if isinstance(value, dict) else "a table"
    if name in _NUMBERS:
        return "" if _is_positive(value) else "a number of milliseconds above 0"
    if name in _TEXTS or name.lower().endswith("proxy"):
        return "" if isinstance(value, str) else "a text"
    return ""


def _shown(value: Any) -> str:
    """Say what is there, and of a text, which may be a login, only that it is one."""
    names: dict[type, str] = {str: "a text", list: "a list", dict: "a table"}
    return names.get(type(value)) or str(value).lower()


def _is_positive(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and isfinite(value) and value > 0


def _meant(name: str, kind: Any) -> str:
    """Give the setting that is spelled almost like one that ccxt would keep and never look at."""
    if name in _OWN or hasattr(kind, name):
        return ""
    names = sorted(filter(partial(_is_setting, kind), dir(kind)), key=_is_old, reverse=True)
    settings = {_spelled(one): one for one in names}
    near = get_close_matches(_spelled(name), settings, 1, 0.85)
    return settings[near[0]] if near else ""


def _is_old(name: str) -> bool:
    """Whether it is of ccxt's older spelling: `https_proxy`."""
    return "_" in name


def _is_setting(kind: Any, name: str) -> bool:
    return not name.startswith("_") and not callable(getattr(kind, name))


def _spelled(name: str) -> str:
    """Give a name as one that is both ccxt's `fetch_markets` and its `fetchMarkets`."""
    return name.lower().replace("_", "")
