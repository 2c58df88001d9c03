"""Who reads stdout may stop reading, or be gone: nothing that matters waits for it."""

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messages.ids import ActorPath, Epoch, OrderKey, Symbol, TimestampNs
from messages.lifecycle import Supervision
from messages.orders import PriceMark
from messages.values import OrderState
from ops.narrator import Narrator, Observations, narrator_for
from ops.options import StartOptions
from ops.run_config import config_for
from ops.stdout import say
from tests.ops.test_order_log import update

STATUS = {"verdict": "OK", "why": "", "counters": {}, "market": {}, "uptime_s": 1}


class Pipe:
    """A process's stdout, with nobody who reads unless it is told to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self._read_fd, write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        self.stream = os.fdopen(write_fd, "w")

    def is_stdout(self) -> None:
        """From the test's own lines on: pytest gives each phase a stdout of its own."""
        self._patch.setattr(sys, "stdout", self.stream)

    def fill(self) -> None:
        fd = self.stream.fileno()
        os.set_blocking(fd, False)
        try:
            while True:
                os.write(fd, bytes(4096))
        except BlockingIOError:
            os.set_blocking(fd, True)

    def read(self) -> bytes:
        found = b""
        try:
            while part := os.read(self._read_fd, 1 << 16):
                found += part
        except BlockingIOError:
            pass
        return found.lstrip(b"\0")

    def leave(self) -> None:
        os.close(self._read_fd)


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    pipe = Pipe(monkeypatch)
    monkeypatch.setattr("ops.narrator.PATIENCE_S", 0.01)
    monkeypatch.setattr("ops.stdout.PATIENCE_S", 0.01)
    yield pipe
    pipe.stream.close()


@pytest.fixture
def narrator(tmp_path: Path, pipe: Pipe) -> Narrator:
    options = StartOptions(run_dir=tmp_path / "run", json_lines=True)
    narrator = narrator_for(options, config_for(options))
    narrator.snapshots = Told()  # type: ignore[assignment]  # planted
    return narrator


class Told:
    """What health would say."""

    def take(self, *, latencies: bool) -> dict[str, Any]:
        assert not latencies, "the dearest, and not told"
        return STATUS


def without_waiting(act: Callable[[], object]) -> None:
    """Do it, and fail rather than hang where it waits for who reads."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


def crashed(reason: str) -> Supervision:
    return Supervision(
        supervisor=ActorPath("root"),
        child=ActorPath("feeds"),
        event="exited",
        reason=reason,
        epoch=Epoch(1),
        restarts_in_window=0,
        ts_ns=TimestampNs(1),
    )


def test_what_nobody_reads_for_a_while_is_told_later(narrator: Narrator, pipe: Pipe) -> None:
    pipe.is_stdout()
    pipe.fill()
    narrator.observe(crashed("a"))
    for _ in range(3):
        without_waiting(narrator.refresh)
    assert pipe.read() == b""

    without_waiting(narrator.refresh)

    told = [json.loads(line) for line in pipe.read().splitlines()]
    assert [(one["event"], one.get("reason")) for one in told] == [
        ("supervision", "a"),
        ("status", None),
    ]


def test_each_line_has_its_time_and_an_order_that_of_its_decision_too(
    narrator: Narrator, pipe: Pipe
) -> None:
    pipe.is_stdout()
    before_ns = time.time_ns()
    tiny = msgspec.structs.replace(
        update(OrderState.SENT), filled_quantity=Decimal("0E-8"), average_price=Decimal("1.1E-7")
    )
    narrator.snapshots.order_states = Counter()
    narrator.begin()
    narrator.observe(crashed("a"))
    narrator.observe(tiny)
    narrator.refresh()

    start, order, supervision, status = map(json.loads, pipe.read().splitlines())

    assert before_ns <= start["at_ns"] <= status["at_ns"] <= time.time_ns()
    assert (order["at_ns"], order["decided_at_ns"]) == (tiny.ts_event_ns, tiny.decided_at_ns)
    assert supervision["at_ns"] == 1
    assert (order["filled_quantity"], order["average_price"]) == ("0.00000000", "0.00000011")


def test_the_end_waits_a_moment_for_who_does_not_read_and_goes_on(
    narrator: Narrator, pipe: Pipe
) -> None:
    pipe.is_stdout()
    pipe.fill()

    without_waiting(lambda: narrator.end("stopped by SIGTERM", 0))

    assert pipe.read() == b""
    without_waiting(lambda: say("more"))
    assert pipe.read() == b""


def test_a_line_longer_than_the_room_there_is_does_not_wait_for_ever(
    narrator: Narrator, pipe: Pipe
) -> None:
    pipe.is_stdout()
    narrator.observe(crashed("x" * 200_000))

    without_waiting(narrator.refresh)
    without_waiting(narrator.refresh)

    assert pipe.read().startswith(b'{"event":"supervision"')


def test_a_reader_that_is_gone_is_told_nothing_more(narrator: Narrator, pipe: Pipe) -> None:
    pipe.is_stdout()
    pipe.leave()

    without_waiting(narrator.refresh)
    without_waiting(narrator.refresh)
    without_waiting(lambda: narrator.end("the market ended", 0))


def test_the_null_device_is_told_nothing_and_costs_no_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a bot of a fleet has it: a line a second for nobody, for years."""
    options = StartOptions(run_dir=tmp_path / "run", json_lines=True)
    with Path(os.devnull).open("w") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        narrator = narrator_for(options, config_for(options))
        narrator.snapshots = Dear()  # type: ignore[assignment]  # one that counts
        narrator.begin()
        narrator.observe(
            PriceMark(symbol=Symbol("BTC/USDT"), price=Decimal(7), ts_event_ns=TimestampNs(1))
        )
        narrator.refresh()
        narrator.end("stopped by SIGTERM", 0)
    assert narrator.snapshots.prices == {"BTC/USDT": "7"}


def test_for_the_null_device_no_order_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand of them were kept for nobody, some fifteen megabytes."""
    options = StartOptions(run_dir=tmp_path / "run", json_lines=True)
    with Path(os.devnull).open("w") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        narrator = narrator_for(options, config_for(options))
    narrator.snapshots = Dear()  # type: ignore[assignment]  # it has the states that are counted
    order = update(OrderState.CLAIMED)
    held = sys.getrefcount(order)

    narrator.observe(order)

    assert sys.getrefcount(order) == held
    assert narrator.snapshots.order_states == {OrderState.CLAIMED: 1}


class Dear:
    """What may not be asked for; what it keeps is for `health`."""

    def __init__(self) -> None:
        self.prices: dict[str, str] = {}
        self.order_states: Counter[OrderState] = Counter()


def test_states_are_counted_right_however_many_orders_ended_and_however_old_one_is() -> None:
    """A bot runs for months: those that have ended are not remembered for ever, those open are."""
    seen, counted = Observations(is_told=False), Dear()

    def tell(number: int, state: OrderState) -> None:
        order = msgspec.structs.replace(update(state), order_key=OrderKey(f"{number}"))
        seen.take(order, counted)  # type: ignore[arg-type]  # it has the states that are counted

    tell(-1, OrderState.ACCEPTED)
    for number in range(5_000):
        tell(number, OrderState.SENT)
        tell(number, OrderState.FILLED)
    tell(4_500, OrderState.FILLED)  # an execution that came late
    assert +counted.order_states == {"accepted": 1, "filled": 5_000}
    assert len(seen._ended) + len(seen._open) < 2_000

    tell(-1, OrderState.CANCELED)
    assert +counted.order_states == {"canceled": 1, "filled": 5_000}
