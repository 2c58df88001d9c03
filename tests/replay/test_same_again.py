"""A run decided again as it was: all is compared that its journal holds, and nothing differs."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.step_runtime import StepRuntime
from messages.ids import Symbol, TimestampNs
from messages.lifecycle import ActorState, InjectCrash, InjectHang
from messages.market import Tick
from messages.orders import MarketRules, OrderIntent
from messages.stops import StopActed
from messages.values import Instrument
from ops.wiring import System
from tests.replay.runs import (
    ONE,
    STRATEGY,
    assert_the_same,
    config_of,
    killed,
    messages,
    one,
    replayed,
    run,
)

BTC = Symbol("BTC/USDT")
PAIR = ("BTC/USDT", "ETH/USDT")


@pytest.mark.parametrize("name", ["sma_cross", "Waves", "Bars", "Learns", "Keeps"])
def test_a_run_is_decided_again_as_it_was(tmp_path: Path, name: str) -> None:
    run(config_of(tmp_path / "run", name))

    findings = assert_the_same(tmp_path / "run")

    assert one(findings).events == 120
    assert set(findings.judged) <= {"claim", "refuse"}


@pytest.mark.slow
def test_a_strategy_of_two_symbols_is_too(tmp_path: Path) -> None:
    run(config_of(tmp_path / "run", "Pairs", symbols=PAIR), seed=3)

    findings = assert_the_same(tmp_path / "run", least=40)

    assert findings.judged["refuse"] > 0


@pytest.mark.parametrize(
    ("name", "restarts"), [("Tires", 2), ("TiresAndKeeps", 2), ("Poisoned", 6)]
)
def test_one_that_crashed_and_was_built_anew_is_too(
    tmp_path: Path, name: str, restarts: int
) -> None:
    system = run(config_of(tmp_path / "run", name))

    assert system.strategies[ONE].cell.restarts >= restarts
    assert_the_same(tmp_path / "run")


@pytest.mark.parametrize("blow", [InjectCrash(reason="a test"), InjectHang(reason="a test")])
@pytest.mark.parametrize("name", ["Waves", "Keeps"])
def test_one_that_was_killed_or_hung_in_the_middle_is_too(
    tmp_path: Path, name: str, blow: Any
) -> None:
    def strike(runtime: StepRuntime, system: System) -> None:
        actor = system.strategies[ONE]
        assert runtime.run_until(lambda: actor.cell.processed >= 2)
        assert actor.tell(blow)

    system = run(config_of(tmp_path / "run", name, batch=16), at_start=strike)

    assert system.strategies[ONE].cell.restarts >= 1
    assert_the_same(tmp_path / "run")


def test_what_comes_by_itself_is_shown_again_too(tmp_path: Path) -> None:
    """Prices, and new rules of the venue, after which a strategy is built anew."""

    def tell(runtime: StepRuntime, system: System) -> None:
        actor = system.strategies[ONE]
        box, taken = actor.cell.mailbox, list[Any]()
        record = box.recorder

        def recording(path: Any, message: Any, *, is_timer: bool) -> None:
            taken.append(message)
            assert record is not None
            record(path, message, is_timer=is_timer)

        box.recorder = recording
        for number in range(8, 24):
            assert runtime.run_until(lambda: actor.cell.state is ActorState.RUNNING)
            actor.tell(tick(number))
            if number == 18:
                actor.tell(MarketRules(instrument=Instrument(symbol=BTC)))
            assert runtime.run_until(lambda n=number: tick(n) in taken)  # type: ignore[misc]  # mypy infers no lambda with defaults

    config = config_of(tmp_path / "run", "Books", candles=240, batch=4, window=8)
    system = run(config, at_start=tell)

    assert system.strategies[ONE].cell.restarts == 1
    findings = assert_the_same(tmp_path / "run")
    assert len(messages(tmp_path / "run", Tick, STRATEGY)) == 16
    assert one(findings).events > 240


def tick(number: int) -> Tick:
    price, at_ns = Decimal(number), TimestampNs(2 * 10**18 + number)
    return Tick(
        symbol=BTC, bid_price=price, ask_price=price, ts_event_ns=at_ns, ts_received_ns=at_ns
    )


@pytest.mark.slow
@pytest.mark.parametrize("blow", [None, InjectCrash(reason="a test")])
def test_a_strategy_hears_again_what_its_stops_have_done(tmp_path: Path, blow: Any) -> None:
    def strike(runtime: StepRuntime, system: System) -> None:
        actor = system.strategies[ONE]
        runtime.run_until(lambda: actor.cell.processed >= 90)
        if blow is not None:
            actor.tell(blow)

    run(config_of(tmp_path / "run", "Stopped", candles=200), at_start=strike)

    assert len(messages(tmp_path / "run", StopActed, STRATEGY)) > 5
    assert_the_same(tmp_path / "run", least=6)


def test_a_crash_of_the_executor_begins_all_anew_and_is_no_difference(tmp_path: Path) -> None:
    def strike(runtime: StepRuntime, system: System) -> None:
        assert runtime.run_until(lambda: system.executor.cell.processed >= 9)
        assert system.executor.tell(InjectCrash(reason="a test"))

    config = config_of(tmp_path / "run", "Keeps", candles=200, batch=16)
    system = run(config, at_start=strike)

    assert system.executor.cell.restarts == 1
    assert_the_same(tmp_path / "run")


def test_a_second_process_decides_again_what_is_known_and_that_is_compared_too(
    tmp_path: Path,
) -> None:
    run(config_of(tmp_path / "run", "Waves"))
    run(config_of(tmp_path / "run", "Waves", candles=200), process=2)

    findings = assert_the_same(tmp_path / "run")

    assert findings.judged["duplicate"] > 10
    assert findings.judged["claim"] + findings.judged["refuse"] > 10
    assert [text.partition(",")[0] for text in findings.breaks] == ["a process ended in order"]


@pytest.mark.parametrize("less", [0, 1, 3, 8, 40])
def test_of_a_killed_process_all_is_compared_that_it_surely_did(tmp_path: Path, less: int) -> None:
    run(config_of(tmp_path / "run", "Waves", batch=16))
    killed(tmp_path / "run", less)
    run(config_of(tmp_path / "run", "Waves", candles=40), process=2)

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    compared = one(findings)
    assert (
        compared.decisions
        == compared.same
        == len(messages(tmp_path / "run", OrderIntent, STRATEGY))
    )
    assert "ended without a word" in findings.breaks[0]
