"""The promise itself: whatever the network does, no decision becomes two orders at the venue.

A small driver does what the executor does: it sends, and where it does not know it asks until it
knows, and it sends again only after a proof of absence. What is at the venue is then counted there.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from random import Random

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import NewOrder
from exchanges.rate_budget import Budget, RateBudget
from messages.errors import NotSent, OutcomeUnknown, Rejected
from messages.ids import NS_PER_MS
from messages.orders import OrderReport
from tests.exchanges.live import LIMIT_S, Desk, desk, free

pytestmark = pytest.mark.slow

PLACING = [
    Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.CLOSE_BEFORE, Fault.CLOSE_AFTER,
    Fault.TRUNCATED_LENGTH, Fault.TRUNCATED_CHUNKED, Fault.HALF_JSON, Fault.EMPTY_BODY,
    Fault.HTML_BODY, Fault.SERVER_ERROR_BEFORE, Fault.SERVER_ERROR_AFTER,
    Fault.GATEWAY_TIMEOUT_BEFORE, Fault.GATEWAY_TIMEOUT_AFTER, Fault.TIMEOUT_CODE_AFTER,
    Fault.UNEXPECTED_RESPONSE_BEFORE, Fault.UNEXPECTED_RESPONSE_AFTER, Fault.DISCONNECTED_AFTER,
    Fault.UNKNOWN_CODE_AFTER, Fault.SERVER_BUSY, Fault.FIREWALL, Fault.KEY_REVOKED,
    Fault.MAINTENANCE, Fault.CLOCK_REFUSED, Fault.HANG_BEFORE, Fault.HANG_AFTER,
]  # fmt: skip
ASKING = [
    Fault.STALE_READ, Fault.RESET_BEFORE, Fault.HTML_BODY, Fault.EMPTY_BODY, Fault.EMPTY_OBJECT,
    Fault.SERVER_ERROR_BEFORE, Fault.HALF_JSON, Fault.TIMEOUT_CODE_BEFORE,
]  # fmt: skip
ATTEMPTS_MAX = 60
SEEDS = 40 if os.environ.get("WATCHKEEPER_STRESS") else 2
DECISIONS = 14
LATE_MS = 1_200
HASTE_MS = 250


class Driver:
    """One executor, reduced to what it does about one decision. Time is moved at the venue."""

    def __init__(self, run: RunningExchange, opened: Desk) -> None:
        self._run = run
        self._desk = opened
        self._passed_ms = 0

    def settle(self, order: NewOrder) -> str:
        """Send until it is settled, as the ledger allows; give how it ended."""
        for _ in range(ATTEMPTS_MAX):
            sent_at_ns = time.time_ns() + self._passed_ms * NS_PER_MS
            try:
                report: OrderReport | None = self._desk.call(self._desk.venue.submit(order, free))
            except NotSent:
                continue
            except Rejected:
                return "rejected"
            except OutcomeUnknown:
                report = self._ask(order, sent_at_ns)
            if report is not None:
                return "placed"
        raise AssertionError("never settled")

    def _ask(self, order: NewOrder, sent_at_ns: int) -> OrderReport | None:
        question = self._desk.venue.find
        for _ in range(ATTEMPTS_MAX):
            try:
                return self._desk.call(
                    question(order.client_order_id, order.symbol, sent_at_ns=sent_at_ns)
                )
            except OutcomeUnknown:
                self._let_pass(1_500)
        raise AssertionError("never answered")

    def _let_pass(self, by_ms: int) -> None:
        self._passed_ms += by_ms
        self._run.exchange.skew_clock(self._passed_ms)
        self._desk.venue._client.options["timeDifference"] = -self._passed_ms


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=7, speed=0) as run:
        yield run


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_decision_becomes_two_orders(
    seed: int, run: RunningExchange, order: Callable[..., NewOrder]
) -> None:
    chance = Random(seed)
    ended: dict[str, str] = {}
    budget = RateBudget(Budget(burst_ms=10_000_000))
    with desk(run.ccxt_config(), budget=budget) as opened:
        opened.call(opened.venue.open())
        driver = Driver(run, opened)
        with opened.within(HASTE_MS):
            for number in range(DECISIONS):
                name = f"wk{seed:02d}{number:04d}"
                arm(run, chance)
                changes = {"limit_price": "50000"} if chance.random() < 0.3 else {}
                ended[name] = driver.settle(order(name, quantity="0.001", **changes))
                run.exchange.disarm()
        wait_for_late_ones(run)

    at_venue = {name: len(run.exchange.orders_with(name)) for name in ended}
    assert max(at_venue.values()) == 1
    for name, how in ended.items():
        assert at_venue[name] == (1 if how == "placed" else 0), (name, how)
    assert list(ended.values()).count("placed") > DECISIONS / 2


def arm(run: RunningExchange, chance: Random) -> None:
    """Half of the time let the order be late, so that it arrives after everybody has asked."""
    if chance.random() < 0.5:
        late = Plan(fault=Fault.DELAYED_DELIVERY, operation="place", delay_ms=LATE_MS)
        run.exchange.arm(late)
    else:
        run.exchange.arm(Plan(fault=chance.choice(PLACING), operation="place"))
    for operation in chance.choices(("query", "open_orders", "all_orders", "time"), k=2):
        if chance.random() < 0.5:
            fault = chance.choice(ASKING)
            run.exchange.arm(Plan(fault=fault, operation=operation, delay_ms=60_000))


def wait_for_late_ones(run: RunningExchange) -> None:
    wait = threading.Event()
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        late = run.exchange.requests(operation="place")
        if all(r.engine != "not reached" for r in late if r.fault == Fault.DELAYED_DELIVERY):
            return
        wait.wait(0.05)
    raise AssertionError("late requests never arrived")
