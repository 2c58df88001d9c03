"""Where a run's threads are kept: where it is calm, for as long as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.cpu_place import CALM, CROWDED, others_on, place

SHARES = st.dictionaries(st.integers(0, 7), st.floats(0, 1), max_size=8)
CPUS = st.none() | st.integers(0, 7)


@pytest.mark.parametrize(
    ("here", "others", "there"),
    [
        (None, {0: 0.5, 1: 0.05}, 1),
        (None, {0: 0.5, 1: 0.11}, None),
        (0, {0: 0.25, 1: 0.0}, 0),
        (0, {0: 0.26, 1: 0.1}, 1),
        (0, {0: 0.26, 1: 0.11}, None),
        (0, {1: 0.5}, None),
        (0, {}, None),
    ],
)
def test_a_run_stays_until_it_is_crowded_out_and_goes_where_it_is_calm(
    here: int | None, others: dict[int, float], there: int | None
) -> None:
    assert place(here, others, pick=0) == there


def test_two_runs_do_not_follow_each_other() -> None:
    calm = {0: 0.9, 1: 0.0, 2: 0.0}
    assert {place(0, calm, pick=4), place(0, calm, pick=5)} == {1, 2}


@given(here=CPUS, others=SHARES, pick=st.integers(0, 1 << 22))
def test_it_is_never_kept_where_others_are_many(
    here: int | None, others: dict[int, float], pick: int
) -> None:
    there = place(here, others, pick)
    if there is not None:
        assert others[there] <= (CROWDED if there == here else CALM)


def test_what_it_does_itself_crowds_nobody_out() -> None:
    assert others_on({0: 900, 1: 300}, own_ns=850, span_ns=1_000, here=0) == {0: 0.05, 1: 0.3}


def test_while_the_kernel_chooses_its_own_work_is_everywhere() -> None:
    assert others_on({0: 500, 1: 250}, own_ns=500, span_ns=1_000, here=None) == {0: 0.25, 1: 0.0}
