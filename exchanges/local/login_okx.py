"""Whether who logs in at OKX's private socket is the account."""

import base64
import hashlib
import hmac

from exchanges.local.exchange import LocalExchange
from messages.ids import NS_PER_S

_WINDOW_NS = 30 * NS_PER_S
_SIGNED = "GET/users/self/verify"


def problem_of(exchange: LocalExchange, login: dict[str, str]) -> tuple[str, str] | None:
    """Give OKX's code and words for what is wrong with a login; None if nothing is."""
    settings = exchange.settings
    if exchange.is_under_maintenance or exchange.page_status is not None:
        return "50001", "Service temporarily unavailable. Try again later."
    if login.get("apiKey") != settings.api_key or exchange.is_key_revoked:
        return "60005", "Invalid apiKey"
    if login.get("passphrase") != settings.api_password:
        return "60024", "Wrong passphrase"
    return _problem_of_time(exchange, login) or _problem_of_sign(settings.api_secret, login)


def _problem_of_time(exchange: LocalExchange, login: dict[str, str]) -> tuple[str, str] | None:
    sent = login.get("timestamp", "")
    if not (sent.isascii() and sent.isdigit() and len(sent) < 16):
        return "60004", "Invalid timestamp"
    if abs(exchange.clock.now_ns() - int(sent) * NS_PER_S) > _WINDOW_NS:
        return "60006", "Timestamp request expired"
    return None


def _problem_of_sign(secret: str, login: dict[str, str]) -> tuple[str, str] | None:
    text = login["timestamp"] + _SIGNED
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    is_ours = hmac.compare_digest(base64.b64encode(digest), login.get("sign", "").encode())
    return None if is_ours else ("60007", "Invalid sign")
