"""An executor on a real thread is given up at a commit, whichever and wherever chance has it."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from actors.executor import ExecutorActor
from messages.ids import OrderKey
from messages.order_states import FINAL_STATES
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from tests.actors.hand_runtime import LIMIT_S
from tests.actors.order_path import HandGateway, OrderPath, fill, key_of

pytestmark = pytest.mark.on_threads


class Fenced(HandGateway):
    """As every venue's: what an abandoned incarnation hands over is dropped."""

    def submit(self, epoch: Any, key: Any, order: Any, **more: Any) -> None:
        if epoch == self._epoch:
            super().submit(epoch, key, order, **more)

    def find(self, epoch: Any, key: Any, order: Any, **more: Any) -> None:
        if epoch == self._epoch:
            super().find(epoch, key, order, **more)


class Watched(SqliteLedger):
    """Tells at the next commit, and goes on, before it or after."""

    left, is_late = 0, False
    there = threading.Event()

    def _commit(self, writes: Any) -> None:
        Watched.left -= 1
        if Watched.left == 0 and not Watched.is_late:
            self._show_and_linger()
        super()._commit(writes)
        if Watched.left == 0 and Watched.is_late:
            self._show_and_linger()

    @staticmethod
    def _show_and_linger() -> None:
        Watched.there.set()
        for _ in range(2_000):  # a hundred turns of the interpreter's
            pass


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[OrderPath]:
    path = tmp_path / "ledger.db"
    made = OrderPath(tmp_path, make_gateway=Fenced, open_ledger=lambda: Watched(path)).start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # many moments to choose from
    yield made
    sys.setswitchinterval(interval)


def settle(desk: OrderPath, looked: int, filled: set[OrderKey], count: int) -> int:
    """The venue has every order that was sent."""
    desk.rest()
    while looked < len(desk.gateway.asked):
        call = desk.gateway.asked[looked]
        number = next(one for one in range(count) if key_of(one) == call.key)
        report = desk.report(number, S.ACCEPTED)
        if call.key in filled:
            report = desk.report(number, S.FILLED, "1", (fill(f"t{number}"),))
        is_there = call.key in {one.key for one in desk.gateway.sent}
        desk.tell(desk.answer(call, report if is_there else None))
        looked += 1
    desk.after(2)
    return looked


def compare_with_the_disk(actor: ExecutorActor) -> None:
    book, risk = actor._book, actor._desk._risk
    assert {name: held for name, held in risk.exposure.items() if held} == book.exposure()
    entries = list(book.entries())
    assert book.open_entries() == [one for one in entries if one.state not in FINAL_STATES]


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_sent_twice_or_lost_and_memory_is_the_disk(desk: OrderPath, seed: int) -> None:
    chance, count, looked = Random(seed), 0, 0
    filled: set[OrderKey] = set()
    for _ in range(10):
        more = chance.randint(1, 4)
        told: list[Any] = [desk.intent(count + one, decided_at_ns=1) for one in range(more)]
        for number in range(count):
            if desk.sends(number) and key_of(number) not in filled and chance.random() < 0.4:
                filled.add(key_of(number))
                told.append(desk.report(number, S.FILLED, "1", (fill(f"t{number}"),)))
        count += more
        chance.shuffle(told)
        Watched.there.clear()
        Watched.left, Watched.is_late = 1, chance.random() < 0.5
        for message in told:
            desk.address.tell(message)
        assert Watched.there.wait(LIMIT_S)
        assert not desk.runtime.start(desk.cell).problem
        looked = settle(desk, looked, filled, count)
        desk.inside(compare_with_the_disk)

    lost = {getattr(one.message, "order_key", "") for one in desk.runtime.dead_letters.ring}
    assert {key_of(number) for number in range(count)} <= {*desk.orders(), *lost}
    assert max(Counter(one.key for one in desk.gateway.sent).values()) == 1
