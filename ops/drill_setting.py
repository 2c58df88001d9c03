"""What the cases of one rehearsal share, and how one of them ended."""

import threading
from pathlib import Path

import msgspec

from messages.ids import ClientOrderId
from ops.config import Config
from ops.drill_ledger import Database
from ops.drill_life import Nursery
from ops.drill_trap import Target

SETTLE_LIMIT_S = 45.0


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What all cases of one rehearsal share."""

    config_path: Path | None
    config: Config
    candles: int
    seed: int | None
    nursery: Nursery
    settle_limit_s: float = SETTLE_LIMIT_S
    keep: Path | None = None
    """Where run directories are left for a look; None: nowhere."""
    cancels: bool = False
    """Whether orders of its own rest and are canceled, instead of the config's being sent."""
    database: Database | None = None
    """Where the ledgers are; None: each in its run directory's file."""
    over: threading.Event = msgspec.field(default_factory=threading.Event)
    """Set when nobody waits for the results any more: every process is ended at once."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What an undisturbed run decides and sends."""

    target: Target | None
    """The second decision that is sent, or the only one; None: there is none."""
    sent: frozenset[ClientOrderId]


IN_VAIN = "nothing was rehearsed"
"""How a problem ends that says nothing of the bot: chance kept the order off its point."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How one case ended."""

    case: str
    at_exchange: int
    expected: str
    """How many orders the ledger says the exchange has: 0, 1, or 0..1 while it is not known."""
    state: str
    placements: int
    """How many requests to place it arrived."""
    lives: int
    seconds: float
    """From the blow, or without one from the start, until all was settled."""
    problems: tuple[str, ...]
    tries: int = 1
    """How often it was played."""

    @property
    def passed(self) -> bool:
        """Whether nothing broke the promise."""
        return not self.problems

    @property
    def was_in_vain(self) -> bool:
        """Whether nothing is wrong but that it shows nothing."""
        return bool(self.problems) and all(one.endswith(IN_VAIN) for one in self.problems)
