"""Which words of a connection concern one strategy."""

import pytest

from ops.trading_view import _phase


@pytest.mark.parametrize(
    ("reason", "symbol", "is_told"),
    [
        ("the market of BTC/USDT has gone back to times", "BTC/USDT", True),
        ("the market of BTC/USDT has gone back to times", "ETH/USDT", False),
        ("without STETH/USDT, ETH/BTC: not listed any more", "ETH/USDT", False),
        ("without STETH/USDT, ETH/BTC: not listed any more", "ETH/BTC", True),
        ("", "ETH/BTC", False),
    ],
)
def test_what_a_live_market_lacks_keeps_from_trading_whoever_trades_that(
    reason: str, symbol: str, *, is_told: bool
) -> None:
    link = {"phase": "live", "reason": reason, "for_s": 3.0}

    assert _phase(link, symbol) == (reason if is_told else "")
