"""Which values are searched: the declared bounds of the strategies' parameters, or those given."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

import msgspec

from messages.errors import ConfigError
from strategies.params import Bound

Value = int | float | str | bool
WIDE = 100
"""Whole numbers whose largest is so many times their smallest are searched by their logarithm."""
MOST_LISTED = 100_000
"""Spaces of more sets than this are not gone through one by one."""


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter. Its values: `choices`, or from `low` to `high`, both of them too."""

    strategy: str
    name: str
    low: float = 0
    high: float = 0
    step: float | None = None
    """None for any number between."""
    is_int: bool = False
    choices: tuple[Value, ...] = ()

    @property
    def label(self) -> str:
        """Its name among those of all strategies."""
        return f"{self.strategy}.{self.name}"

    @property
    def is_log(self) -> bool:
        """Whether small values are as likely as large ones."""
        plain = self.is_int and self.step in (None, 1)
        return plain and self.low >= 1 and self.high >= WIDE * self.low

    def values(self) -> list[Value] | None:
        """Give all of them; None where they cannot be counted."""
        if self.choices:
            return list(self.choices)
        step = self.step or (1 if self.is_int else 0)
        if not step:
            return None
        steps = (Decimal(str(self.high)) - Decimal(str(self.low))) / Decimal(str(step))
        count = math.floor(float(steps) + 1e-9) + 1
        if count > MOST_LISTED:
            return None
        if self.is_int:
            return [int(self.low) + int(step) * place for place in range(count)]
        return [self._at(place) for place in range(count)]

    def nearest(self, value: Value) -> Value:
        """Give the value of a step that a proposal means: 0.3 for 0.30000000000000004."""
        if self.choices or self.is_int or self.step is None:
            return value
        return self._at(round((float(value) - self.low) / self.step))

    def _at(self, place: int) -> float:
        """As a person would add it up: floats do not meet 0.3 in steps of 0.1."""
        return float(Decimal(str(self.low)) + Decimal(str(self.step or 1)) * place)

    def __str__(self) -> str:
        """As `--param` takes it."""
        if self.choices:
            return f"{self.label}={','.join(map(str, self.choices))}"
        ends = f"{self.label}={_short(self.low)}:{_short(self.high)}"
        return ends if self.step is None else f"{ends}:{_short(self.step)}"


def _short(end: float) -> str:
    """Give an end as a person writes it; the least number above 0 is theirs as 0."""
    return "0" if 0 < end < 1e-300 else f"{end:.15g}"


def sets(axes: Sequence[Axis]) -> list[dict[str, Value]] | None:
    """Give every set of values; None where there are too many of them."""
    columns = [axis.values() for axis in axes]
    counted = [column for column in columns if column is not None]
    if len(counted) < len(axes) or math.prod(map(len, counted)) > MOST_LISTED:
        return None
    labels = [axis.label for axis in axes]
    return [dict(zip(labels, row, strict=True)) for row in product(*counted)]


def nearest(axes: Sequence[Axis], found: Mapping[str, Any]) -> dict[str, Value]:
    """Give a set as `sets` has it, so that one set has one key."""
    by_label = {axis.label: axis for axis in axes}
    return {label: by_label[label].nearest(value) for label, value in found.items()}


def by_strategy(axes: Sequence[Axis], found: Mapping[str, Any]) -> dict[str, dict[str, Value]]:
    """Give the values of one set by strategy and parameter."""
    nested: dict[str, dict[str, Value]] = {}
    for axis in axes:
        if axis.label in found:
            nested.setdefault(axis.strategy, {})[axis.name] = found[axis.label]
    return nested


def key_of(found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Give the same for equal sets."""
    return tuple(sorted((name, repr(value)) for name, value in found.items()))


def params_text(params: Mapping[str, Mapping[str, Value]]) -> str:
    """Give values as a person reads them; without the strategy where there is but one."""
    several = len(params) > 1
    return ", ".join(
        f"{strategy + '.' if several else ''}{name} = {_value(value)}"
        for strategy, values in params.items()
        for name, value in values.items()
    )


def _value(value: Value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


Declared = Mapping[str, Mapping[str, tuple[Bound, tuple[Any, ...]]]]
"""By strategy and parameter: its bounds, and its choices where it has them."""


def axes_of(declared: Declared, asked: Sequence[str]) -> list[Axis]:
    """Give what `asked` names (``fast=5:50``, ``id.fast=5:50:5``, ``kind=a,b``), or all there is.

    Raises:
        ConfigError: one sentence per mistake, or nothing can be searched.
    """
    problems: list[str] = []
    axes: dict[str, Axis] = {}
    for text in asked:
        try:
            axis = _asked(declared, text)
        except ValueError as error:
            problems.append(f"--param {text}: {error}")
            continue
        if axis.label in axes:
            problems.append(f"--param {text}: {axis.label} is given twice")
        axes[axis.label] = axis
    if problems:
        raise ConfigError(problems)
    found = list(axes.values()) or list(_all_closed(declared))
    if not found:
        raise ConfigError([_nothing(declared)])
    return found


def _all_closed(declared: Declared) -> Iterator[Axis]:
    for strategy, params in declared.items():
        for name, (bound, choices) in params.items():
            if axis := _closed(strategy, name, bound, choices):
                yield axis


def _closed(strategy: str, name: str, bound: Bound, choices: tuple[Any, ...]) -> Axis | None:
    if bound.kind == "bool":
        return Axis(strategy=strategy, name=name, choices=(False, True))
    if bound.kind == "choice":
        return Axis(strategy=strategy, name=name, choices=choices)
    low, high = bound.low, bound.high
    if bound.kind not in ("int", "float") or low is None or high is None or low == high:
        return None
    return Axis(strategy=strategy, name=name, low=low, high=high, is_int=bound.kind == "int")


def _nothing(declared: Declared) -> str:
    names = _labels(declared)
    if not names:
        return "no strategy of this configuration has a parameter to search: declare Params"
    example = next(iter(names))
    return (
        "no parameter has declared bounds at both ends: say what to search, such as"
        f" --param {example}=5:50 (there are: {', '.join(names)})"
    )


def _labels(declared: Declared) -> dict[str, tuple[str, str]]:
    """Give what each parameter may be called; without its strategy where there is but one."""
    if len(declared) == 1:
        ((strategy, params),) = declared.items()
        return {name: (strategy, name) for name in params}
    return {f"{one}.{name}": (one, name) for one, params in declared.items() for name in params}


def _asked(declared: Declared, text: str) -> Axis:
    label, is_given, values = text.partition("=")
    known = _labels(declared)
    strategy, name = known.get(label) or _whole_label(declared, label)
    bound, choices = declared[strategy][name]
    if not is_given:
        axis = _closed(strategy, name, bound, choices)
        if axis is None:
            raise ValueError(f"it has no declared bounds at both ends: give {label}=LOW:HIGH")
        return axis
    if ":" in values:
        return _range(strategy, name, bound, values)
    return _listed(strategy, name, bound, choices, values)


def _whole_label(declared: Declared, label: str) -> tuple[str, str]:
    for strategy, params in declared.items():
        for name in params:
            if f"{strategy}.{name}" == label:
                return strategy, name
    there = ", ".join(_labels(declared))
    known = f"there are: {there}" if there else "the strategies declare no Params"
    raise ValueError(f"there is no such parameter ({known})")


def _range(strategy: str, name: str, bound: Bound, text: str) -> Axis:
    if bound.kind not in ("int", "float", "other"):
        raise ValueError(f"it is a {bound.kind}: list its values, {name}=A,B")
    ends = text.split(":")
    if len(ends) not in (2, 3):
        raise ValueError("expected LOW:HIGH or LOW:HIGH:STEP")
    if bound.kind == "other":
        raise ValueError("it is neither a number nor one of a few values: it cannot be searched")
    is_int = bound.kind == "int"
    low, high, *step = (_number(one, is_int=is_int) for one in ends)
    if high <= low:
        raise ValueError(f"{ends[1]} is not more than {ends[0]}")
    if step and not 0 < step[0] <= high - low:
        raise ValueError(f"the step {ends[2]} is not between 0 and the range")
    for end in (low, high):
        if (bound.low is not None and end < bound.low) or (
            bound.high is not None and end > bound.high
        ):
            raise ValueError(f"{end} is out of the declared bounds ({_bounds(bound)})")
    width = step[0] if step else None
    return Axis(strategy=strategy, name=name, low=low, high=high, step=width, is_int=is_int)


def _listed(strategy: str, name: str, bound: Bound, choices: tuple[Any, ...], text: str) -> Axis:
    words = [word for word in text.split(",") if word]
    if len(set(words)) < 2:
        raise ValueError("expected LOW:HIGH, or two values or more: A,B")
    values: Iterable[Value]
    if bound.kind in ("int", "float"):
        values = [_number(word, is_int=bound.kind == "int") for word in words]
    elif bound.kind == "bool":
        wrong = [word for word in words if word.lower() not in ("false", "true")]
        if wrong:
            raise ValueError(f"{wrong[0]} is none of false, true")
        values = (False, True)
    else:
        named = {str(choice): choice for choice in choices}
        wrong = [word for word in words if word not in named]
        if wrong:
            raise ValueError(f"{wrong[0]} is none of {', '.join(named) or 'its values'}")
        values = [named[word] for word in words]
    return Axis(strategy=strategy, name=name, choices=tuple(values))


def _number(text: str, *, is_int: bool) -> float:
    try:
        number = int(text) if is_int else float(text)
    except ValueError:
        kind = "a whole number" if is_int else "a number"
        raise ValueError(f"{text!r} is not {kind}") from None
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a number")
    return number


def _bounds(bound: Bound) -> str:
    low = "any" if bound.low is None else bound.low
    return f"{low} to {'any' if bound.high is None else bound.high}"
