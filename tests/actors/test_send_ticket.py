"""Leave to send an order: given once, never when in doubt, whatever comes in which order."""

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.send_ticket import SendTicket, TicketState
from exchanges.protocol import HOLD_MS, NewOrder
from exchanges.venue_loop import VenueLoop
from messages.errors import NotSent
from messages.ids import ClientOrderId, Symbol, TimestampNs
from messages.values import OrderType, Side, TimeInForce

ORDER = NewOrder(
    client_order_id=ClientOrderId("wk1"),
    symbol=Symbol("BTC/USDT"),
    side=Side.BUY,
    order_type=OrderType.MARKET,
    time_in_force=TimeInForce.GTC,
    quantity=Decimal(1),
    limit_price=None,
    decided_at_ns=TimestampNs(0),
)
LIMIT_S = 30.0


class ClockedLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes only when the test says so."""

    now_s = 1_000.0

    def time(self) -> float:
        return self.now_s

    def rest(self) -> None:
        """Let everybody go on who can."""
        for _ in range(4):
            self.run_until_complete(asyncio.sleep(0))


class TicketWorld(RuleBasedStateMachine):
    """One prepared order: its executor on one side, its request at the fence on the other."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = ClockedLoop()
        self.mail: list[Callable[[], object]] = []
        """What the loop has been called to do, and has not done yet."""
        self.ticket = SendTicket(ORDER, self.mail.append)
        self.epoch = self.present = 1
        self.waits: asyncio.Task[None] | None = None
        self.waited_s: float | None = None
        self.is_open = self.is_void = self.is_word_lost = False

    def teardown(self) -> None:
        if self.waits is not None:
            self.waits.cancel()
        self.loop.rest()
        self.loop.close()

    def fence(self) -> None:
        if self.epoch != self.present:
            raise NotSent("replaced")

    @rule()
    def the_commit_returns(self) -> None:
        opened = self.ticket.open(self.fence)

        assert opened == (not self.is_open and not self.is_void), "opened twice, or when void"
        self.is_open = self.is_open or opened

    @rule()
    def the_executor_gives_up(self) -> None:
        assert self.ticket.void() == (not self.is_open)

        self.is_void = not self.is_open

    @rule()
    def the_executor_is_replaced(self) -> None:
        self.present += 1

    @precondition(lambda self: self.waits is None)
    @rule()
    def the_request_is_signed(self) -> None:
        self.waits = self.loop.create_task(self.ticket.ready())
        self.waited_s = self.loop.time()
        self.loop.rest()

    @precondition(lambda self: self.mail)
    @rule()
    def the_loop_hears(self) -> None:
        while self.mail:
            self.mail.pop(0)()
        self.loop.rest()

    @precondition(lambda self: self.mail)
    @rule()
    def the_word_to_the_loop_is_lost(self) -> None:
        self.mail.clear()
        self.is_word_lost = True

    @rule(ms=st.sampled_from([1, HOLD_MS - 1, HOLD_MS + 1, 100_000]))
    def time_passes(self, ms: int) -> None:
        self.loop.now_s += ms / 1_000
        self.loop.rest()
        held_s = 0.0 if self.waited_s is None else self.loop.time() - self.waited_s
        if held_s > HOLD_MS / 1_000 - 1e-6:  # floats add up to a little less
            self.is_word_lost = False
            self.is_void = not self.is_open

    @invariant()
    def it_is_what_it_should_be(self) -> None:
        if self.is_void:
            assert self.ticket.state is TicketState.VOID
        elif self.is_open:
            assert self.ticket.state is TicketState.OPEN
        else:
            assert self.ticket.state is TicketState.CLOSED

    @invariant()
    def nothing_passes_unless_it_is_open_and_its_executor_is_the_present_one(self) -> None:
        try:
            self.ticket.fence()
            passes = True
        except NotSent:
            passes = False
        assert passes == (self.is_open and self.epoch == self.present)

    @invariant()
    def who_waited_goes_on_once_it_is_decided_and_told_and_only_then(self) -> None:
        if self.waits is None or not (self.is_open or self.is_void):
            assert self.waits is None or not self.waits.done()
        elif self.waits.done() or not (self.mail or self.is_word_lost):
            error = self.waits.exception()
            assert (error is None) == self.is_open, error
            assert error is None or isinstance(error, NotSent)


TicketWorld.TestCase.settings = settings(
    max_examples=150, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestTicketWorld = pytest.mark.slow(TicketWorld.TestCase)


def test_of_itself_nothing_may_leave() -> None:
    ticket = SendTicket(ORDER, lambda _: None)

    with pytest.raises(NotSent, match="its ticket is closed"):
        ticket.fence()


def test_an_open_ticket_asks_the_fence_that_it_was_given() -> None:
    def barred() -> None:
        raise NotSent("halted: by hand")

    ticket = SendTicket(ORDER, lambda _: None)
    assert ticket.open(barred)

    with pytest.raises(NotSent, match="halted: by hand"):
        ticket.fence()


def test_who_does_not_wait_is_not_woken() -> None:
    calls: list[Any] = []
    ticket = SendTicket(ORDER, calls.append)

    ticket.open(lambda: None)

    asyncio.run(ticket.ready())
    assert calls == []


@pytest.fixture
def loop() -> Any:
    made = VenueLoop("loop-of-a-test")
    made.start()
    yield made
    made.close(LIMIT_S)


@pytest.mark.slow
def test_two_threads_never_disagree_whether_it_was_opened(loop: VenueLoop) -> None:
    """The request's hold ends just when the commit returns: it leaves by one way, and by one."""
    rng = random.Random(7)
    left: list[int] = []

    async def prepared(number: int, ticket: SendTicket) -> None:
        try:
            await ticket.ready()
            ticket.fence()
            left.append(number)
        except NotSent:
            assert ticket.void()

    handed: list[int] = []
    pause = threading.Event()
    futures: list[Future[None]] = []
    for number in range(400):
        ticket = SendTicket(ORDER, loop.call, hold_ms=rng.choice((0, 1)))
        futures.append(loop.submit(prepared(number, ticket)))
        pause.wait(rng.choice((0, 0, 0.0005, 0.001, 0.0015)))
        if not ticket.open(lambda: None):
            handed.append(number)
    for future in futures:
        future.result(LIMIT_S)

    assert sorted(left + handed) == list(range(400))
    assert left, "each was handed over: nothing was tried"


def test_a_loop_that_is_closed_lets_nothing_leave(loop: VenueLoop) -> None:
    left: list[bool] = []

    async def prepared(ticket: SendTicket) -> None:
        waiting.set()
        await ticket.ready()
        ticket.fence()
        left.append(True)

    waiting = threading.Event()
    ticket = SendTicket(ORDER, loop.call, hold_ms=60_000)
    loop.submit(prepared(ticket))
    assert waiting.wait(LIMIT_S)
    assert loop.close(LIMIT_S)

    ticket.open(lambda: None)

    assert left == []
