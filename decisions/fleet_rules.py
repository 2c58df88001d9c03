"""How the bots of a fleet are treated, and which of its rules one has broken. Pure."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from decisions.fleet_bot import BotFacts, BotMemory, Measure
from decisions.supervisor import Backoff, Intensity
from messages.ids import NS_PER_S


class Act(StrEnum):
    """What a rule may ask for."""

    WARN = "warn"
    RESTART = "restart"
    """Drain it and start it again."""
    PARK = "park"
    """Drain it and leave it to a person."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """`measure` above `over` for `for_s` seconds at a stretch asks for `act`."""

    measure: Measure
    over: float
    act: Act
    for_s: float = 0.0


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How the bots of a fleet are treated."""

    rules: tuple[Rule, ...] = ()
    intensity: Intensity = Intensity(max_restarts=5, window_s=300.0)
    backoff: Backoff = Backoff(min_ms=500, max_ms=60_000, reset_after_ms=60_000)
    drain_s: float = 45.0
    """How long an orderly end may take before the process is killed."""
    silent_s: float = 30.0
    """A process whose last word is older than this hangs, whatever its pid says."""
    start_s: float = 60.0
    """How long it may take from the start to its first word."""


def broken(rules: Sequence[Rule], memory: BotMemory, facts: BotFacts, told_ns: int) -> list[Rule]:
    """Give the rules whose bound has been crossed for long enough; note since when each is.

    For as long as the bot has said so, up to its last word: what it does not say proves nothing.
    """
    found, over_ns = [], {}
    for rule in rules:
        value = facts.measures.get(rule.measure)
        if value is None or value <= rule.over:
            continue
        name = f"{rule.measure} {rule.over} {rule.for_s} {rule.act}"
        over_ns[name] = since_ns = memory.over_ns.get(name, told_ns)
        if told_ns - since_ns >= rule.for_s * NS_PER_S:
            found.append(rule)
    memory.over_ns = over_ns
    return found


def sentence(rule: Rule, facts: BotFacts) -> str:
    """Say what a rule has found."""
    value = facts.measures[rule.measure]
    held = f" for {rule.for_s:g} s" if rule.for_s else ""
    return f"{rule.measure} is {value:.6g}, over {rule.over:g}{held}"
