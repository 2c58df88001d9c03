"""Feed and venue of one exchange live on two loops and on one budget."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from exchanges.rate_budget import RateBudget, Urgency
from ops import rate_budgets
from ops.rate_budgets import blocked_text, budget_for

HERE = {"urls": {"api": {"public": "http://127.0.0.1:1"}}, "timeout": 5_000}
ALSO_HERE = {"urls": {"api": {"public": "http://127.0.0.1:1"}}, "apiKey": "another"}
ELSEWHERE = {"urls": {"api": {"public": "http://127.0.0.1:2"}}}


def test_whoever_reaches_the_same_address_shares_a_budget() -> None:
    assert budget_for("binance", HERE) is budget_for("binance", ALSO_HERE)


def test_two_that_ask_for_it_first_at_one_moment_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two, each would go on after the exchange had told the other to stay away."""
    asks = threading.Barrier(2, timeout=20)

    class Slow(RateBudget):
        def __init__(self, *given: Any, **named: Any) -> None:
            threading.Event().wait(0.05)
            super().__init__(*given, **named)

    def ask(_: int) -> RateBudget:
        asks.wait()
        return budget_for("binance", {"hostname": "asked for twice"})

    monkeypatch.setattr(rate_budgets, "RateBudget", Slow)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(ask, range(2))
    assert one is other


def test_another_exchange_or_address_has_its_own() -> None:
    budgets = {id(budget_for(*one)) for one in (("binance", HERE), ("okx", HERE))}
    assert len({*budgets, id(budget_for("binance", ELSEWHERE))}) == 3


def test_what_the_feed_was_told_keeps_the_venue_away_too() -> None:
    feed = budget_for("binance", {"hostname": "told"})
    feed.heard(429, 3_000)
    assert budget_for("binance", {"hostname": "told"}).blocked_for_ms > 2_000


def test_that_an_exchange_wants_to_hear_nothing_is_a_sentence() -> None:
    banned = {"hostname": "banned"}
    assert blocked_text("binance", banned) == ""

    budget_for("binance", banned).heard(418, 3_600_000)

    assert blocked_text("binance", banned) == (
        "binance wants to hear nothing for 3600 s (HTTP 418: too many requests from this address):"
        " no order and no question leaves before"
    )


@pytest.mark.slow
def test_an_order_on_one_loop_goes_before_candles_on_another() -> None:
    """The bucket is empty and both wait; the order came last."""
    budget = budget_for("binance", {"hostname": "urgent"})
    served: list[Urgency] = []
    both_wait = threading.Barrier(2, timeout=60)

    def caller(urgency: Urgency, cost_ms: float) -> threading.Thread:
        async def call() -> None:
            both_wait.wait()
            if urgency is Urgency.ORDER:
                await asyncio.sleep(0.02)
            await budget.acquire(cost_ms, urgency)
            served.append(urgency)

        thread = threading.Thread(target=lambda: asyncio.run(call()))
        thread.start()
        return thread

    asyncio.run(budget.acquire(2_000, Urgency.ORDER))
    threads = [caller(Urgency.DATA, 300), caller(Urgency.ORDER, 100)]
    for thread in threads:
        thread.join(60)
    assert served == [Urgency.ORDER, Urgency.DATA]
