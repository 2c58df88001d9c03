"""Nothing that is judged on was seen before, and nothing is judged twice."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.errors import ConfigError
from research.optimise.windows import PARTS, windows_of


@given(
    begin=st.integers(0, 2**60),
    length=st.integers(1_000, 2**58),
    count=st.integers(1, 20),
    train=st.floats(0.5, 20),
)
def test_unseen_parts_follow_each_other_to_the_end(
    begin: int, length: int, count: int, train: float
) -> None:
    end = begin + length

    *judged, last = windows_of(begin, end, count, train)

    assert len(judged) == count
    assert judged[0].begin_ns == begin
    for window in judged:
        assert window.has_unseen
        assert begin <= window.begin_ns < window.end_ns < window.unseen_end_ns <= end
    for one, following in itertools.pairwise(judged):
        assert one.unseen_end_ns == following.end_ns
        assert following.end_ns - following.begin_ns == one.end_ns - one.begin_ns
    assert judged[-1].unseen_end_ns == last.end_ns == end
    assert not last.has_unseen


def test_a_window_is_so_many_unseen_parts_long() -> None:
    first, *_ = windows_of(0, 7_000, 4, 3.0)

    assert (first.end_ns, first.unseen_end_ns) == (3_000, 4_000)


def test_a_window_is_gone_through_in_equal_parts() -> None:
    (whole,) = windows_of(100, 500, 0, 3.0)

    assert not whole.has_unseen
    assert whole.cuts_ns() == (200, 300, 400, 500)
    assert len(whole.cuts_ns()) == PARTS


def test_a_market_that_is_too_short_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="too short for 9 windows"):
        windows_of(0, 8, 9, 3.0)
