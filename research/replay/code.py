"""Which strategies are replayed: those that ran, or others in their place."""

import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import strategies
from decisions.strategy import StrategyLike
from messages.errors import ConfigError
from messages.ids import StrategyId, Symbol
from messages.recorded import RunBegun, StrategySettings
from messages.values import Instrument
from strategies.protocol import Strategy
from strategies.siblings import code_of


class Otherwise(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be another than it was; as it stands on the command line."""

    params: tuple[str, ...] = ()
    """Each ``ID.NAME=VALUE``."""
    code_from: Path | None = None
    """A file of strategies, perhaps with ``:Class``, or a folder of such files."""
    former_root: Path | None = None
    """Of another checkout, which ran: strategies in files of it are looked for in this one."""

    @property
    def is_asked(self) -> bool:
        """Whether anything is another."""
        return bool(self.params or self.code_from or self.former_root)


def _params(ran: StrategySettings) -> dict[str, Any]:
    try:
        return tomllib.loads(ran.params)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"the journal's parameters of {ran.id} are no TOML: {error}"]) from error


class Cast(NamedTuple):
    """One strategy that ran, and the class and the parameters that are replayed in its place."""

    ran: StrategySettings
    uses: str
    params: dict[str, Any]

    def build(self, grid: Callable[[Symbol], Instrument]) -> StrategyLike:
        """Make one on the grids that are asked for.

        Raises:
            ConfigError: it cannot be made.
        """
        first, *others = self.ran.symbols
        more = {symbol: grid(symbol) for symbol in others}
        notional = self.ran.order_notional
        return strategies.build(self.uses, self.params, first, notional, grid(first), more)

    @property
    def notes(self) -> list[str]:
        """Say in what it is not the one that ran, as far as anybody knows."""
        before, name = _params(self.ran), self.ran.id
        told = [
            f"{name} is replayed with {key} = {value}; it ran with {_was(key, before)}"
            for key, value in self.params.items()
            if key not in before or before[key] != value
        ]
        ran, now = self.ran.code, _hash(self.uses)
        if ran and now and now != ran:
            where = f": {self.uses}" if self.uses != self.ran.uses else ""
            told.append(f"{name} is replayed by another code than ran{where}")
        return told


def _was(key: str, before: Mapping[str, Any]) -> str:
    return f"{key} = {before[key]}" if key in before else f"the default of {key}"


def cast_of(begun: RunBegun, otherwise: Otherwise) -> tuple[Cast, ...]:
    """Give the strategies that are replayed in the place of those that ran.

    Raises:
        ConfigError: what is asked for fits none of them.
    """
    there = begun.strategies
    uses = {one.id: _moved(one.uses, otherwise.former_root) for one in there}
    if otherwise.code_from is not None:
        uses |= _from(otherwise.code_from, there)
    changes = _changes(otherwise.params, there)
    return tuple(_cast(one, uses[one.id], changes.get(one.id, {})) for one in there)


def _cast(ran: StrategySettings, uses: str, changes: Mapping[str, Any]) -> Cast:
    params = {**_params(ran), **changes}
    try:
        wrong = strategies.check_params(uses, params)
    except ConfigError as error:
        wrong = error.problems
    if wrong:
        raise ConfigError([f"strategy {ran.id}: {sentence}" for sentence in wrong])
    return Cast(ran, uses, params)


def _hash(uses: str) -> str:
    module = strategies.strategy_class(uses).__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    return blake2b(code_of(Path(file)), digest_size=8).hexdigest() if file else ""


# ---------------------------------------------------------------- parameters


def _changes(params: Sequence[str], there: Sequence[StrategySettings]) -> dict[str, dict[str, Any]]:
    known = {one.id: one for one in there}
    changes: dict[str, dict[str, Any]] = {}
    for text in params:
        place, is_given, value = text.partition("=")
        name, _, key = place.strip().rpartition(".")
        if not (is_given and name and key):
            raise ConfigError([f"--param {text}: expected ID.NAME=VALUE, such as sma-1.fast=12"])
        if name not in known:
            raise ConfigError(
                [f'--param {text}: the run has no strategy "{name}"{_near(name, known)}']
            )
        changes.setdefault(name, {})[key] = _value(value.strip())
    return changes


def _near(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = get_close_matches(name, known, n=1)
    return f'; did you mean "{close[0]}"?' if close else f" (it has: {', '.join(known)})"


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


# ---------------------------------------------------------------- other files


def _moved(uses: str, former: Path | None) -> str:
    """Name the same file of this checkout, where it is a file of the former one."""
    if former is None:
        return uses
    file, colon, name = uses.rpartition(":")
    path = Path(file)
    if not colon or not path.is_absolute() or not path.is_relative_to(former):
        return uses
    here = Path(strategies.__file__).parents[1] / path.relative_to(former)
    return f"{here}:{name}" if here.is_file() else uses


def _from(source: Path, there: Sequence[StrategySettings]) -> dict[StrategyId, str]:
    """Take the classes of the strategies, by their names, from a file or from files of a folder."""
    file, _, cls = str(source).rpartition(":") if ".py:" in str(source) else (str(source), "", "")
    path = Path(file).absolute()
    if not path.exists():
        raise ConfigError([f"--code-from {source}: there is no such file or folder"])
    found = {one.id: uses for one in there if (uses := _uses_in(path, cls, one))}
    if not found:
        ran = ", ".join(f"{one.id} ({one.uses})" for one in there)
        what = f"the class {cls}" if cls else "the class of a strategy that ran"
        raise ConfigError([f"--code-from {source}: {what} is not in it; there ran {ran}"])
    return found


def _uses_in(path: Path, cls: str, one: StrategySettings) -> str:
    name = cls or _class_name(one.uses)
    files = [path] if path.is_file() else [path / Path(one.uses.rpartition(":")[0]).name]
    for file in files:
        if file.is_file() and _has_class(file, name):
            return f"{file}:{name}"
    return ""


def _class_name(uses: str) -> str:
    _, colon, name = uses.rpartition(":")
    return name if colon else strategies.strategy_class(uses).__name__


def _has_class(file: Path, name: str) -> bool:
    try:
        found: type[Strategy] = strategies.strategy_class(f"{file}:{name}")
    except ConfigError as error:
        if "has no class" in error.problems[0]:
            return False
        raise
    return found.__name__ == name
