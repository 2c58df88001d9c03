"""What a fleet's orchestrator should do next with one bot. Pure; the clock is UTC nanoseconds.

A bot is a process that nobody trusts: it may end, hang, be killed, or go on while what it says of
itself crosses a rule. Who decides may be killed too, so all that a decision depends on is in
`BotMemory`, which is kept on disk.
"""

from enum import StrEnum
from random import Random

from decisions.fleet_bot import BotFacts, BotMemory, Phase, changed, enter, started
from decisions.fleet_restarts import ended, may_restart, too_often
from decisions.fleet_rules import Act, Policy, broken, sentence
from decisions.fleet_warnings import HALTED, MUTE, NO_ROOM, NOT_OURS
from messages.ids import NS_PER_S


class Do(StrEnum):
    """What the shell is to do."""

    NOTHING = "nothing"
    START = "start"
    DRAIN = "drain"
    KILL = "kill"


NOTHING = Do.NOTHING


def judge(memory: BotMemory, facts: BotFacts, policy: Policy, now_ns: int, rng: Random) -> Do:
    """Decide, and note in `memory` what the decision changes.

    `START` only says that nothing is against it: whoever starts it sets the phase, with `started`.
    """
    match memory.phase:
        case Phase.DRAINING:
            return _draining(memory, facts, policy, now_ns)
        case Phase.RUNNING if not facts.is_running:
            ended(memory, facts, policy, now_ns, rng)
        case Phase.RUNNING:
            return _running(memory, facts, policy, now_ns)
        case Phase.WAITING if facts.is_running:
            started(memory, now_ns, "it ran already")
        case Phase.WAITING:
            memory.warnings = [NO_ROOM] if facts.is_disk_full else []
            is_due = now_ns >= memory.not_before_ns and not facts.is_disk_full
            return Do.START if is_due else NOTHING
        case _:  # a person started it by hand: it is none of ours to stop
            memory.warnings = [NOT_OURS] if facts.is_running else []
    return NOTHING


def drain(memory: BotMemory, then: Phase, why: str, now_ns: int) -> Do:
    """Begin to end it in order, if it runs; give what is to be done."""
    memory.has_failed = False
    if memory.phase is Phase.DRAINING:
        memory.then, memory.why = then, why
        return NOTHING
    if memory.phase is not Phase.RUNNING:
        enter(memory, then, why, now_ns)
        return NOTHING
    memory.then = then
    enter(memory, Phase.DRAINING, why, now_ns)
    return Do.DRAIN


def person_starts(memory: BotMemory, now_ns: int) -> Do:
    """A person wants it to run anew: what is running is drained, what was counted forgotten."""
    memory.restarts_ns, memory.attempts, memory.not_before_ns = [], 0, 0
    changed(memory)  # who is there will see what it says
    return drain(memory, Phase.WAITING, "a person restarted it", now_ns)


def _running(memory: BotMemory, facts: BotFacts, policy: Policy, now_ns: int) -> Do:
    memory.speaks = memory.speaks or facts.said_s is not None
    if why := _hangs(facts, policy):
        if facts.is_disk_full:  # so all bots of that disk are silent together
            memory.warnings, memory.over_ns = [MUTE], {}
            return NOTHING
        return _restart(memory, why, policy, now_ns)
    told_ns = now_ns - int((facts.said_s or 0.0) * NS_PER_S)
    crossed = broken(policy.rules, memory, facts, told_ns)
    memory.warnings = [sentence(rule, facts) for rule in crossed]
    if facts.halt:
        memory.warnings.append(f"{HALTED}: {facts.halt}")
    for rule in crossed:
        if rule.act is Act.PARK:
            return drain(memory, Phase.PARKED, sentence(rule, facts), now_ns)
    for rule in crossed:
        if rule.act is Act.RESTART:
            return _restart(memory, sentence(rule, facts), policy, now_ns)
    return NOTHING


def _hangs(facts: BotFacts, policy: Policy) -> str:
    if facts.said_s is None:
        late = facts.up_s > policy.start_s
        return f"it has said nothing in the {facts.up_s:.0f} s since its start" if late else ""
    if facts.said_s > policy.silent_s:
        return f"its last word is {facts.said_s:.0f} s old"
    return ""


def _draining(memory: BotMemory, facts: BotFacts, policy: Policy, now_ns: int) -> Do:
    if not facts.is_running:
        enter(memory, memory.then, memory.why, now_ns)
        return NOTHING
    return Do.KILL if now_ns - memory.since_ns > policy.drain_s * NS_PER_S else NOTHING


def _restart(memory: BotMemory, why: str, policy: Policy, now_ns: int) -> Do:
    if not may_restart(memory, policy.intensity, now_ns):
        return drain(memory, Phase.PARKED, too_often(why, policy), now_ns)
    do = drain(memory, Phase.WAITING, why, now_ns)
    memory.has_failed = True
    return do
