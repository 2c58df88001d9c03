"""The budget of one key: never faster than the exchange allows, orders first, blocks obeyed."""

import asyncio
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.rate_budget import Budget, RateBudget, Urgency
from messages.ids import NS_PER_MS, NS_PER_S

ORDER, QUESTION, DATA = Urgency.ORDER, Urgency.QUESTION, Urgency.DATA


def take(budget: Budget, cost_ms: float, urgency: Urgency, now_ms: int) -> int:
    """Give the wait in milliseconds, rounded up, of a caller who gives up when told to wait."""
    ticket = budget.join(cost_ms, urgency)
    wait_ns = budget.take(ticket, now_ms * NS_PER_MS)
    budget.leave(ticket)
    return -(-wait_ns // NS_PER_MS)


def test_a_full_bucket_lets_a_burst_through() -> None:
    budget = Budget(burst_ms=100, reserve_ms=0)

    assert [take(budget, 25, DATA, 0) for _ in range(5)] == [0, 0, 0, 0, 25]


def test_it_fills_as_time_goes_by_and_no_further_than_full() -> None:
    budget = Budget(burst_ms=100, reserve_ms=0)
    take(budget, 100, DATA, 0)

    assert take(budget, 50, DATA, 40) == 10
    assert take(budget, 100, DATA, 99_999) == 0
    assert take(budget, 1, DATA, 99_999) == 1


def test_data_leaves_a_reserve_to_orders() -> None:
    budget = Budget(burst_ms=100, reserve_ms=40)

    assert take(budget, 60, DATA, 0) == 0
    assert take(budget, 1, DATA, 0) == 1
    assert take(budget, 40, ORDER, 0) == 0


def test_an_order_goes_before_a_question_about_one_and_that_before_data() -> None:
    """Whoever came first: while an outcome is unknown nothing more is sent for its symbol."""
    budget = Budget(burst_ms=100, reserve_ms=0)
    take(budget, 100, DATA, 0)
    data, question, order = (budget.join(10, one) for one in (DATA, QUESTION, ORDER))

    assert budget.take(data, 10 * NS_PER_MS) > 0
    assert budget.take(question, 10 * NS_PER_MS) > 0
    assert budget.take(order, 10 * NS_PER_MS) == 0
    assert budget.take(data, 20 * NS_PER_MS) > 0
    assert budget.take(question, 20 * NS_PER_MS) == 0
    assert budget.take(data, 30 * NS_PER_MS) == 0


def test_a_question_leaves_the_reserve_to_orders_as_data_does() -> None:
    budget = Budget(burst_ms=100, reserve_ms=40)

    assert take(budget, 60, QUESTION, 0) == 0
    assert take(budget, 1, QUESTION, 0) == 1
    assert take(budget, 40, ORDER, 0) == 0


def test_within_a_level_the_first_goes_first() -> None:
    budget = Budget(burst_ms=100, reserve_ms=0)
    take(budget, 100, DATA, 0)
    first, second = budget.join(10, DATA), budget.join(1, DATA)

    assert budget.take(second, 10 * NS_PER_MS) > 0
    assert budget.take(first, 10 * NS_PER_MS) == 0


def test_a_call_dearer_than_the_bucket_goes_when_it_is_full() -> None:
    budget = Budget(burst_ms=100, reserve_ms=50)

    assert take(budget, 1_000, DATA, 0) == 0
    assert take(budget, 10, ORDER, 0) == 910


def test_a_block_holds_everybody_and_a_shorter_one_does_not_end_it() -> None:
    budget = Budget()
    budget.block(0, 5_000)
    budget.block(0, 100)

    assert take(budget, 1, ORDER, 1_000) == 4_000
    assert take(budget, 1, ORDER, 5_000) == 0


def test_what_did_not_leave_is_given_back_and_no_more_than_full() -> None:
    budget = Budget(burst_ms=100, reserve_ms=0)
    take(budget, 30, ORDER, 0)

    budget.give_back(30)
    assert take(budget, 100, ORDER, 0) == 0
    budget.give_back(100)
    budget.give_back(100)
    assert take(budget, 100, ORDER, 0) == 0
    assert take(budget, 1, ORDER, 0) == 1


def test_a_clock_that_goes_backwards_gives_nothing_away() -> None:
    budget = Budget(burst_ms=100, reserve_ms=0)
    take(budget, 100, DATA, 1_000)

    assert take(budget, 10, DATA, 500) == 10
    assert take(budget, 10, DATA, 1_000) == 10


calls = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from(Urgency), st.integers(0, 400)), max_size=60
)


@given(calls)
def test_over_any_span_no_more_is_spent_than_the_rate_and_one_burst(
    wanted: list[tuple[int, Urgency, int]],
) -> None:
    burst_ms = 300
    budget, now_ms, spent = Budget(burst_ms, 100), 0, list[tuple[int, int]]()
    for cost_ms, urgency, gap_ms in wanted:
        now_ms += gap_ms
        if take(budget, cost_ms, urgency, now_ms) == 0:
            spent.append((now_ms, cost_ms))
    for first, last in itertools.combinations_with_replacement(range(len(spent)), 2):
        span_ms = spent[last][0] - spent[first][0]
        assert sum(cost for _, cost in spent[first : last + 1]) <= span_ms + burst_ms


@given(calls)
def test_whoever_waits_as_told_is_served_and_orders_go_first(
    wanted: list[tuple[int, Urgency, int]],
) -> None:
    budget, now_ns = Budget(300, 100), 0
    tickets = [budget.join(cost_ms, urgency) for cost_ms, urgency, _ in wanted]
    served = []
    for _ in range(10 * len(tickets) + 1):
        waits = []
        for ticket in [t for t in tickets if t not in served]:
            wait_ns = budget.take(ticket, now_ns)
            if wait_ns:
                waits.append(wait_ns)
            else:
                served.append(ticket)
        if not waits:
            break
        now_ns += min(waits)

    assert len(served) == len(tickets)
    assert [t.urgency for t in served] == sorted(t.urgency for t in served)


# ------------------------------------------------------------------ the shell


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_cancelled_wait_gives_its_place_up(clock: Clock) -> None:
    async def run() -> int:
        core = Budget(burst_ms=10, reserve_ms=0)
        budget = RateBudget(core, clock)
        await budget.acquire(10, DATA)
        waiting = asyncio.ensure_future(budget.acquire(10, DATA))
        await settle()
        assert core.waiting == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return core.waiting

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize(
    ("status", "told_ms", "blocked_ms"),
    [
        (429, 7_000, 7_000),
        (418, 120_000, 120_000),
        (429, None, 10_000),
        (418, None, 120_000),
        (200, 7_000, 0),
        (503, 7_000, 0),
    ],
)
def test_an_exchange_that_says_stop_is_heard(
    status: int, told_ms: int | None, blocked_ms: int, clock: Clock
) -> None:
    budget = RateBudget(monotonic_ns=clock)

    budget.heard(status, told_ms)

    assert budget.blocked_for_ms == blocked_ms
    clock.now_ns += 200 * NS_PER_S
    assert budget.blocked_for_ms == 0


def test_a_long_silence_is_told_once_and_again_when_it_grows(clock: Clock) -> None:
    told: list[tuple[int, float]] = []
    budget = RateBudget(monotonic_ns=clock, on_blocked=lambda *what: told.append(what))

    budget.heard(429, 1_000)  # over before anybody has read of it
    budget.heard(418, 60_000)
    budget.heard(418, 60_000)  # another request that was under way
    clock.now_ns += 30 * NS_PER_S
    budget.heard(429, 10_000)  # inside of the longer one
    budget.heard(418, 90_000)

    assert told == [(418, 60.0), (418, 90.0)]
    assert budget.blocked_by == 418


def test_one_budget_serves_callers_of_two_loops() -> None:
    budget = RateBudget(Budget(burst_ms=30, reserve_ms=0))
    done: list[str] = []

    def work(name: str) -> Callable[[], None]:
        async def run() -> None:
            for _ in range(3):
                await budget.acquire(10, DATA)
                done.append(name)

        return lambda: asyncio.run(run())

    import threading

    threads = [threading.Thread(target=work(name)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(done) == ["a"] * 3 + ["b"] * 3


def test_who_was_never_asked_to_be_silent_says_so() -> None:
    assert RateBudget().blocked_by == 0
