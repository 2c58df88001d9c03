"""What can be said of a strategy object: where its code stands, and what it holds."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from messages.errors import BadDecision
from messages.own_lines import line_of

_SET_FOR_IT = ("symbols", "instruments", "positions", "open_orders")


def file_of(strategy: object) -> str:
    """Give the file that its class stands in; empty where it stands in none."""
    return str(getattr(sys.modules.get(type(strategy).__module__), "__file__", ""))


def own_line(strategy: object, error: BaseException) -> str:
    """Give its own line that an error comes from; empty when it is not its own."""
    if isinstance(error, BadDecision):
        handler = getattr(type(strategy), error.handler, None)
        code = getattr(handler, "__code__", None)
        name = Path(code.co_filename).name if code is not None else ""
        return f"{name}:{code.co_firstlineno}, in {error.handler}" if code is not None else ""
    return line_of(error, file_of(strategy))


def held_by(strategy: object) -> dict[str, Any]:
    """Give what it holds of its own, not what was set for it."""
    held = getattr(strategy, "__dict__", {})
    return {name: value for name, value in held.items() if name not in _SET_FOR_IT}


def state_of(strategy: object, clean: Callable[[str], str]) -> dict[str, str]:
    """Give each thing that it holds as a short text, cleaned before it is cut."""
    held = getattr(strategy, "__dict__", {})
    return {name.lstrip("_"): clean(repr(value))[:200] for name, value in sorted(held.items())}
