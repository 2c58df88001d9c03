"""What ccxt's class is given when a client is made: our settings, and what we want otherwise."""

from typing import Any

from exchanges.capabilities import Capability
from exchanges.ccxt_settings import CcxtSettings

KEPT_ORDERS = KEPT_TRADES = 256
"""What ccxt remembers of the account's stream; more than one burst of ours (see `RateBudget`).

Beyond that nobody here looks, and at ccxt's own 1,000 each they came to ten megabytes. What falls
out unread, REST shows at the next comparison.
"""
KEPT_BARS = 16
"""Per symbol; ccxt would remember 1,000, and fill them for 17 hours."""


def constructor_config(settings: CcxtSettings, capability: Capability | None) -> dict[str, Any]:
    """Give the one argument of ccxt's class; without a capability the client is a market's."""
    config = dict(settings.config)
    options = {
        "maxRetriesOnFailure": 0,
        "fetchMarkets": {"types": ["spot"]},
        "fetchMargins": False,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        "ordersLimit": KEPT_ORDERS,
        "OHLCVLimit": KEPT_BARS,
        # Of OKX all kinds of markets would be followed, and one that is not loaded break it.
        "watchOrders": {"type": "spot"},
        "watchMyTrades": {"type": "spot"},
        "useCcxtTradeId": False,  # only REST's trades would have it, and not the stream's
        # Of a market (no capability) 1,000 may come at once; the feed empties it as it reads.
        **({} if capability is None else {"tradesLimit": KEPT_TRADES}),
    } | config.get("options", {})
    if capability is not None and capability.recv_window_parameter is not None:
        options["recvWindow"] = settings.recv_window_ms
    config |= _stream_proxy(config)
    keys = {"apiKey": settings.api_key, "secret": settings.secret, "password": settings.password}
    return {
        **config,
        **{name: key for name, key in keys.items() if key},
        "number": str,
        "enableRateLimit": True,
        "timeout": settings.timeout_ms,
        "options": options,
    }


_STREAM_PROXIES = {
    ("httpsProxy", "https_proxy", "httpProxy", "http_proxy"): "wssProxy",
    ("socksProxy", "socks_proxy"): "wsSocksProxy",
}
_OWN_STREAM_PROXIES = frozenset(
    {"wsProxy", "ws_proxy", "wssProxy", "wss_proxy", "wsSocksProxy", "ws_socks_proxy"}
)


def _stream_proxy(config: dict[str, Any]) -> dict[str, Any]:
    """Lead streams through the proxy of the requests, unless they have one: ccxt does not."""
    if not _OWN_STREAM_PROXIES.isdisjoint(config):
        return {}
    for names, own in _STREAM_PROXIES.items():
        for name in names:
            if config.get(name):
                return {own: config[name]}
    return {}
