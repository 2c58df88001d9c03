"""The whole system against an exchange on loopback, through real ccxt: never two, never lost."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from actors.thread_runtime import ThreadRuntime
from exchanges.ccxt_settings import CcxtSettings
from exchanges.ccxt_venue import CcxtVenue
from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.venue_loop import VenueLoop
from messages.ids import NS_PER_S, Symbol
from messages.lifecycle import ActorState, InjectCrash
from messages.order_states import FINAL_STATES
from messages.values import OrderState
from ops.audit import audit_run
from ops.config import Config, parse
from ops.journal import journal_for
from ops.live_venue import LiveVenue
from ops.run_dir import RunDir
from ops.wiring import System, build
from persistence.ledger import LedgerEntry, read_orders
from tests.waiting import until

SECRETS = ("apiKey", "secret", "timeout")
RECV_WINDOW_MS = 20_000
"""What the exchange refuses since a busy machine stood still for longer than its usual 2.5 s proves
nothing here."""


@contextmanager
def venue_at(run: RunningExchange) -> Iterator[LiveVenue]:
    """A venue of our own at the exchange, its gate passed."""
    config = run.ccxt_config()
    settings = CcxtSettings(
        exchange="binance",
        api_key=config["apiKey"],
        secret=config["secret"],
        recv_window_ms=RECV_WINDOW_MS,
        config={key: value for key, value in config.items() if key not in SECRETS},
    )
    loop = VenueLoop("venue")
    loop.start()
    venue = CcxtVenue(settings, [Symbol("BTC/USDT")], rng=Random(1))
    live = LiveVenue(venue, loop, loop.submit(venue.open()).result(60))
    try:
        yield live
    finally:
        live.close()


def demo_of(run_dir: Path, candles: int, speed: int = 0) -> Config:
    document: dict[str, Any] = {
        "name": "live",
        "run_dir": str(run_dir),
        "feed": {"type": "demo", "symbols": ["BTC/USDT"], "limit": candles, "speed": speed},
        "journal": {"when": "always"},
        "strategy": [{"id": "sma", "uses": "sma_cross", "params": {"fast": 10, "slow": 30}}],
    }
    return parse(document, Path.cwd())


def trade(
    config: Config, run: RunningExchange, *, at_start: Callable[[System], object] = lambda _: None
) -> list[LedgerEntry]:
    """Run the market to its end and stop in order; give what the ledger holds then."""
    runtime = ThreadRuntime(ttl_enforced=False)
    with RunDir(config.run_dir) as run_dir, venue_at(run) as live:
        journal = journal_for(config, run_dir, runtime.clock.utc_ns)
        assert journal is not None
        runtime.recorder = journal.record
        journal.start()
        system = build(config, run_dir, runtime, live=live)
        assert runtime.start(system.root, 60 * NS_PER_S).problem == ""
        at_start(system)
        life = system.root.life
        assert life is not None
        assert life.gone.wait(90)
        journal.close()
        halted = any(cell.state is ActorState.HALTED for cell in runtime.cells.values())
        run_dir.atomic_write("status.json", b'{"ended": {"exit_code": %d}}' % halted)
    checks = {check.name: check for check in audit_run(config.run_dir)}
    assert [check for check in checks.values() if check.differ] == []
    ledger = list(read_orders(config.run_dir / "ledger.db"))
    assert checks["reports"].checked > 0 or not any(order.filled_quantity for order in ledger)
    return ledger


def placed_at(run: RunningExchange) -> Counter[str]:
    return Counter(order.client_order_id for order in run.exchange.orders())


def settle(ledger: list[LedgerEntry], config: Config, run: RunningExchange) -> list[LedgerEntry]:
    """Start again until all have ended: the market may end within the pause, or a busy machine
    may have sent nothing by then.

    An exchange that answered with a page is away; what is queued then is not sent, and waits. A
    start asks for it before all else, and its absence is proved when its window is over (40 s).
    """
    pause = threading.Event()
    for _ in range(60):
        if all(order.state in FINAL_STATES for order in ledger):
            return ledger
        pause.wait(1)
        ledger = trade(config, run)
    raise AssertionError("it waits for ever")


def sent_ones(ledger: list[LedgerEntry]) -> dict[str, LedgerEntry]:
    """Leave out what was never sent, for good."""
    return {
        order.client_order_id: order for order in ledger if order.state is not OrderState.REFUSED
    }


@pytest.mark.slow
def test_every_decision_is_one_order_at_the_exchange_and_its_fills_are_known(
    tmp_path: Path,
) -> None:
    with running_exchange(seed=3, speed=0) as run:
        config = demo_of(tmp_path / "run", 800)
        ledger = settle(trade(config, run), config, run)

        orders = sent_ones(ledger)
        assert len(orders) > 5
        assert placed_at(run) == Counter(list(orders))
        assert {order.state for order in orders.values()} == {OrderState.FILLED}
        assert all(order.average_price for order in orders.values())


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.EMPTY_BODY, Fault.SERVER_ERROR_AFTER])
def test_an_order_whose_answer_is_lost_is_found_and_not_sent_again(
    tmp_path: Path, fault: Fault
) -> None:
    with running_exchange(seed=3, speed=0) as run:
        run.exchange.arm(Plan(fault=fault, operation="place", nth=2, times=1))
        config = demo_of(tmp_path / "run", 800)
        ledger = settle(trade(config, run), config, run)

        orders = sent_ones(ledger)
        assert placed_at(run) == Counter(list(orders))
        assert {order.state for order in orders.values()} == {OrderState.FILLED}


@pytest.mark.slow
def test_a_crashed_executor_settles_with_the_exchange_and_doubles_nothing(tmp_path: Path) -> None:
    """The market lasts for some seconds, so that it outlives the pause before the restart."""

    def crash(system: System) -> None:
        system.executor.tell(InjectCrash(reason="test"))

    with running_exchange(seed=3, speed=0) as run:
        config = demo_of(tmp_path / "run", 800, speed=12_000)
        ledger = settle(trade(config, run, at_start=crash), config, run)

        assert placed_at(run) == Counter(list(sent_ones(ledger)))
        assert {order.state for order in sent_ones(ledger).values()} == {OrderState.FILLED}


def test_the_same_market_again_in_the_same_run_directory_sends_nothing(tmp_path: Path) -> None:
    with running_exchange(seed=3, speed=0) as run:
        config = demo_of(tmp_path / "run", 800)
        first = settle(trade(config, run), config, run)
        again = trade(config, run)

        assert [order.order_key for order in again] == [order.order_key for order in first]
        assert placed_at(run) == Counter(list(sent_ones(first)))


def test_a_stream_that_fails_for_good_is_shown_and_orders_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the stream's own mistake")

    monkeypatch.setattr(CcxtVenue, "watch", broken)
    told: list[str] = []

    def listen(system: System) -> None:
        told.append(until(lambda: system.executor.cell.problem))

    with running_exchange(seed=3, speed=0) as run:
        config = demo_of(tmp_path / "run", 400)
        ledger = settle(trade(config, run, at_start=listen), config, run)

        assert told == ["venue stream stopped: RuntimeError: the stream's own mistake"]
        assert placed_at(run) == Counter(list(sent_ones(ledger)))
