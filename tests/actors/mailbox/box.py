"""A mailbox with a clock, a reader and dead letters, and a message of each delivery policy."""

from typing import ClassVar

import pykka

from actors.clock import VirtualClock
from actors.dead_letters import DeadLetters
from actors.mailbox import Mailbox
from actors.mailbox_protocols import Timer
from messages.base import Delivery, Message, OnRestart, Overflow
from messages.ids import NS_PER_MS, ActorPath


class Item(Message, frozen=True, kw_only=True):
    """Refused when the mailbox is full; kept over a restart."""

    n: int


class Fact(Item, frozen=True, kw_only=True):
    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.GROW)


class Order(Item, frozen=True, kw_only=True):
    delivery: ClassVar[Delivery] = Delivery(control=True, overflow=Overflow.GROW)


class Price(Item, frozen=True, kw_only=True):
    delivery: ClassVar[Delivery] = Delivery(
        overflow=Overflow.CONFLATE, on_restart=OnRestart.DROP, ttl_ms=100
    )
    symbol: str = "BTC"

    def conflation_key(self) -> str:
        return self.symbol


class Level(Item, frozen=True, kw_only=True):
    """Conflates and is kept over a restart."""

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.CONFLATE)


class Bar(Item, frozen=True, kw_only=True):
    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.DROP_OLDEST)


class Intent(Item, frozen=True, kw_only=True):
    delivery: ClassVar[Delivery] = Delivery(ttl_ms=50)


class Reader:
    """An incarnation as a mailbox sees it."""

    def __init__(self) -> None:
        self.fenced = False
        self.timers: list[Timer] = []


class Box:
    """A mailbox with a clock, its dead letters and a present reader."""

    def __init__(self, capacity: int = 1000) -> None:
        self.clock = VirtualClock()
        self.letters = DeadLetters()
        self.mail = Mailbox(ActorPath("a"), capacity, self.letters, self.clock.monotonic_ns)
        self.reader = Reader()
        self.mail.begin_incarnation(self.reader)

    def put(self, *messages: Item) -> list[bool]:
        return [self.mail.put(message) for message in messages]

    def ask(self, message: Item) -> "pykka.ThreadingFuture[object]":
        future: pykka.ThreadingFuture[object] = pykka.ThreadingFuture()
        self.mail.ask(message, future)
        return future

    def next(self) -> Item | None:
        envelope = self.mail.poll(self.reader)
        return None if envelope is None else envelope.message

    def rest(self) -> list[int]:
        taken = []
        while (message := self.next()) is not None:
            taken.append(message.n)
        return taken

    def restart(self) -> None:
        self.reader.fenced = True
        self.reader = Reader()
        self.mail.begin_incarnation(self.reader)

    def wait(self, ms: int) -> None:
        self.clock.advance_to(self.clock.now_ns + ms * NS_PER_MS)

    def dead(self) -> dict[str, int]:
        return {why: n for (_, why), n in self.letters.counts.items()}
