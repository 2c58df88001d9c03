"""Work that does not come back is interrupted, and nothing behind it is."""

import time

import pytest

from messages.patience import Hung, Patience

OFTEN_S = 0.0002
"""Looked at four times within it: some looks come while the work is being left."""


def hangs() -> None:
    while True:
        pass


def test_no_look_comes_behind_the_end_of_work_that_hung() -> None:
    patience = Patience(OFTEN_S, last_word=pytest.fail)

    with patience.watching():
        for _ in range(3_000):
            try:
                patience.over(hangs, lambda: None)
            except Hung:
                continue


def test_work_without_a_mark_may_take_its_time_until_it_begins() -> None:
    patience, steps = Patience(OFTEN_S, last_word=pytest.fail), iter(range(100_000))

    def work() -> None:
        for _ in steps:
            pass
        patience.begin(lambda: None, str)
        hangs()

    with patience.watching(), pytest.raises(Hung):
        patience.over(work)
    assert not list(steps)


def test_work_that_comes_on_is_left_alone_however_long_it_takes() -> None:
    patience, steps, until_s = Patience(0.05, last_word=pytest.fail), 0, time.monotonic() + 0.2

    def work() -> bool:
        nonlocal steps
        while time.monotonic() < until_s:
            steps += 1
        return True

    with patience.watching():
        assert patience.over(work, lambda: steps)
