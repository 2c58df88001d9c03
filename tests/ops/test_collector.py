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


def test_afterwards_all_is_as_before() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    with seldom_collecting():
        assert gc.get_freeze_count() > before[1]

    assert (gc.get_threshold(), gc.get_freeze_count()) == before
