"""A live process that replaces its order at each candle, killed in the middle: one is there."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults import Fault, Plan
from exchanges.local.orders import Order
from exchanges.local.request_log import Request
from exchanges.local.server import RunningExchange
from tests.system.bots import Bot
from tests.system.conftest import STRESS
from tests.system.following_strategies import QUANTITY
from tests.system.live_bots import wait_until
from tests.system.resting_bots import command, moving_config, moving_exchange

PLUGIN = Path(__file__).with_name("following_strategies.py")
MOMENTS = {
    "the first is canceled, and nobody is told": Plan(fault=Fault.HANG_AFTER, operation="cancel"),
    "the cancel has left, and does not arrive": Plan(fault=Fault.HANG_BEFORE, operation="cancel"),
    "the second is taken, and nobody is told": Plan(fault=Fault.HANG_AFTER, operation="place"),
    "the second has left, and does not arrive": Plan(fault=Fault.HANG_BEFORE, operation="place"),
    "the first ends": Plan(fault=Fault.DELAYED_REPLY, operation="cancel", delay_ms=5),
    "the second arrives": Plan(fault=Fault.DELAYED_REPLY, operation="place", delay_ms=5),
}
IN_EVERY_RUN = ("the first is canceled, and nobody is told",)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningExchange]:
    with moving_exchange(monkeypatch) as running:
        yield running


def following_config(folder: Path, run: RunningExchange) -> Path:
    risk = {"max_position_notional": "700", "max_orders_per_minute": 1_000}
    return moving_config(folder, run, f"{PLUGIN}:Follows", risk)


def until_it_moves_its_bid(run: RunningExchange, bot: Bot, times: int) -> None:
    """Wait until so many more orders have come and the last of them rests."""
    before = len(run.exchange.orders())

    def moved() -> bool:
        assert bot.process.poll() is None, bot.said
        orders = run.exchange.orders()
        return len(orders) >= before + times and orders[-1].is_open

    wait_until(moved)


def struck(run: RunningExchange, plan: Plan) -> list[Request]:
    asked = run.exchange.requests(operation=plan.operation)
    return [one for one in asked if one.fault == plan.fault]


def assert_one_at_a_time(orders: list[Order]) -> None:
    """By the exchange's own book; what has filled is not sent again."""
    for before, after in pairwise(sorted(orders, key=lambda order: order.ts_created_ns)):
        assert not before.is_open, f"{before} is open beside {after}"
        assert before.ts_updated_ns <= after.ts_created_ns, f"{before} was open beside {after}"
    assert sum(order.filled + order.quantity * order.is_open for order in orders) <= QUANTITY
    assert len({order.client_order_id for order in orders}) == len(orders)


@pytest.mark.slow
@pytest.mark.timeout(900 if STRESS else 300)
@pytest.mark.parametrize("moment", MOMENTS if STRESS else IN_EVERY_RUN)
def test_killed_at_any_moment_of_a_replacement_it_goes_on_with_one_order(
    tmp_path: Path, run: RunningExchange, start: Callable[..., Bot], moment: str
) -> None:
    config, plan = following_config(tmp_path, run), MOMENTS[moment]
    bot = start(config, "--i-understand-live")
    until_it_moves_its_bid(run, bot, 1)
    for _ in range(5 if STRESS else 1):
        before = len(struck(run, plan))
        run.exchange.arm(plan)
        wait_until(lambda seen=before: len(struck(run, plan)) > seen)  # type: ignore[misc]  # its type follows from the default
        bot.kill()
        run.exchange.disarm()

        bot = start(config)
        until_it_moves_its_bid(run, bot, 2)

    bot.kill()
    assert_one_at_a_time(run.exchange.orders())
    audit = command("audit", "--run-dir", tmp_path / "run")
    assert audit.returncode == 0, audit.stdout
    told = command("orders", "--run-dir", tmp_path / "run").stdout
    for state in ("unknown", "claimed", "not_sent"):
        assert not re.search(rf"\b{state}\b", told)
