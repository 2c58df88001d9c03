"""What a study is of: another market, strategy or range makes another study."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from research.backtest.plan import Plan
from research.optimise.space import Axis
from research.optimise.trial import size_of, uses_of
from research.optimise.windows import Window
from strategies.siblings import code_of


def manifest_of(
    plan: Plan, digest: str, axes: Sequence[Axis], windows: Sequence[Window], aim: Sequence[object]
) -> dict[str, str]:
    """Give a name for each thing that results depend on, by what it is called.

    A strategy in a file of its own is known by the file's bytes and those of what it imports from
    beside it; what else it imports is not looked at.
    """
    return {
        "data": digest,
        "strategies": _hash([_strategy(one, axes) for one in plan.strategies]),
        "order sizes": _hash([[*size_of(one), one.decided_until_ns] for one in plan.strategies]),
        "venue settings": _hash(plan.venue),
        "limits": _hash(plan.limits),
        "ranges": _hash(sorted(map(str, axes))),
        "windows": _hash(list(windows)),
        "objective, least orders or pruning": _hash(list(aim)),
    }


def _strategy(strategy: Any, axes: Sequence[Axis]) -> list[Any]:
    uses, params = uses_of(strategy)
    searched = {axis.name for axis in axes if axis.strategy == strategy.id}
    fixed = {name: value for name, value in params.items() if name not in searched}
    file, is_file, name = uses.partition(".py:")
    if is_file:
        code = blake2b(code_of(Path(f"{file}.py")), digest_size=16).hexdigest()
        return [strategy.id, strategy.traded, name, code, fixed]
    return [strategy.id, strategy.traded, uses, "", fixed]


def _hash(value: Any) -> str:
    data = msgspec.json.encode(value, order="sorted", enc_hook=repr)
    return blake2b(data, digest_size=16).hexdigest()
