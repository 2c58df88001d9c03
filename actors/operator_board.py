"""What the executor leaves for people to read, and for its next incarnation to go on with.

Written by the executor's thread, read by any: every value is replaced as a whole.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from decisions.halting import HaltRecord
from messages.ids import OrderKey, StrategyId, Symbol, TimestampNs

KEPT_ANSWERS = 256
"""How many answers are kept for whoever asked; the oldest goes first."""


class HaltView(msgspec.Struct, frozen=True, kw_only=True):
    """How far a halt is."""

    state: str
    """A `HaltState`, or ``venue_failed``: no new orders, and open ones are left as they are."""
    reason: str = ""
    ordered_by: str = ""
    at_ns: TimestampNs | None = None
    on_disk: bool = False
    """Whether it outlives this process."""
    open: tuple[OrderKey, ...] = ()
    """Of ours, what is not proved closed."""
    foreign: tuple[str, ...] = ()
    """Orders of others on the account, seen and left alone: symbol and the venue's id."""
    proved_at_ns: TimestampNs | None = None
    """When the venue said that nothing of ours is open; only in ``halted_proved``."""
    problem: str = ""
    """Why the last question failed."""
    text: str = ""
    """All of it in one sentence."""


TRADING = HaltView(state="trading")


class StuckStop(msgspec.Struct, frozen=True, kw_only=True):
    """A stop that does not protect its position by itself any more."""

    entry_key: OrderKey
    strategy_id: StrategyId
    symbol: Symbol
    problem: str
    """Why, and what to do about it; one sentence."""


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """Something of orders, positions, account or venue that a person must look at."""

    kind: str
    """One of `doubled`, `order`, `account`, `filled_late`, `still_held`, `not_ended`, `not_traded`,
    or `venue` and what of it is wrong."""
    problem: str
    """What it is, and what to do about it; one sentence."""
    since_ns: int
    """When it was first seen, monotonic."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a person's request."""

    ok: bool
    text: str
    state: str = ""
    """Of the order that it was about."""


class OperatorBoard:
    """One for all incarnations of an executor."""

    def __init__(self) -> None:
        self.halt = TRADING
        self.record: HaltRecord | None = None
        """The halt that holds in this process, whatever the disk says."""
        self.venue_failure = ""
        """Why the venue failed for good; until this process ends."""
        self.unfinished = ""
        """Why what waited at the end was left undone; the next start settles it."""
        self.stuck_stops: tuple[StuckStop, ...] = ()
        """Stops that need a person, oldest first."""
        self.matters: tuple[Matter, ...] = ()
        """What else needs a person, each kind once."""
        self.open_stops: Callable[[], int] = lambda: 0
        """How many stops are kept now, by the newest incarnation."""
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def tell(self, request: str, answer: Answer) -> None:
        """Leave an answer for whoever made the request."""
        if request:
            with self._lock:
                self._answers[request] = answer
                while len(self._answers) > KEPT_ANSWERS:
                    self._answers.popitem(last=False)

    def answer(self, request: str) -> Answer | None:
        """Give the answer; None while there is none."""
        with self._lock:
            return self._answers.get(request)
