"""What a fleet's orchestrator should do next with one bot. Pure; the clock is UTC nanoseconds.

A bot is a process that nobody trusts: it may end, hang, be killed, or go on while what it says of
itself crosses a rule. Who decides may be killed too, so all that a decision depends on is in
`BotMemory`, which is kept on disk.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from random import Random

import msgspec

from decisions.supervisor import Backoff, Intensity
from messages.exit_codes import EXIT_TAKEN_OVER, EXIT_USAGE
from messages.ids import NS_PER_MS, NS_PER_S
from messages.learning import learn


class Phase(StrEnum):
    """Where one bot stands."""

    WAITING = "waiting"
    """To be started, once its turn and its pause have come."""
    RUNNING = "running"
    DRAINING = "draining"
    """Asked to end; killed when that takes longer than `drain_s`."""
    STOPPED = "stopped"
    """Ended in order, or stopped by a person; nothing starts it but a person."""
    PARKED = "parked"
    """Not started again until a person says so: the reason is in `why`."""


class Measure(StrEnum):
    """What a rule may look at."""

    ERROR_RATE = "error_rate"
    """Failed messages of those handled between two looks at the summary, 0 to 1."""
    CLAIM_P99_MS = "claim_p99_ms"
    """From the decision to the durable claim, p99 of this process, milliseconds."""
    DRAWDOWN = "drawdown"
    """The largest fall of equity from its height, in quote currency, of any quote."""
    MARKET_AGE_S = "market_age_s"
    """How old the oldest of the symbols' last prices is, seconds."""
    UNKNOWN_ORDERS = "unknown_orders"
    """How many orders there are whose outcome is not known."""
    UNKNOWN_S = "unknown_s"
    """For how long the oldest of them has been so, seconds."""


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


class BotFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen of one bot now."""

    is_running: bool
    exit_code: int | None = None
    """Of a process that is over: negative is a signal, None is not known."""
    said_s: float | None = None
    """How old the last word of this very process is; None when it has said nothing yet."""
    up_s: float = 0.0
    halt: str = ""
    """Why it does not trade, where it says so."""
    is_disk_full: bool = False
    """Whether its directory has no room left: then it can say nothing, however well it is."""
    measures: Mapping[Measure, float] = {}


class BotMemory(msgspec.Struct, kw_only=True):
    """What is known of one bot from before. Survives the orchestrator, on disk."""

    phase: Phase = Phase.WAITING
    why: str = ""
    """Why it stands there, for a person."""
    then: Phase = Phase.STOPPED
    """Where draining leads."""
    since_ns: int = 0
    """When the phase began."""
    not_before_ns: int = 0
    """The pause before the next start ends then."""
    attempts: int = 0
    """Restarts in a row, each of a process that did not live long."""
    restarts_ns: list[int] = []
    """When it was restarted, as far back as the intensity looks."""
    restarts: int = 0
    """All of them."""
    has_failed: bool = False
    """Whether it is on its way because something is wrong with it, and not as a person wants it."""
    over_ns: dict[str, int] = {}
    """Since when each rule's measure has been above its bound, by what the rule says."""
    warnings: list[str] = []
    """What its rules say now."""
    speaks: bool = False
    """Whether its process has said anything, which it does once it has passed its gate."""
    has_run: bool = False
    """Whether one before did, of the bot as it is now: what a later one is refused is then no
    mistake of its configuration."""
    begun_with: str = ""
    """The fingerprint of its config and its strategies' files as its last process was started;
    empty while none was."""
    begun_after: str = ""
    """What stood in `status.json` then: the word of a process before it, whatever its pid."""


learn(BotMemory)


class Do(StrEnum):
    """What the shell is to do."""

    NOTHING = "nothing"
    START = "start"
    DRAIN = "drain"
    KILL = "kill"


NOTHING = Do.NOTHING
HALTED = "halted"
"""What the warning of a halt begins with."""
_NOT_OURS = "a process that nobody here started is running in its directory"
_NO_ROOM = "disk full: nothing is started in its run directory"
_MUTE = "disk full: it can say nothing of itself, and could not start again"
_AWAY = (
    "it is refused its start (exit 2), which it was not before: its exchange, bus or database may"
    " be away; watchkeeper orchestrate logs says why"
)
_NEVER_AGAIN = {
    EXIT_USAGE: "it refused to start (exit 2): watchkeeper orchestrate logs says why",
    EXIT_TAKEN_OVER: "another process has taken its account over (exit 75)",
}


def judge(memory: BotMemory, facts: BotFacts, policy: Policy, now_ns: int, rng: Random) -> Do:
    """Decide, and note in `memory` what the decision changes.

    `START` only says that nothing is against it: whoever starts it sets the phase, with `started`.
    """
    match memory.phase:
        case Phase.DRAINING:
            return _draining(memory, facts, policy, now_ns)
        case Phase.RUNNING if not facts.is_running:
            _ended(memory, facts, policy, now_ns, rng)
        case Phase.RUNNING:
            return _running(memory, facts, policy, now_ns)
        case Phase.WAITING if facts.is_running:
            started(memory, now_ns, "it ran already")
        case Phase.WAITING:
            memory.warnings = [_NO_ROOM] if facts.is_disk_full else []
            is_due = now_ns >= memory.not_before_ns and not facts.is_disk_full
            return Do.START if is_due else NOTHING
        case _:  # a person started it by hand: it is none of ours to stop
            memory.warnings = [_NOT_OURS] if facts.is_running else []
    return NOTHING


def started(memory: BotMemory, now_ns: int, why: str = "") -> None:
    """Note that its process runs."""
    _enter(memory, Phase.RUNNING, why, now_ns)
    memory.over_ns, memory.warnings = {}, []
    memory.has_run, memory.speaks = memory.has_run or memory.speaks, False


def cannot_start(memory: BotMemory, why: str, policy: Policy, now_ns: int, rng: Random) -> None:
    """Note that no process could be made: there may be room for one later, and not for ever."""
    _again(memory, why, policy, now_ns, rng)


def recall(memory: BotMemory, policy: Policy, now_ns: int) -> None:
    """Take up what an orchestrator before has noted, by a clock that perhaps ran ahead of ours."""
    latest_ns = now_ns + policy.backoff.max_ms * NS_PER_MS
    memory.since_ns = min(memory.since_ns, now_ns)
    memory.not_before_ns = min(memory.not_before_ns, latest_ns)
    memory.restarts_ns = [min(at, now_ns) for at in memory.restarts_ns]
    memory.over_ns = {}  # nobody knows what was meanwhile: no stretch goes over it


def drain(memory: BotMemory, then: Phase, why: str, now_ns: int) -> Do:
    """Begin to end it in order, if it runs; give what is to be done."""
    memory.has_failed = False
    if memory.phase is Phase.DRAINING:
        memory.then, memory.why = then, why
        return NOTHING
    if memory.phase is not Phase.RUNNING:
        _enter(memory, then, why, now_ns)
        return NOTHING
    memory.then = then
    _enter(memory, Phase.DRAINING, why, now_ns)
    return Do.DRAIN


def person_starts(memory: BotMemory, now_ns: int) -> Do:
    """A person wants it to run anew: what is running is drained, what was counted forgotten."""
    memory.restarts_ns, memory.attempts, memory.not_before_ns = [], 0, 0
    changed(memory)  # who is there will see what it says
    return drain(memory, Phase.WAITING, "a person restarted it", now_ns)


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


def kind_of(warning: str) -> str:
    """Name a warning without what changes in it: ``drawdown``, ``disk full``."""
    if warning == _NOT_OURS:
        return "not ours"
    head, colon, _ = warning.partition(":")
    return head if colon else warning.partition(" ")[0]


def changed(memory: BotMemory) -> None:
    """Note that it is another one from now on: what it was let do before says nothing of it."""
    memory.has_run = memory.speaks = False
    memory.begun_with = ""


def _running(memory: BotMemory, facts: BotFacts, policy: Policy, now_ns: int) -> Do:
    memory.speaks = memory.speaks or facts.said_s is not None
    if why := _hangs(facts, policy):
        if facts.is_disk_full:  # so all bots of that disk are silent together
            memory.warnings, memory.over_ns = [_MUTE], {}
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
        _enter(memory, memory.then, memory.why, now_ns)
        return NOTHING
    return Do.KILL if now_ns - memory.since_ns > policy.drain_s * NS_PER_S else NOTHING


def _ended(memory: BotMemory, facts: BotFacts, policy: Policy, now_ns: int, rng: Random) -> None:
    code = facts.exit_code
    if code == 0:
        _enter(memory, Phase.STOPPED, "it ended by itself (exit 0)", now_ns)
        return
    if code == EXIT_USAGE and memory.has_run and not memory.speaks:
        _wait_for_what_is_away(memory, policy, now_ns, rng)
        return
    if code in _NEVER_AGAIN:
        _enter(memory, Phase.PARKED, _NEVER_AGAIN[code], now_ns)
        return
    if now_ns - memory.since_ns >= policy.backoff.reset_after_ms * NS_PER_MS:
        memory.attempts = 0
    _again(memory, f"its process ended: {ending(code)}", policy, now_ns, rng)


def _wait_for_what_is_away(memory: BotMemory, policy: Policy, now_ns: int, rng: Random) -> None:
    """Try again for as long as it takes: it is no crash loop, and a person is told."""
    memory.attempts += 1
    memory.has_failed = True
    memory.not_before_ns = now_ns + policy.backoff.delay_ns(memory.attempts, rng)
    _enter(memory, Phase.WAITING, _AWAY, now_ns)


def _again(memory: BotMemory, why: str, policy: Policy, now_ns: int, rng: Random) -> None:
    memory.attempts += 1
    memory.has_failed = True
    if not _counts(memory, policy.intensity, now_ns):
        _enter(memory, Phase.PARKED, _too_often(why, policy), now_ns)
        return
    memory.not_before_ns = now_ns + policy.backoff.delay_ns(memory.attempts, rng)
    _enter(memory, Phase.WAITING, why, now_ns)


def _restart(memory: BotMemory, why: str, policy: Policy, now_ns: int) -> Do:
    if not _counts(memory, policy.intensity, now_ns):
        return drain(memory, Phase.PARKED, _too_often(why, policy), now_ns)
    do = drain(memory, Phase.WAITING, why, now_ns)
    memory.has_failed = True
    return do


def _counts(memory: BotMemory, intensity: Intensity, now_ns: int) -> bool:
    """Count one restart; False when it is one too many."""
    horizon_ns = now_ns - int(intensity.window_s * NS_PER_S)
    memory.restarts_ns = [at for at in memory.restarts_ns if at >= horizon_ns] + [now_ns]
    if len(memory.restarts_ns) > intensity.max_restarts:
        return False
    memory.restarts += 1
    return True


def _too_often(why: str, policy: Policy) -> str:
    most, window_s = policy.intensity.max_restarts, policy.intensity.window_s
    return f"more than {most} restarts in {window_s:g} s; the last: {why}"


def ending(code: int | None) -> str:
    """Say how a process ended."""
    if code is None:
        return "it left no word"
    return f"killed by signal {-code}" if code < 0 else f"exit {code}"


def _enter(memory: BotMemory, phase: Phase, why: str, now_ns: int) -> None:
    memory.phase, memory.why, memory.since_ns = phase, why, now_ns
