"""The order path, as it is wired, keeps its promises, and each bug that is planted is seen."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from actors.asking import Asking
from actors.gateway import Gateway
from actors.live_gateway import LiveGateway
from actors.order_desk import OrderDesk
from decisions import executor
from messages.errors import NotSent, OutcomeUnknown
from messages.ids import ClientOrderId, Epoch, OrderKey, Symbol, TimestampNs
from messages.orders import LookupDone, OrderReport
from messages.values import OrderState as S
from persistence.ledger import LedgerEntry
from tests.actors.exchange_model import ModelVenue
from tests.actors.order_world_machine import OrderWorld
from tests.actors.order_world_process import STRESS
from tests.actors.stepped_loop import Task

pytestmark = pytest.mark.steps_only(
    "what is told, sent and killed falls between two steps of its choice"
)

OrderWorld.TestCase.settings = settings(
    max_examples=5_000 if STRESS else 100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestOrderWorld = pytest.mark.longest(
    pytest.mark.slow(pytest.mark.timeout(7200 if STRESS else 300)(OrderWorld.TestCase))
)


def stale_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take an absence for proof whenever it was asked for, and ask again while it is asked."""
    ask, looked_up = Asking._ask, Asking.looked_up

    def eager(self: Asking, *entries: LedgerEntry) -> None:
        for entry in entries:
            self._orders.asked.pop(entry.order_key, None)
        ask(self, *entries)

    def gullible(self: Asking, answer: LookupDone) -> None:
        self._orders.asked[answer.order_key] = self._orders.sends[answer.order_key]
        looked_up(self, msgspec.structs.replace(answer, epoch=self._ctx.epoch))

    monkeypatch.setattr(Asking, "_ask", eager)
    monkeypatch.setattr(Asking, "looked_up", gullible)


def resend_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    async def guess(self: Any, epoch: Epoch, key: OrderKey, order: Any, sent_at_ns: int) -> None:
        self._executor.tell(LookupDone(order_key=key, epoch=epoch, report=None, problem=""))

    monkeypatch.setattr(LiveGateway, "_find", guess)


def unknown_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Gateway._told

    def sure(self: Gateway, order: Any, error: BaseException) -> OrderReport:
        report = told(self, order, error)
        if isinstance(error, NotSent):
            return report
        return msgspec.structs.replace(report, state=S.REJECTED)

    monkeypatch.setattr(Gateway, "_told", sure)


def send_before_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    write = OrderDesk._write

    def hasty(self: OrderDesk, steps: Any, claims: Any, notes: Any) -> list[LedgerEntry]:
        from persistence.entries import claimed_entry

        for claim in claims:
            if claim.sent:
                self._submit(claimed_entry(claim, self._ctx.utc_ns()), claim.intent.ts_created_ns)
        return write(self, steps, claims, notes)

    monkeypatch.setattr(OrderDesk, "_write", hasty)
    monkeypatch.setattr(OrderDesk, "_hand_over", lambda self, claims: None)


def no_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_gate(self: Any, epoch: Epoch, key: OrderKey, order: Any, fence: Any) -> None:
        await submit(self, self._epoch, key, order, lambda: None)

    submit = LiveGateway._submit
    monkeypatch.setattr(LiveGateway, "_submit", open_gate)


def sent_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say of every order that it was sent long ago, so that absence proves too much."""
    find = LiveGateway.find

    def wrong(self: Any, epoch: Epoch, key: OrderKey, order: Any, *, sent_at_ns: int) -> None:
        find(self, epoch, key, order, sent_at_ns=0)

    monkeypatch.setattr(LiveGateway, "find", wrong)


def second_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send what takes the place of an order while that is open still."""
    monkeypatch.setattr(executor, "has_ended", lambda first: True)


def filled_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send all of an order that takes the place of another, whatever of that has filled."""
    monkeypatch.setattr(executor, "rest_of", lambda intent, first: intent)


def unknown_cancel_is_canceled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a cancel whose outcome is not known for one that worked."""
    cancel = ModelVenue.cancel

    async def sure(self: Any, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        try:
            return await cancel(self, client_order_id, symbol)
        except OutcomeUnknown:
            return OrderReport(
                client_order_id=client_order_id,
                symbol=symbol,
                state=S.CANCELED,
                venue_order_id=None,
                filled_quantity=Decimal(0),
                average_price=None,
                fills=(),
                reason="",
                evidence="cancel",
                ts_event_ns=TimestampNs(0),
            )

    monkeypatch.setattr(ModelVenue, "cancel", sure)


QUICK_BUGS: list[Callable[[pytest.MonkeyPatch], None]] = [
    resend_without_asking,
    unknown_is_rejected,
    second_without_waiting,
    filled_is_sent_again,
    unknown_cancel_is_canceled,
]
SEARCHES = 20 if STRESS else 1
"""Each from a seed of its own: where one begins decides much of what it comes upon."""
DEEP_BUGS = [send_before_commit, stale_absence, no_fence, sent_long_ago]
"""Hundreds of examples and more: under stress. The first two are tried by hand as well, below."""


@pytest.mark.slow
@pytest.mark.parametrize("bug", [*QUICK_BUGS, *(DEEP_BUGS if STRESS else ())])
@pytest.mark.timeout(3600 if STRESS else 300)
def test_a_planted_bug_is_found(
    bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)

    with pytest.raises(AssertionError):
        search()


def search() -> None:
    """Run the machine from one seed after the other; the first that fails ends it."""
    generated = settings(
        OrderWorld.TestCase.settings, max_examples=1_000, phases=(Phase.generate,), database=None
    )
    for number in range(SEARCHES):
        world = seed(number)(type("World", (OrderWorld,), {}))
        run_state_machine_as_test(world, settings=generated)


def asked_twice_then_sent_again() -> OrderWorld:
    """An absence that was seen before an order was sent again is told after it has arrived."""
    world = OrderWorld()
    world.open(None)
    world.tell(world.intent(0), world.intent(1))
    world.work(None)
    send_all(world, arrive=False)
    world.life.path.after(3.5)
    first, other = go_on(world, "begin")
    world.go(first)
    world.go(other)
    world.go(other, well=False)
    world.life.path.after(1.1)  # the failed question is put again, and with it perhaps the other
    for question in go_on(world, "begin"):
        world.go(question)
    world.go(first)
    send_all(world, arrive=True)
    for question in world.tasks("seen"):
        world.go(question)
    world.life.path.after(1.1)  # the pause before a third send
    send_all(world, arrive=True)
    return world


def go_on(world: OrderWorld, name: str) -> list[Task]:
    tasks = world.tasks(name)
    for task in tasks:
        world.go(task)
    return tasks


def send_all(world: OrderWorld, *, arrive: bool) -> None:
    """Every send leaves, arrives or is lost, and is never answered."""
    world.work(None)
    for task in world.tasks("begin"):
        world.go(task)
    go_on(world, "connect")
    for request in list(world.exchange.wire):
        if arrive:
            world.exchange.arrive(request, "fill")
        else:
            world.exchange.wire.remove(request)
    for task in world.tasks("answer"):
        world.go(task, well=False)
    world.work(None)


def test_an_absence_from_before_a_send_is_no_proof_and_the_model_would_see_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    healthy = asked_twice_then_sent_again()
    healthy.never_two()
    healthy.teardown()

    stale_absence(monkeypatch)
    sick = asked_twice_then_sent_again()
    with pytest.raises(AssertionError):
        sick.never_two()
    sick.life.bury()


@pytest.mark.parametrize("how", ["fail before", "kill before"])
def test_an_order_that_left_before_a_commit_that_never_was_is_two_and_the_model_would_see_it(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = decided_while_a_commit_fails(how)
    healthy.never_two()
    healthy.teardown()

    send_before_commit(monkeypatch)
    sick = decided_while_a_commit_fails(how)
    with pytest.raises(AssertionError):
        sick.never_two()
    sick.life.bury()


def decided_while_a_commit_fails(how: str) -> OrderWorld:
    """What has left by then arrives, and the decision is made again."""
    world = OrderWorld()
    world.open(None)
    world.life.fails = how
    world.tell(world.intent(0))
    world.work(None)
    for request in list(world.exchange.wire):
        world.exchange.arrive(request, "fill")
    world.tell(world.intent(0))
    send_all(world, arrive=True)
    return world
