"""The cycle collector during a run."""

import gc
import weakref

from ops.collector import THRESHOLDS, seldom_collecting


class Ring:
    """Holds itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_a_run_leaves_behind_is_collected_all_the_same() -> None:
    with seldom_collecting():
        gone = weakref.ref(Ring())
        gc.collect()

    assert gone() is None


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


def test_afterwards_the_passes_come_as_before_and_leave_nothing_out() -> None:
    # Python 3.12 has left out some of its own at the start: what that was is not for us to keep.
    before, left_out = gc.get_threshold(), gc.get_freeze_count()
    with seldom_collecting():
        assert gc.get_freeze_count() > left_out

    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
