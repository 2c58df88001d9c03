"""What an unmodified ccxt needs to talk to a local exchange instead of the real one.

ccxt's own sandbox mode is used, so that loading the markets is one request. Two things about
ccxt that differ on loopback, and cannot be set by its arguments:

* ccxt chooses its table of error codes by the address. `restore_errors` puts the spot table
  back; without it most codes come out as another exception class.
* Streams must have ``/stream`` in their address, or ccxt takes them for futures.
"""

from typing import Any

from exchanges.local.settings import Profile, Settings

_NOT_STREAMED = ("watchOHLCV", "watchTrades", "watchOrderBook", "watchTicker", "watchBidsAsks")
"""Of OKX: its market is polled."""


def ccxt_config(settings: Settings, urls: Any) -> dict[str, Any]:
    """Give the arguments for ccxt's class. `urls` is a `server.Urls`."""
    config: dict[str, Any] = {
        "apiKey": settings.api_key,
        "secret": settings.api_secret,
        "sandbox": True,
        "urls": {"test": _binance_urls(urls.http, urls.ws)},
        "options": {"fetchMarkets": {"types": ["spot"]}},
    }
    if settings.profile is Profile.OKX:
        config |= {"password": settings.api_password, "urls": {"test": _okx_urls(urls)}}
        config["has"] = dict.fromkeys(_NOT_STREAMED, False)
    return config


def _okx_urls(urls: Any) -> dict[str, str]:
    """Give one address of all streams: ccxt adds ``/private``, or a path that is not there."""
    return {"rest": urls.http, "ws": f"{urls.ws}/ws/v5"}


def _binance_urls(http: str, ws: str) -> dict[str, Any]:
    return {
        "public": f"{http}/api/v3",
        "private": f"{http}/api/v3",
        "v1": f"{http}/api/v1",
        "sapi": f"{http}/sapi/v1",
        "ws": {
            "spot": f"{ws}/stream/ws",
            "margin": f"{ws}/stream/ws",
            "ws-api": {"spot": f"{ws}/ws-api/v3"},
        },
    }


def restore_errors(client: Any) -> None:
    """Give a ccxt Binance client the spot table of errors, which it uses at the real address."""
    spot = client.exceptions["spot"]
    client.exceptions = client.deep_extend(
        client.exceptions, {"exact": spot["exact"], "broad": spot.get("broad", {})}
    )
