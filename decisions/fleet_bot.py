"""What a fleet's orchestrator sees of one bot, and remembers of it. Pure."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

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


def enter(memory: BotMemory, phase: Phase, why: str, now_ns: int) -> None:
    """Note where it stands from now on."""
    memory.phase, memory.why, memory.since_ns = phase, why, now_ns


def started(memory: BotMemory, now_ns: int, why: str = "") -> None:
    """Note that its process runs."""
    enter(memory, Phase.RUNNING, why, now_ns)
    memory.over_ns, memory.warnings = {}, []
    memory.has_run, memory.speaks = memory.has_run or memory.speaks, False


def changed(memory: BotMemory) -> None:
    """Note that it is another one from now on: what it was let do before says nothing of it."""
    memory.has_run = memory.speaks = False
    memory.begun_with = ""
