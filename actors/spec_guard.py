"""Refuses a wrong supervisor before anything starts, as OTP's `check_childspecs` does.

A tree is put together in code, and what no type checker has seen would fail in silence: a child
whose `restart` is no `Restart` would just never be restarted.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from math import inf
from reprlib import repr as shortened
from typing import Any, NamedTuple

import msgspec

from actors.actor import Actor
from actors.children import ChildSpec, SupervisorSpec
from decisions.supervisor import (
    AutoShutdown,
    Backoff,
    Intensity,
    OnExhausted,
    Restart,
    Strategy,
)


class Rule(NamedTuple):
    """What one field may be: as a test, and in words that follow "must be"."""

    allows: Callable[[Any], bool]
    words: str


def _whole(least: int) -> Rule:
    return Rule(lambda v: type(v) is int and v >= least, f"a whole number from {least}")


def _a(kind: type, words: str) -> Rule:
    return Rule(lambda v: isinstance(v, kind), words)


def _one_of(kind: type[Enum]) -> Rule:
    *names, last = (f"{kind.__name__}.{one.name}" for one in kind)
    return _a(kind, f"{', '.join(names)} or {last}")


_YES_NO = _a(bool, "True or False")
NAME = Rule(
    lambda v: isinstance(v, str) and v != "" and "/" not in v, "a text without /, and not empty"
)
CHILD_RULES: Mapping[str, Rule] = {
    "name": NAME,
    "actor_class": Rule(lambda v: isinstance(v, type) and issubclass(v, Actor), "a kind of Actor"),
    "arguments": Rule(
        lambda v: isinstance(v, dict) and all(isinstance(key, str) for key in v),
        "a dict whose keys are texts",
    ),
    "restart": _one_of(Restart),
    "shutdown_ms": Rule(
        lambda v: v is None or v is msgspec.UNSET or _whole(0).allows(v),
        "a whole number from 0, None for ever, or not given",
    ),
    "drain": _YES_NO,
    "significant": _YES_NO,
    "start_timeout_ms": _whole(1),
    "capacity": _whole(1),
    "hang_after_ms": _whole(0),
    "replaces_hung": _YES_NO,
    "progress_ms": _whole(0),
}
SUPERVISOR_RULES: Mapping[str, Rule] = {
    "children": Rule(
        lambda v: isinstance(v, tuple) and all(isinstance(one, ChildSpec) for one in v),
        "a tuple of ChildSpec",
    ),
    "template": Rule(lambda v: v is None or isinstance(v, ChildSpec), "a ChildSpec or None"),
    "strategy": _one_of(Strategy),
    "intensity": _a(Intensity, "an Intensity"),
    "intensity_per_child": _YES_NO,
    "backoff": _a(Backoff, "a Backoff"),
    "auto_shutdown": _one_of(AutoShutdown),
    "on_exhausted": _one_of(OnExhausted),
    "fatal_errors": _a(frozenset, "a frozenset of names"),
    "passing_errors": _a(frozenset, "a frozenset of names"),
    "tolerant_start": _YES_NO,
    "check_every_ms": _whole(1),
    "on_halt": Rule(lambda v: v is None or callable(v), "a function or None"),
}
INTENSITY_RULES: Mapping[str, Rule] = {
    "max_restarts": _whole(0),
    "window_s": Rule(lambda v: type(v) in (int, float) and 0 < v < inf, "a number above 0"),
}
BACKOFF_RULES: Mapping[str, Rule] = dict.fromkeys(("min_ms", "max_ms", "reset_after_ms"), _whole(0))


def guard(spec: SupervisorSpec) -> None:
    """Refuse a supervisor that is no such thing, has such a child, or contradicts itself.

    Raises:
        ValueError: a sentence that says what to change.
    """
    _check(spec, SUPERVISOR_RULES, "a supervisor")
    _check(spec.intensity, INTENSITY_RULES, "a supervisor's intensity")
    _check(spec.backoff, BACKOFF_RULES, "a supervisor's backoff")
    children = [*spec.children, *([spec.template] if spec.template is not None else [])]
    for child in children:
        _check(child, CHILD_RULES, f"child {shortened(child.name)}")
    _guard_together(spec)
    for child in children:
        _guard_significant(child, spec.auto_shutdown)


def _check(spec: Any, rules: Mapping[str, Rule], whose: str) -> None:
    for field, rule in rules.items():
        value = getattr(spec, field)
        if not rule.allows(value):
            raise ValueError(f"{field} of {whose} must be {rule.words}, not {shortened(value)}")


def _guard_together(spec: SupervisorSpec) -> None:
    if (spec.template is None) is (spec.strategy is Strategy.SIMPLE_ONE_FOR_ONE):
        raise ValueError("a template goes with simple_one_for_one, and only with it")
    if spec.template is not None and spec.children:
        raise ValueError("simple_one_for_one starts without children; add them by StartChild")
    if spec.intensity_per_child and spec.strategy in (Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE):
        raise ValueError("intensity_per_child needs a strategy under which children are apart")
    names = [child.name for child in spec.children]
    if len(set(names)) != len(names):
        raise ValueError("two children of one supervisor have the same name")


def _guard_significant(child: ChildSpec, auto_shutdown: AutoShutdown) -> None:
    if child.significant and auto_shutdown is AutoShutdown.NEVER:
        raise ValueError(f"{child.name} is significant but auto_shutdown is never")
    if child.significant and child.restart is Restart.PERMANENT:
        raise ValueError(f"{child.name} is permanent and cannot be significant")
