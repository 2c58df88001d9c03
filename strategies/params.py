"""The bounds that a strategy's `Params` declares: for `check`, for an optimiser, for a person.

A field declares them in its type, `fast: Annotated[int, msgspec.Meta(ge=2, le=200)]`.
"""

import math
from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

Number = int | float


class Bound(NamedTuple):
    """Which values one parameter takes; both ends belong to it, None is an open end.

    `kind` is ``int``, ``float``, ``bool``, ``choice`` (one of `choices`) or ``other``.
    """

    kind: str
    low: Number | None
    high: Number | None

    @property
    def is_closed(self) -> bool:
        """Whether every value can be drawn from it: what an optimiser needs."""
        return self.kind == "bool" or (self.low is not None and self.high is not None)


def bounds_of(struct: type[msgspec.Struct]) -> dict[str, Bound]:
    """Give each parameter's bounds, by the name it has in the config.

    An end that is not itself allowed (`gt`, `lt`) is given as the nearest value that is.
    """
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name: _bound(field.type) for field in info.fields}


def choices_of(struct: type[msgspec.Struct], name: str) -> tuple[Any, ...]:
    """Give the values of a parameter that is one of a closed set; else none.

    For a ``choice`` whose bounds say how many there are: `low` is 0, `high` the last place.
    """
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return next((_choices(_plain(f.type)) for f in info.fields if f.encode_name == name), ())


def nearest(value: object, bound: Bound) -> Number | None:
    """Give the value nearest to a number that is out of bounds; None when it is not out of them."""
    if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
        return None
    if bound.low is not None and value < bound.low:
        return bound.low
    return bound.high if bound.high is not None and value > bound.high else None


def allowed(bound: Bound) -> str:
    """Say which values are allowed, for a person: ``2 to 200``, ``2 or more``, ``200 or less``."""
    if bound.low is None:
        return f"{bound.high} or less"
    return f"{bound.low} or more" if bound.high is None else f"{bound.low} to {bound.high}"


def _bound(kind: inspect.Type) -> Bound:
    plain = _plain(kind)
    if isinstance(plain, inspect.IntType):
        return Bound("int", _end(plain.ge, plain.gt, 1), _end(plain.le, plain.lt, -1))
    if isinstance(plain, inspect.FloatType):
        low = _float_end(plain.ge, plain.gt, math.inf)
        return Bound("float", low, _float_end(plain.le, plain.lt, -math.inf))
    if isinstance(plain, inspect.BoolType):
        return Bound("bool", None, None)
    choices = _choices(plain)
    return Bound("choice", 0, len(choices) - 1) if choices else Bound("other", None, None)


def _plain(kind: inspect.Type) -> inspect.Type:
    """Look through `Annotated` with more than bounds, and through an optional type."""
    if isinstance(kind, inspect.Metadata):
        return _plain(kind.type)
    if isinstance(kind, inspect.UnionType):
        others = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return _plain(others[0]) if len(others) == 1 else kind
    return kind


def _choices(kind: inspect.Type) -> tuple[Any, ...]:
    if isinstance(kind, inspect.LiteralType):
        return tuple(kind.values)
    if isinstance(kind, inspect.EnumType):
        members: Iterable[Enum] = kind.cls
        return tuple(member.value for member in members)
    return ()


def _end(inclusive: float | None, exclusive: float | None, step: int) -> int | None:
    ends = [] if inclusive is None else [int(inclusive)]
    ends += [] if exclusive is None else [int(exclusive) + step]
    return (max if step > 0 else min)(ends, default=None)


def _float_end(inclusive: float | None, exclusive: float | None, toward: float) -> float | None:
    ends = [] if inclusive is None else [float(inclusive)]
    ends += [] if exclusive is None else [math.nextafter(exclusive, toward)]
    return (max if toward > 0 else min)(ends, default=None)
