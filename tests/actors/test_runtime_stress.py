"""Real threads, many crashes: nothing lost, nothing doubled, each sender's order kept."""

import os
import threading
from collections import Counter
from typing import ClassVar

import pytest

from actors.mailbox import Mailbox
from messages.base import Delivery, Message, Overflow
from messages.ids import NS_PER_S
from messages.lifecycle import InjectCrash, InjectHang, Ping
from tests.actors.support import Note, Probe, Raise, Script, World, probe

ROUNDS = 20 if os.environ.get("WATCHKEEPER_STRESS") else 1
SENDERS = 4
EACH = 2000


class Level(Message, frozen=True, kw_only=True):
    """Newest per key wins."""

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.CONFLATE)
    key: int
    n: int

    def conflation_key(self) -> int:
        return self.key


class Bar(Message, frozen=True, kw_only=True):
    """The oldest makes room."""

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.DROP_OLDEST)
    sender: int
    n: int


def in_threads(count: int, work: object) -> None:
    assert callable(work)
    senders = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive()


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_eight_thousand_messages_through_eighty_crashes(
    threads: World, script: Script, round_: int
) -> None:
    threads.boot(probe("a", script, capacity=100_000))
    address = threads.address("a")

    def send(sender: int) -> None:
        for n in range(EACH):
            assert address.tell(Note(text=f"{sender}:{n}"))
            if n % (EACH // 20) == 99:
                assert address.tell(Raise())

    in_threads(SENDERS, send)
    threads.settle(lambda: address.epoch == 81 and not threads.cell("a").mailbox.depth())
    threads.ask("a", Ping())

    assert Counter(script.notes) == {f"{s}:{n}": 1 for s in range(SENDERS) for n in range(EACH)}
    for sender in range(SENDERS):
        mine = [t for t in script.notes if t.startswith(f"{sender}:")]
        assert mine == [f"{sender}:{n}" for n in range(EACH)]
    assert threads.dead("a") == {"poison": 80}


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_control_messages_and_hangs_among_them(threads: World, script: Script, round_: int) -> None:
    threads.boot(probe("a", script, capacity=100_000, hang_after_ms=150), check_every_ms=5)
    address = threads.address("a")

    def send(sender: int) -> None:
        for n in range(EACH):
            assert address.tell(Note(text=f"{sender}:{n}"))
            if n % 200 == 0:
                address.tell((InjectHang if sender else InjectCrash)(reason="drill"))

    in_threads(SENDERS, send)
    threads.settle(lambda: address.epoch == 41 and not threads.cell("a").mailbox.depth())
    threads.ask("a", Ping())

    taken = [m for s in range(SENDERS) for m in script.notes if m.startswith(f"{s}:")]
    assert taken == [f"{s}:{n}" for s in range(SENDERS) for n in range(EACH)]
    threads.settle(lambda: threads.cell("a").zombies == [])


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_conflated_and_bounded_mail_through_crashes(threads: World, round_: int) -> None:
    levels: dict[int, list[int]] = {key: [] for key in range(3)}
    bars: list[tuple[int, int]] = []

    class Market(Probe):
        def receive(self, message: object) -> object:
            match message:
                case Level(key=key, n=n):
                    levels[key].append(n)
                case Bar(sender=sender, n=n):
                    bars.append((sender, n))
                case _:
                    return super().receive(message)
            return None

    threads.boot(probe("a", Script(), actor_class=Market, capacity=50))
    address = threads.address("a")

    def send(sender: int) -> None:
        for n in range(EACH):
            if sender < 3:
                address.tell(Level(key=sender, n=n))
            address.tell(Bar(sender=sender, n=n))
            if n % 500 == 0:
                address.tell(InjectCrash(reason="drill"))

    in_threads(SENDERS, send)
    threads.settle(lambda: address.epoch == 17 and not threads.cell("a").mailbox.depth())
    threads.ask("a", Ping())

    for seen in levels.values():
        assert seen == sorted(set(seen))
        assert seen[-1] == EACH - 1
    for sender in range(SENDERS):
        mine = [n for s, n in bars if s == sender]
        assert mine == sorted(set(mine))
    dropped = threads.dead("a").get("oldest", 0)
    assert len(bars) + dropped == SENDERS * EACH


@pytest.mark.slow
def test_many_askers_are_each_given_their_own_answer(threads: World, script: Script) -> None:
    threads.boot(probe("a", script))

    def ask(asker: int) -> None:
        for n in range(100):
            text = f"{asker}:{n}"
            assert threads.ask("a", Note(text=text), 20 * NS_PER_S)[0] == text

    in_threads(SENDERS, ask)

    assert len(script.notes) == SENDERS * 100


def test_closing_races_with_senders_and_loses_nothing(threads: World, script: Script) -> None:
    cell = threads.solo("a", script)
    mailbox: Mailbox = cell.mailbox
    mailbox.capacity = 10**6
    threads.runtime.stop(cell, NS_PER_S)
    accepted = [0] * SENDERS
    go = threading.Event()

    def send(sender: int) -> None:
        go.wait(20)
        for n in range(EACH):
            accepted[sender] += mailbox.put(Note(text=f"{sender}:{n}"))

    def close(_: int) -> None:
        go.set()
        for _ in range(200):
            mailbox.reopen()
            mailbox.close("halted")

    in_threads(SENDERS + 1, lambda n: close(n) if n == SENDERS else send(n))

    assert threads.dead("a") == {"halted": SENDERS * EACH}
    assert mailbox.depth() == 0
