"""A suggestion is of a market that is near, not of any that shares the quote currency."""

import pytest

from messages.nearness import near_symbol

LISTED = ["BNB/USDT", "BTC/USDC", "BTC/USDT", "ETH/BTC", "ETH/USDT", "SOL/USDT:USDT"]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("BTC/USDTT", "BTC/USDT"),
        ("BTC/UDST", "BTC/USDT"),
        ("BTX/USDT", "BTC/USDT"),
        ("EHT/USDT", "ETH/USDT"),
        ("XBT/USDT", "BTC/USDT"),
        ("eth/usdt", "ETH/USDT"),
        ("BTCUSDT", "BTC/USDT"),
        ("btc-usdt", "BTC/USDT"),
        ("BTCUSDX", "BTC/USDC"),
        ("SOL/USDT", "SOL/USDT:USDT"),
    ],
)
def test_a_slip_in_base_or_quote_and_another_spelling_are_near(wanted: str, meant: str) -> None:
    assert near_symbol(wanted, LISTED) == meant


@pytest.mark.parametrize("wanted", ["FOO/USDT", "FOOUSDT", "QQ/ZZ", "BTC/EUR", "", "/", "USDT"])
def test_another_base_or_another_quote_is_not(wanted: str) -> None:
    assert near_symbol(wanted, LISTED) == ""


def test_of_one_market_another_is_never_suggested() -> None:
    assert near_symbol("ETH/USDT", ["BTC/USDT"]) == ""
    assert near_symbol("BTC/USDT", []) == ""
