"""Which symbol somebody may have meant who named one that is not there."""

from collections.abc import Iterable

from messages.ids import base_of, quote_of

_NEAR = 0.6
_NEAR_UNDIVIDED = 0.8
"""Without a slash a quote currency that many share must not make one of another base near."""


def near_symbol(wanted: str, known: Iterable[str]) -> str:
    """Give the nearest one of which base and quote are both near; empty where none is.

    ``BTCUSDT`` and ``btc-usdt`` are ``BTC/USDT`` written otherwise.
    """
    nearness = [(_nearness(wanted.upper(), one.upper()), one) for one in known]
    best, symbol = max(nearness, key=lambda one: one[0], default=(0.0, ""))
    return symbol if best else ""


def _nearness(wanted: str, known: str) -> float:
    if _bare(wanted) == _bare(known):
        return 3.0
    if not quote_of(wanted):
        likeness = _likeness(_bare(wanted), _bare(known))
        return likeness if likeness >= _NEAR_UNDIVIDED else 0.0
    base = _likeness(base_of(wanted), base_of(known))
    quote = _likeness(quote_of(wanted), quote_of(known))
    return base + quote if min(base, quote) >= _NEAR else 0.0


def _bare(symbol: str) -> str:
    return "".join(filter(str.isalnum, symbol))


def _likeness(one: str, other: str) -> float:
    from difflib import SequenceMatcher  # only for who has mistyped

    return SequenceMatcher(None, one, other).ratio()
