"""The run on one CPU: it looks who else is there, and goes when it is crowded."""

import os
import threading
from collections.abc import Collection

import pytest

from messages.ids import NS_PER_S
from ops.cpu_keeper import LOOK_EVERY_S, CpuKeeper, cpu_keeper, keep_all_threads, read_busy

LINUX = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
LOOK_NS = int(LOOK_EVERY_S * NS_PER_S)


class Machine:
    """Two CPUs, and how long each was busy, by whom."""

    def __init__(self) -> None:
        self.busy = {0: 0, 1: 0}
        self.own = 0
        self.kept: list[list[int]] = []
        self.now_s = 100.0
        self.keeper = CpuKeeper((0, 1), lambda: dict(self.busy), self.keep, lambda: self.own)
        self.keeper.look(self.now_s)

    def keep(self, cpus: Collection[int]) -> None:
        self.kept.append(sorted(cpus))

    def passes(self, *others: float, own: float = 0.0) -> None:
        for cpu, share in enumerate(others):
            self.busy[cpu] += int(share * LOOK_NS)
        self.own += int(own * LOOK_NS)
        if self.keeper.here in self.busy:
            self.busy[self.keeper.here] += int(own * LOOK_NS)
        self.now_s += LOOK_EVERY_S
        self.keeper.look(self.now_s)


def test_it_comes_once_it_has_seen_that_a_cpu_is_calm_and_stays() -> None:
    machine = Machine()
    assert machine.kept == []
    machine.passes(0.5, 0.0)
    machine.passes(0.5, 0.2, own=0.7)

    assert machine.kept == [[1]]


def test_it_goes_when_others_come_and_leaves_it_to_the_kernel_where_all_is_busy() -> None:
    machine = Machine()
    machine.passes(0.5, 0.0)
    machine.passes(0.0, 0.5)
    machine.passes(0.5, 0.5)
    machine.passes(0.5, 0.5)

    assert machine.kept == [[1], [0], [0, 1]]


def test_it_looks_no_more_often_than_it_says() -> None:
    machine = Machine()
    machine.now_s += LOOK_EVERY_S / 2 - LOOK_EVERY_S
    machine.passes(0.9, 0.0)

    assert machine.kept == []


def test_with_one_cpu_there_is_nothing_to_choose() -> None:
    keeper = CpuKeeper((3,), lambda: pytest.fail("it looked"), lambda _: pytest.fail("it moved"))
    keeper.look(100.0)
    keeper.look(200.0)


def test_where_nothing_can_be_read_the_kernel_chooses() -> None:
    machine = Machine()
    machine.passes(0.5, 0.0)
    machine.busy.clear()
    machine.passes()

    assert machine.kept == [[1], [0, 1]]


@LINUX
def test_every_thread_goes_and_those_that_they_start_go_with_them() -> None:
    allowed, seen, over = os.sched_getaffinity(0), threading.Event(), threading.Event()
    found: list[set[int]] = []

    def child() -> None:
        found.append(os.sched_getaffinity(0))

    def parent() -> None:
        seen.wait(10)
        found.append(os.sched_getaffinity(0))
        started = threading.Thread(target=child)
        started.start()
        started.join()
        over.set()

    thread = threading.Thread(target=parent)
    thread.start()
    one = {min(allowed)}
    try:
        keep_all_threads(one)
        seen.set()
        assert over.wait(10)
        assert found == [one, one]
    finally:
        keep_all_threads(allowed)
        thread.join()
    assert os.sched_getaffinity(0) == allowed


@LINUX
def test_the_kernel_counts_each_cpu_that_we_may_use() -> None:
    assert set(os.sched_getaffinity(0)) <= set(read_busy())
    assert cpu_keeper().here is None
