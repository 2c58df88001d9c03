"""The mailbox against a small model: every message served, dead, replaced or still queued."""

import os
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.mailbox import FENCED, Mailbox
from messages.base import OnRestart, Overflow
from tests.actors.mailbox.box import Bar, Box, Fact, Intent, Item, Level, Order, Price, Reader

STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))
CAPACITY = 4
CLASSES = [Item, Fact, Order, Price, Level, Bar, Intent]


class Model:
    """What a mailbox should hold: control apart, the rest in one list of messages."""

    def __init__(self) -> None:
        self.control: list[Any] = []
        self.user: list[tuple[Any, int]] = []
        self.dead: list[int] = []
        self.replaced: list[int] = []

    def put(self, message: Any, now_ns: int) -> bool:
        policy = message.delivery
        if policy.control:
            self.control.append(message)
            return True
        alike = [i for i, (m, _) in enumerate(self.user) if type(m) is type(message)]
        full = len(self.user) >= CAPACITY
        match policy.overflow:
            case Overflow.CONFLATE if alike:
                self.replaced.append(self.user[alike[0]][0].n)
                self.user[alike[0]] = (message, now_ns)
                return True
            case Overflow.DROP_OLDEST if full and alike:
                self.dead.append(self.user[alike[0]][0].n)
                held = [self.user[i] for i in alike[1:]] + [(message, now_ns)]
                for i, entry in zip(alike, held, strict=True):
                    self.user[i] = entry
                return True
            case Overflow.REJECT if full:
                self.dead.append(message.n)
                return False
        self.user.append((message, now_ns))
        return True

    def take(self, now_ns: int) -> Any:
        if self.control:
            return self.control.pop(0)
        while self.user:
            message, since = self.user.pop(0)
            ttl_ms = message.delivery.ttl_ms
            if ttl_ms is None or now_ns - since <= ttl_ms * 1_000_000:
                return message
            self.dead.append(message.n)
        return None

    def restart(self) -> None:
        dropped = [m for m, _ in self.user if m.delivery.on_restart is OnRestart.DROP]
        self.dead += [m.n for m in dropped]
        self.user = [e for e in self.user if e[0] not in dropped]

    def close(self) -> None:
        self.dead += [m.n for m in self.control] + [m.n for m, _ in self.user]
        self.control, self.user = [], []


class MailboxMachine(RuleBasedStateMachine):
    """Puts, takes, restarts, zombies and closings in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.box = Box(CAPACITY)
        self.model = Model()
        self.count = 0
        self.served: list[int] = []
        self.zombies: list[Reader] = []

    @property
    def mail(self) -> Mailbox:
        return self.box.mail

    @rule(kind=st.sampled_from(CLASSES))
    def put(self, kind: Any) -> None:
        self.count += 1
        message = kind(n=self.count)
        if self.mail.closed:
            self.model.dead.append(self.count)
            assert self.mail.put(message) is False
        else:
            assert self.mail.put(message) is self.model.put(message, self.box.clock.now_ns)

    @rule()
    def take(self) -> None:
        expected = self.model.take(self.box.clock.now_ns)
        assert self.box.next() == expected
        if expected is not None:
            self.served.append(expected.n)

    @rule(kind=st.sampled_from([Item, Intent, Bar]), limit=st.integers(1, 4))
    def drain(self, kind: Any, limit: int) -> None:
        expected: list[Any] = []
        while not self.model.control and self.model.user and len(expected) < limit:
            if type(self.model.user[0][0]) is not kind:
                break
            head = self.model.user[0][1]
            message = self.model.user[0][0]
            ttl_ms = message.delivery.ttl_ms
            self.model.user.pop(0)
            if ttl_ms is None or self.box.clock.now_ns - head <= ttl_ms * 1_000_000:
                expected.append(message)
            else:
                self.model.dead.append(message.n)
        assert self.mail.drain((kind,), limit, self.box.reader) == expected
        self.served += [m.n for m in expected]

    @rule(ms=st.sampled_from([1, 40, 120]))
    def wait(self, ms: int) -> None:
        self.box.wait(ms)

    @rule()
    def restart(self) -> None:
        self.zombies.append(self.box.reader)
        self.box.restart()
        self.model.restart()

    @rule()
    def zombie_looks(self) -> None:
        for zombie in self.zombies[-2:]:
            assert self.mail.poll(zombie) is FENCED
            assert self.mail.drain((Item,), 5, zombie) == []

    @rule()
    def taken_and_not_handled(self) -> None:
        """Fenced between the mailbox and the handler: the message goes back."""
        taken = self.mail.poll(self.box.reader)
        expected = self.model.take(self.box.clock.now_ns)
        assert (taken.message if taken else None) == expected
        if taken is not None:
            self.mail.hand_on(taken)
            self.served.append(expected.n)
            assert self.box.next() == expected

    @rule()
    def close_and_reopen(self) -> None:
        self.mail.close("ended")
        self.model.close()
        assert self.mail.put(Item(n=0)) is False
        self.model.dead.append(0)
        self.mail.reopen()

    @invariant()
    def nothing_is_lost_and_nothing_doubled(self) -> None:
        model = self.model
        queued = [m.n for m in model.control] + [m.n for m, _ in model.user]
        known = sorted(n for n in self.served + model.dead + model.replaced + queued if n)
        assert known == list(range(1, self.count + 1))
        assert self.mail.depth() == len(queued)
        assert self.box.letters.total() == len(model.dead)


MailboxMachine.TestCase.settings = settings(
    max_examples=2000 if STRESS else 60, stateful_step_count=60, deadline=None
)
TestMailboxModel = pytest.mark.slow(MailboxMachine.TestCase)
