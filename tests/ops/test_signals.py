"""Signals that come before anybody waits for them: what is begun is ended in order, once."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

import pytest

from ops.signals import Signals, ended_by_signals
from ops.stop_signals import StopSignals

ENDS = [
    (signal.SIGTERM, SystemExit),
    (signal.SIGINT, KeyboardInterrupt),
    (signal.SIGHUP, SystemExit),
]
HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in HEARD}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With which codes the process would have been left."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


def both(first: int, second: int) -> None:
    """One comes, and on the way out another."""
    try:
        signal.raise_signal(first)
    finally:
        signal.raise_signal(second)


@pytest.mark.parametrize(("number", "ends_with"), ENDS)
def test_one_ends_the_block_and_who_has_heard_it_before_does_so_again(
    number: signal.Signals, ends_with: type[BaseException]
) -> None:
    before = {one: signal.getsignal(one) for one in HEARD}

    with pytest.raises(ends_with), ended_by_signals():
        signal.raise_signal(number)

    assert {one: signal.getsignal(one) for one in HEARD} == before


@pytest.mark.parametrize(("number", "ends_with"), ENDS)
def test_one_that_is_swallowed_within_a_block_ends_the_block_around_it(
    number: signal.Signals, ends_with: type[BaseException]
) -> None:
    """A library may catch whatever there is; whoever asks the block afterwards is told."""
    reached: list[str] = []

    def swallowed() -> None:
        with ended_by_signals(), suppress(BaseException):
            signal.raise_signal(number)
        reached.append("behind it")

    with pytest.raises(ends_with), ended_by_signals():
        swallowed()

    assert reached == []


def test_a_second_one_leaves_at_once(left: list[int]) -> None:
    with pytest.raises(SystemExit), ended_by_signals():
        both(signal.SIGTERM, signal.SIGTERM)

    assert left == [128 + signal.SIGTERM]


@pytest.mark.parametrize("order", [(signal.SIGHUP, signal.SIGHUP), (signal.SIGTERM, signal.SIGHUP)])
def test_a_terminal_that_goes_sends_two_and_is_one(
    left: list[int], order: tuple[signal.Signals, ...]
) -> None:
    with pytest.raises(SystemExit), ended_by_signals():
        both(*order)

    assert left == []


def test_from_the_hand_over_on_they_are_the_runs_and_none_is_between_the_two(
    left: list[int],
) -> None:
    run = StopSignals()

    with ended_by_signals() as signals:
        signals.hand_to(run.note)
        signal.raise_signal(signal.SIGTERM)
        assert run.told == "stopped by SIGTERM"
        run.listen()

    assert signal.getsignal(signal.SIGTERM) == run.note
    assert left == []
    signal.raise_signal(signal.SIGTERM)
    assert left == [128 + signal.SIGTERM]


def test_what_came_before_the_hand_over_is_handed_over() -> None:
    run = StopSignals()

    with ended_by_signals() as signals:
        with suppress(BaseException):
            signal.raise_signal(signal.SIGINT)
        signals.hand_to(run.note)

    assert run.told == "stopped by SIGINT"


def test_what_fails_in_a_run_that_was_told_to_end_is_no_interrupted_start() -> None:
    def fails(signals: Signals) -> None:
        with suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        signals.hand_to(StopSignals().note)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ended_by_signals() as signals:
        fails(signals)


def test_who_is_told_by_somebody_else_stays_so() -> None:
    heard: list[int] = []

    def hear(number: int, _: FrameType | None) -> None:
        heard.append(number)

    signal.signal(signal.SIGHUP, hear)
    with ended_by_signals():
        signal.raise_signal(signal.SIGHUP)

    assert heard == [signal.SIGHUP]
