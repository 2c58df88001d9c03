"""How a client is made, and what of it is refused before there is one."""

import ssl
from typing import Any

import msgspec

from messages.errors import VenueRefused

DEFAULT_RECV_WINDOW_MS = 2_500
"""Short, since absence is proof only after it is over; long enough for a slow round trip."""
DEFAULT_TIMEOUT_MS = 10_000


class CcxtSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to make a client. `config` goes to ccxt's constructor: urls, options, proxies, cafile."""

    exchange: str
    api_key: str = ""
    """Without key and secret it is a client for public data."""
    secret: str = ""
    password: str = ""
    """Some exchanges have a third secret."""
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    recv_window_ms: int = DEFAULT_RECV_WINDOW_MS
    config: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Say which exchange it is, and no secret."""
        return f"CcxtSettings(exchange={self.exchange!r})"


def refuse_unsafe(config: dict[str, Any]) -> None:
    """Refuse what would send an order by itself, believe anybody, or show the key.

    Raises:
        VenueRefused: one sentence that says which setting, and what to do.
    """
    _refuse_retries(config)
    _check_trust(config)
    _refuse_verbose(config)


def _refuse_retries(config: dict[str, Any]) -> None:
    """Refuse what makes ccxt send a lost order again, for all paths or for one of them."""
    options = config.get("options", {})
    places = [options, *(inner for inner in options.values() if isinstance(inner, dict))]
    if any(place.get("maxRetriesOnFailure") for place in places):
        raise VenueRefused(
            "maxRetriesOnFailure makes ccxt send a lost order a second time: remove it from"
            " [venue.ccxt]"
        )


def _check_trust(config: dict[str, Any]) -> None:
    """Refuse to take an answer from whoever gives one, and certificates that cannot be read."""
    if config.get("verify", True) is not True:
        raise VenueRefused(
            "verify = false lets anybody on the way answer for the exchange: remove it, and name"
            " the certificate to be trusted as cafile in [venue.ccxt]"
        )
    file = config.get("cafile")
    try:
        if file is not None:
            ssl.create_default_context(cafile=file)
    except (OSError, TypeError) as error:  # an SSLError is an OSError
        raise VenueRefused(
            f"cafile in [venue.ccxt] is {file!r}, and no certificate can be read from it"
            f" ({type(error).__name__}): give the path of a PEM file"
        ) from error


def _refuse_verbose(config: dict[str, Any]) -> None:
    """Refuse to print every request with its headers, of which one is the key."""
    if config.get("verbose"):
        raise VenueRefused(
            "verbose = true makes ccxt print the key with each request: remove it from [venue.ccxt]"
        )
