"""A halt in a whole system on the paper venue, on threads and on steps, over starts and deaths."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import strategies
from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from actors.thread_runtime import ThreadRuntime
from decisions.halting import HaltState
from exchanges.paper_book import read_book
from messages.halting import ResumeTrading
from messages.lifecycle import ActorState, HaltTrading, InjectCrash
from messages.orders import OrderUpdate
from messages.values import OrderState
from ops.config import Config, parse
from ops.run_dir import RunDir
from ops.wiring import System, build
from persistence.ledger import read_orders

PLUGIN = Path(__file__).with_name("halting_strategies.py")
PROVED = str(HaltState.HALTED_PROVED)
HALT = HaltTrading(reason="enough", durable=True, request="h")
LIMITS = {"max_open_orders": 1000, "max_open_orders_per_symbol": 1000}


def resting(run_dir: Path, candles: int = 40) -> Config:
    document: dict[str, Any] = {
        "name": "resting",
        "run_dir": str(run_dir),
        "feed": {
            "type": "demo",
            "symbols": ["BTC/USDT"],
            "limit": candles,
            "speed": 3000,
            "window": 2,
            "batch": 1,
        },
        "strategy": [{"id": "r", "uses": f"{PLUGIN}:Resting"}],
        "risk": {
            "price_collar_bps": "5000",
            "max_position_notional": "1000000",
            "max_orders_per_minute": 1000,
            **LIMITS,
        },
    }
    return parse(document, Path.cwd(), strategies.check_params)


def play(config: Config, runtime: Runtime, *, observe: Callable[[System, Any], None]) -> System:
    """Run the market to its end; `observe` is told what Metrics is, on its thread."""
    systems: list[System] = []
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, runtime, observe=lambda m: observe(systems[0], m))
        systems.append(system)
        started = runtime.start(system.root, 60_000_000_000)
        assert not started.problem, started.problem
        life = system.root.life
        assert life is not None
        if isinstance(runtime, StepRuntime):
            runtime.run_until(life.gone.is_set)
        else:
            life.gone.wait(60)
        assert life.gone.is_set(), "the run did not end"
    return system


def anew(runtime: Runtime) -> Runtime:
    """Give a runtime of the same kind, for the next process."""
    steps = isinstance(runtime, StepRuntime)
    return StepRuntime(ttl_enforced=False) if steps else ThreadRuntime(ttl_enforced=False)


def nothing(_: System, __: Any) -> None:
    """Only look on."""


class AtTheFifth:
    """Does something when the fifth order is accepted."""

    def __init__(self, *actions: Any) -> None:
        self._actions = actions
        self._accepted = 0

    def __call__(self, system: System, message: Any) -> None:
        if isinstance(message, OrderUpdate) and message.state is OrderState.ACCEPTED:
            self._accepted += 1
            if self._accepted == 5:
                for action in self._actions:
                    system.executor.tell(action)


def states(run_dir: Path) -> Counter[OrderState]:
    return Counter(order.state for order in read_orders(run_dir / "ledger.db"))


def at_venue(run_dir: Path) -> dict[str, OrderState]:
    return {row.client_order_id: row.state for row in read_book(run_dir / "paper.db")}


@pytest.mark.slow
@pytest.mark.parametrize("death", [(), (InjectCrash(reason="test"),)], ids=["alive", "crash"])
def test_what_rests_at_the_venue_is_canceled_and_the_rest_of_the_market_is_refused(
    tmp_path: Path, runtime: Runtime, death: tuple[Any, ...]
) -> None:
    config = resting(tmp_path / "run")

    system = play(config, runtime, observe=AtTheFifth(HALT, *death))

    assert system.board.halt.state == PROVED
    assert set(states(config.run_dir)) == {OrderState.CANCELED, OrderState.REFUSED}
    assert set(at_venue(config.run_dir).values()) == {OrderState.CANCELED}
    assert sum(states(config.run_dir).values()) == 40, "each decision has its row"
    refused = [o for o in read_orders(config.run_dir / "ledger.db") if o.state_reason != ""]
    assert {o.state_reason for o in refused} >= {"halted: enough"}


@pytest.mark.slow
def test_halted_stopped_and_started_it_is_still_halted_and_a_resume_ends_it(
    tmp_path: Path, runtime: Runtime
) -> None:
    config = resting(tmp_path / "run")
    play(config, runtime, observe=AtTheFifth(HALT))
    sent = len(at_venue(config.run_dir))
    again = anew(runtime)
    seen: list[tuple[ActorState, str]] = []

    def look(system: System, _: Any) -> None:
        seen.append((system.executor.cell.state, system.executor.cell.problem))

    longer = resting(config.run_dir, candles=60)
    system = play(longer, again, observe=look)

    assert system.board.halt.state == PROVED
    assert len(at_venue(config.run_dir)) == sent
    assert any(state is ActorState.HALTED and "enough" in text for state, text in seen)
    asked: list[str] = []

    def resume(system: System, _: Any) -> None:
        if system.board.halt.state == PROVED and not asked:
            asked.append("r")
            system.executor.tell(ResumeTrading(request="r", despite_open=False))

    third = play(resting(config.run_dir, candles=100), anew(runtime), observe=resume)

    answer = third.board.answer("r")
    assert answer is not None
    assert answer.ok
    assert len(at_venue(config.run_dir)) > sent
    assert third.board.halt.state == "trading"


@pytest.mark.slow
def test_a_run_that_is_not_halted_leaves_its_orders_open(tmp_path: Path, runtime: Runtime) -> None:
    config = resting(tmp_path / "run")

    play(config, runtime, observe=nothing)

    assert set(at_venue(config.run_dir).values()) == {OrderState.ACCEPTED}
