"""The cycle collector during a run."""

import gc
import weakref

import pytest

from ops.collector import PASS_EVERY_S, THRESHOLDS, seldom_collecting


class Ring:
    """Holds itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.slow
def test_what_a_run_leaves_behind_is_collected_all_the_same() -> None:
    with seldom_collecting():
        gone = weakref.ref(Ring())
        gc.collect()

    assert gone() is None


@pytest.mark.slow
def test_a_few_rings_with_large_buffers_do_not_wait_for_millions_of_others() -> None:
    with seldom_collecting() as collect_when_due:
        collect_when_due(100.0)
        ring = Ring()
        seen = weakref.ref(ring)
        gc.collect(1)  # it is in use at a young pass, and old from now on
        del ring
        gc.collect(1)

        collect_when_due(100.0 + PASS_EVERY_S / 2)
        assert seen() is not None
        collect_when_due(100.0 + PASS_EVERY_S)

    assert seen() is None


@pytest.mark.slow
def test_what_was_there_before_is_left_alone_until_the_end() -> None:
    ring = Ring()
    seen = weakref.ref(ring)
    with seldom_collecting():
        assert gc.get_threshold() == THRESHOLDS
        del ring
        gc.collect()
        assert seen() is not None

    gc.collect()
    assert seen() is None


@pytest.mark.slow
def test_afterwards_the_passes_come_as_before_and_leave_nothing_out() -> None:
    # Python 3.12 has left out some of its own at the start: what that was is not for us to keep.
    before, left_out = gc.get_threshold(), gc.get_freeze_count()
    with seldom_collecting():
        assert gc.get_freeze_count() > left_out

    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
