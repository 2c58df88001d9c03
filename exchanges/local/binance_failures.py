"""What Binance answers when something fails: each answer is one fault's."""

from exchanges.local.calls import Reply
from exchanges.local.faults import Fault

_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"


def page(status: int, title: str) -> Reply:
    """Make a page of HTML, as gateways and firewalls answer."""
    return Reply(
        status=status, body=_HTML.format(f"{status} {title}"), headers={"Content-Type": "text/html"}
    )


def _said(status: int, code: int, message: str) -> Reply:
    return Reply(status=status, body={"code": code, "msg": message})


_UNKNOWN = (
    "Timeout waiting for response from backend server. Send status unknown;"
    " execution status unknown."
)
_UNEXPECTED = "An unexpected response was received from the message bus. Execution status unknown."
_INTERNAL = "Internal error; unable to process your request. Please try again."
_WEIGHT = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
_OVERLOADED = (
    "Server is currently overloaded with other requests. Please try again in a few minutes."
)
FAILURES: dict[Fault, Reply] = {
    Fault.GATEWAY_TIMEOUT_BEFORE: page(504, "Gateway Time-out"),
    Fault.GATEWAY_TIMEOUT_AFTER: page(504, "Gateway Time-out"),
    Fault.TIMEOUT_CODE_BEFORE: _said(408, -1007, _UNKNOWN),
    Fault.TIMEOUT_CODE_AFTER: _said(408, -1007, _UNKNOWN),
    Fault.UNEXPECTED_RESPONSE_BEFORE: _said(500, -1006, _UNEXPECTED),
    Fault.UNEXPECTED_RESPONSE_AFTER: _said(500, -1006, _UNEXPECTED),
    Fault.DISCONNECTED_BEFORE: _said(500, -1001, _INTERNAL),
    Fault.DISCONNECTED_AFTER: _said(500, -1001, _INTERNAL),
    Fault.UNKNOWN_CODE_AFTER: _said(500, -9999, "An undocumented thing happened."),
    Fault.SERVER_BUSY: _said(503, -1008, _OVERLOADED),
    Fault.TOO_MANY_REQUESTS: _said(429, -1003, _WEIGHT),
    Fault.TOO_MANY_ORDERS: _said(
        429, -1015, "Too many new orders; current limit is 100 orders per 10 SECOND."
    ),
    Fault.IP_BANNED: _said(418, -1003, "Way too much request weight used; IP banned."),
    Fault.FIREWALL: page(403, "Forbidden"),
    Fault.KEY_REVOKED: _said(401, -2015, "Invalid API-key, IP, or permissions for action."),
    Fault.MAINTENANCE: _said(503, -1000, "System is under maintenance."),
    Fault.CLOCK_REFUSED: _said(
        400, -1021, "Timestamp for this request is outside of the recvWindow."
    ),
}
