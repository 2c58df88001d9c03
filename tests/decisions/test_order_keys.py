import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.order_keys import (
    URL_SAFE,
    client_order_id,
    exit_key,
    moment_in,
    order_key,
    ordinal_of,
)
from messages.ids import AccountId, OrderKey, StrategyId, Symbol, TimestampNs

MOMENT = TimestampNs(1_700_000_000_123_456_789)

fields = st.tuples(
    st.text(max_size=5),
    st.text(max_size=5),
    st.text(max_size=5),
    st.integers(0, 2**62),
    st.integers(0, 99),
)


def key(
    account: str = "main",
    strategy: str = "sma-1",
    symbol: str = "BTC/USDT",
    at: int = MOMENT,
    ordinal: int = 0,
) -> OrderKey:
    moment = TimestampNs(at)
    return order_key(AccountId(account), StrategyId(strategy), Symbol(symbol), moment, ordinal)


def test_a_key_is_32_hex_digits_that_begin_with_the_millisecond() -> None:
    assert len(key()) == 32
    assert int(key()[:12], 16) == 1_700_000_000_123


def test_a_key_never_changes_from_one_version_to_the_next() -> None:
    assert key() == "018bcfe5687bdaa5713d92533950d98d"
    assert client_order_id(key()) == "wkD67PVuf2UyxoiiqJ-G_EAw"


@given(one=fields, other=fields)
def test_two_decisions_share_a_key_only_when_they_are_the_same(
    one: tuple[str, str, str, int, int], other: tuple[str, str, str, int, int]
) -> None:
    assert (key(*one) == key(*other)) == (one == other)


def test_fields_that_read_the_same_in_a_row_are_told_apart() -> None:
    assert key(account="a", strategy="bc") != key(account="ab", strategy="c")


@given(early=st.integers(0, 2**62), later=st.integers(0, 2**62))
def test_keys_are_ordered_by_the_millisecond_of_their_decision(early: int, later: int) -> None:
    early, later = sorted((early, later))

    assert moment_in(key(at=early)) <= moment_in(key(at=later))


@given(one=fields)
def test_which_of_its_moments_decisions_it_is_can_be_told_again(
    one: tuple[str, str, str, int, int],
) -> None:
    account, strategy, symbol, at, ordinal = one
    names = AccountId(account), StrategyId(strategy), Symbol(symbol), TimestampNs(at)

    assert ordinal_of(key(*one), *names) == ordinal
    assert ordinal_of(exit_key(key(*one), ordinal, names[-1]), *names) is None


@pytest.mark.parametrize("moment", [-1, 16**12 * 1_000_000])
def test_a_moment_that_does_not_fit_a_key_is_refused(moment: int) -> None:
    with pytest.raises(ValueError, match="no moment that a key can hold"):
        key(at=moment)


@given(
    ordinal=st.integers(0, 10_000),
    max_length=st.integers(16, 64),
    alphabet=st.sampled_from([URL_SAFE, URL_SAFE[:62], URL_SAFE[:36]]),
)
def test_a_client_order_id_fits_the_length_and_alphabet_of_its_venue(
    ordinal: int, max_length: int, alphabet: str
) -> None:
    made = client_order_id(key(ordinal=ordinal), "wk", max_length, alphabet)

    assert made.startswith("wk")
    assert len(made) <= max_length
    assert set(made) <= set(alphabet)


def test_a_client_order_id_is_the_same_each_time_and_another_for_another_key() -> None:
    ids = [client_order_id(key(ordinal=place % 1_000)) for place in range(2_000)]

    assert ids[:1_000] == ids[1_000:]
    assert len(set(ids)) == 1_000


def test_a_client_order_id_has_128_bits_where_the_venue_has_room() -> None:
    assert len(client_order_id(key(), "wk", 36)) == 24
    assert len(client_order_id(key(), "wk", 20)) == 20


def test_a_venue_without_room_to_tell_orders_apart_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot tell orders apart"):
        client_order_id(key(), "wk", 8)
