"""The table of exchanges: what it lets through, and that it is about exchanges that exist."""

import importlib
from typing import Any

import pytest

from decisions.order_keys import client_order_id
from exchanges.capabilities import CAPABILITIES, Capability, Lookup, Stream, capability_of
from messages.errors import VenueRefused
from messages.ids import NS_PER_MS, OrderKey

ROWS = sorted(CAPABILITIES.values(), key=lambda row: row.exchange)
BINANCE = CAPABILITIES["binance"]
WATCH = {
    Stream.ORDERS: "watchOrders",
    Stream.MY_TRADES: "watchMyTrades",
    Stream.TRADES: "watchTrades",
    Stream.OHLCV: "watchOHLCV",
}


def test_an_exchange_without_lookup_is_refused_in_a_sentence() -> None:
    with pytest.raises(VenueRefused, match="bybit cannot find an order by our own id"):
        capability_of("bybit")


def test_an_exchange_that_nobody_looked_at_is_refused_in_a_sentence() -> None:
    with pytest.raises(VenueRefused, match="nobody has written down whether wagyu can find"):
        capability_of("wagyu")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.exchange)
def test_a_row_makes_ids_of_its_own_alphabet_with_room_for_64_bits(row: Capability) -> None:
    room = row.id_length_max - len(row.id_prefix)
    shape = (row.id_prefix, row.id_length_max, row.id_alphabet)
    names = [client_order_id(OrderKey(f"{number:032x}"), *shape) for number in range(200)]

    assert all(row.is_ours(name) for name in names)
    assert row.allows_id(row.id_prefix)
    assert len(row.id_alphabet) ** room >= 2**64
    assert len(set(row.id_alphabet)) == len(row.id_alphabet)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.exchange)
def test_a_row_without_a_receive_window_waits_much_longer(row: Capability) -> None:
    assert (row.recv_window_parameter is None) == (row.settle_ms >= 600_000)


def test_an_id_is_ours_by_its_prefix_and_letters() -> None:
    assert BINANCE.is_ours("wk0123456789abcdefghijkl")
    assert not BINANCE.is_ours("x-TKT5PX2F0123456789")
    assert not BINANCE.is_ours("wk with spaces")
    assert not BINANCE.is_ours("wk" + "0" * 35)
    assert not BINANCE.is_ours("")


def test_absence_is_proof_after_window_engine_and_lag() -> None:
    assert BINANCE.visible_after_ns(5, 2_500) == 5 + 14_500 * NS_PER_MS


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.exchange)
def test_a_row_does_not_claim_more_than_ccxt_has(row: Capability) -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    exchange: Any = getattr(importlib.import_module("ccxt.pro"), row.exchange)()
    claimed = {WATCH[stream] for stream in row.streams}
    if row.lookup is Lookup.CLIENT_ID:
        claimed |= {"fetchOrder", "fetchOpenOrders", "fetchMyTrades"}
    if row.lookup is Lookup.SCAN:
        claimed |= {"fetchOpenOrders", "fetchClosedOrders"}

    assert {name for name in claimed if not exchange.has.get(name)} == set()
    assert row.wants_password is exchange.requiredCredentials["password"]
