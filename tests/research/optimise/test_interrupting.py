"""A search is ended between two steps; a person who asks twice is not kept waiting."""

import signal

import pytest

from research.optimise.interrupting import BOTH, noted, terminated_as_interrupted


@pytest.mark.parametrize("number", BOTH)
def test_one_is_noted_and_interrupts_nothing(number: int) -> None:
    before = signal.getsignal(number)

    with noted() as came:
        assert not came()
        signal.raise_signal(number)
        assert came()

    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", BOTH)
def test_a_second_one_ends_it_at_once(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        _interrupt_twice(number)

    assert signal.getsignal(number) is before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with noted() as came:
            signal.raise_signal(signal.SIGINT)
            assert not came()
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_of_a_search_a_sigterm_is_a_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
        signal.raise_signal(signal.SIGTERM)


def _interrupt_twice(number: int) -> None:
    with noted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(number)
