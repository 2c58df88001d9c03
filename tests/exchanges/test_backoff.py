"""Whoever has lost something comes back soon, then ever later, and never together with others."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from exchanges.backoff import backoff_ms


@given(st.integers(0, 200), st.integers(0, 2**32))
def test_it_doubles_up_to_a_limit_and_half_of_it_is_chance(attempt: int, seed: int) -> None:
    ceiling = min(60_000, 500 * 2 ** max(attempt - 1, 0))

    assert ceiling // 2 <= backoff_ms(attempt, 500, 60_000, Random(seed)) <= ceiling


def test_two_bots_do_not_come_back_together() -> None:
    assert len({backoff_ms(8, 500, 60_000, Random(seed)) for seed in range(20)}) > 15
