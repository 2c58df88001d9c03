"""What is missing in a series."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.holes import holes


@pytest.mark.slow
@given(
    st.sets(st.integers(-5, 30)),
    st.tuples(st.integers(0, 25), st.integers(0, 25)).map(sorted),
)
def test_holes_are_exactly_what_is_not_there(there: set[int], span: list[int]) -> None:
    since, until = span
    times = [n * 60 for n in sorted(there)]

    found = list(holes(times, since * 60, until * 60, 60))

    missing = [n for start, end in found for n in range(start // 60, end // 60)]
    assert missing == [n for n in range(since, until) if n not in there]
    assert all(start < end for start, end in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))
