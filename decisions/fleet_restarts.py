"""When a bot that has ended, or is to be ended, is started again, and when a person must. Pure."""

from random import Random

from decisions.fleet_bot import BotFacts, BotMemory, Phase, enter
from decisions.fleet_rules import Policy
from decisions.supervisor import Intensity
from messages.exit_codes import EXIT_TAKEN_OVER, EXIT_USAGE
from messages.ids import NS_PER_MS, NS_PER_S

_AWAY = (
    "it is refused its start (exit 2), which it was not before: its exchange, bus or database may"
    " be away; watchkeeper orchestrate logs FLEET BOT says why"
)
_NEVER_AGAIN = {
    EXIT_USAGE: "it refused to start (exit 2): watchkeeper orchestrate logs FLEET BOT says why",
    EXIT_TAKEN_OVER: "another process has taken its account over (exit 75)",
}


def recall(memory: BotMemory, policy: Policy, now_ns: int) -> None:
    """Take up what an orchestrator before has noted, by a clock that perhaps ran ahead of ours."""
    latest_ns = now_ns + policy.backoff.max_ms * NS_PER_MS
    memory.since_ns = min(memory.since_ns, now_ns)
    memory.not_before_ns = min(memory.not_before_ns, latest_ns)
    memory.restarts_ns = [min(at, now_ns) for at in memory.restarts_ns]
    memory.over_ns = {}  # nobody knows what was meanwhile: no stretch goes over it


def cannot_start(memory: BotMemory, why: str, policy: Policy, now_ns: int, rng: Random) -> None:
    """Note that no process could be made: there may be room for one later, and not for ever."""
    _again(memory, why, policy, now_ns, rng)


def ended(memory: BotMemory, facts: BotFacts, policy: Policy, now_ns: int, rng: Random) -> None:
    """Note that its process is over, and what follows."""
    code = facts.exit_code
    if code == 0:
        enter(memory, Phase.STOPPED, "it ended by itself (exit 0)", now_ns)
        return
    if code == EXIT_USAGE and memory.has_run and not memory.speaks:
        _wait_for_what_is_away(memory, policy, now_ns, rng)
        return
    if code in _NEVER_AGAIN:
        enter(memory, Phase.PARKED, _NEVER_AGAIN[code], now_ns)
        return
    if now_ns - memory.since_ns >= policy.backoff.reset_after_ms * NS_PER_MS:
        memory.attempts = 0
    _again(memory, f"its process ended: {ending(code)}", policy, now_ns, rng)


def _wait_for_what_is_away(memory: BotMemory, policy: Policy, now_ns: int, rng: Random) -> None:
    """Try again for as long as it takes: it is no crash loop, and a person is told."""
    memory.attempts += 1
    memory.has_failed = True
    memory.not_before_ns = now_ns + policy.backoff.delay_ns(memory.attempts, rng)
    enter(memory, Phase.WAITING, _AWAY, now_ns)


def _again(memory: BotMemory, why: str, policy: Policy, now_ns: int, rng: Random) -> None:
    memory.attempts += 1
    memory.has_failed = True
    if not may_restart(memory, policy.intensity, now_ns):
        enter(memory, Phase.PARKED, too_often(why, policy), now_ns)
        return
    memory.not_before_ns = now_ns + policy.backoff.delay_ns(memory.attempts, rng)
    enter(memory, Phase.WAITING, why, now_ns)


def may_restart(memory: BotMemory, intensity: Intensity, now_ns: int) -> bool:
    """Count one restart; False when it is one too many."""
    horizon_ns = now_ns - int(intensity.window_s * NS_PER_S)
    memory.restarts_ns = [at for at in memory.restarts_ns if at >= horizon_ns] + [now_ns]
    if len(memory.restarts_ns) > intensity.max_restarts:
        return False
    memory.restarts += 1
    return True


def too_often(why: str, policy: Policy) -> str:
    """Say why it is not restarted any more."""
    most, window_s = policy.intensity.max_restarts, policy.intensity.window_s
    return f"more than {most} restarts in {window_s:g} s; the last: {why}"


def ending(code: int | None) -> str:
    """Say how a process ended."""
    if code is None:
        return "it left no word"
    return f"killed by signal {-code}" if code < 0 else f"exit {code}"
