"""Numbers and moments as ccxt gives them."""

import pytest

from exchanges.ccxt_numbers import milliseconds_ns

AT_NS = 1_648_957_043_065_000_000


@pytest.mark.parametrize("told", [AT_NS, AT_NS // 10**3, AT_NS // 10**6])
def test_a_moment_is_one_whether_it_is_told_in_ms_or_finer(told: int) -> None:
    assert milliseconds_ns(told) == AT_NS


@pytest.mark.parametrize("told", [None, 0, -1, "1648957043065", 1648957043065.5])
def test_what_is_no_moment_is_the_other_one(told: object) -> None:
    assert milliseconds_ns(told, 7) == 7
