"""What an executor's next incarnation finds of the one before."""

import threading
from decimal import Decimal
from typing import Any, Protocol

from actors.operator_board import OperatorBoard
from decisions.exit_book import ExitBook
from decisions.last_decided import LastDecided
from messages.base import Message
from messages.ids import OrderKey, Symbol, TimestampNs
from messages.orders import Intent
from messages.stops import Stop, StopActed
from messages.values import Instrument

GROUP_LIMIT = 256
"""How many messages share one commit at most."""


class Incarnation(Protocol):
    """One of the executor's."""

    @property
    def epoch(self) -> int:
        """The higher, the younger."""

    @property
    def fenced(self) -> bool:
        """Whether it was given up."""


class Held:
    """Messages that one incarnation has taken and not finished."""

    def __init__(self) -> None:
        self.in_hand: list[Any] = []
        """The rest of the drain that is being worked off."""
        self.stash: list[Intent] = []
        """What waits until all is settled."""
        self.first: Any = None
        """What is being worked off, which brings its actor down if anything does."""


class ExecutorKept:
    """What the next incarnation finds of messages that this one had taken and not finished.

    Each incarnation holds its own, so that one that was given up can neither add to what its
    successor has taken over already nor empty what that one holds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = Held()
        self._epoch = 0
        """Whose hold it is."""
        self.instruments: dict[Symbol, Instrument] = {}
        """The markets' rules, as a real venue told them last."""
        self.seen: dict[Symbol, tuple[Decimal, TimestampNs]] = {}
        """The last price of each symbol, and when that was, on the market's clock."""
        self.looks: dict[OrderKey, Stop] = {}
        """The stops as they were after the last event that they were shown, by their entries."""
        self.told: dict[OrderKey, Decimal] | None = None
        """For each stop exit, the part of the position the strategy already counts as sold; None
        until first read."""
        self.untold: list[StopActed] = []
        """What waits for a strategy that was given up until a person revives it."""
        self.decided_last = LastDecided()
        """Of what strategies decided by themselves."""
        self.exits = ExitBook()
        """What waits and what follows of exits, and what failed."""
        self.replacing: set[OrderKey] = set()
        """Decisions of this process that wait until another order has ended."""
        self.struck_by: Any = None
        """What the incarnation before was working off when it was struck."""
        self.telling: set[OrderKey] = set()
        """Orders of which a step is being made durable, until it is told. Each incarnation has
        one of its own."""
        self.board = OperatorBoard()
        """What people read of the executor, and a halt that holds in this process."""

    def take(self, who: Incarnation) -> tuple[Held, list[Message]]:
        """Begin a hold; give all of the one before, once, and nothing to who was given up.

        That one may come back at any moment, from a start that took too long: what is held then
        is its successor's, who could hold nothing any more.
        """
        with self._lock:
            if who.fenced or who.epoch < self._epoch:
                return Held(), []
            self._epoch = who.epoch
            before, self._held = self._held, Held()
        handed = [*before.stash, *before.in_hand]
        if before.first is not None and all(one is not before.first for one in handed):
            self.struck_by = before.first
        return self._held, handed

    def hold(self, held: Held, first: Any, messages: list[Any]) -> bool:
        """Take messages in hand, behind the first; False when a successor has taken over."""
        with self._lock:
            held.first, held.in_hand = first, messages
            return held is self._held
