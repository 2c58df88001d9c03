"""OKX's frames: what was asked for, beside what is told of it; and its words about a connection."""

from exchanges.local.connection import Connection, Json

ORDERS = "orders"
_OF_SPOT = ("SPOT", "ANY")
_UID = "1"


class OkxFrames:
    """See `Frames`."""

    def kind(self, _event: Json) -> str:
        """Give the one channel that there is."""
        return ORDERS

    def client_order_id(self, event: Json) -> str:
        """Give the order's id."""
        return str(event["clOrdId"])

    def framed(self, connection: Connection, _stream: str, event: Json) -> Json | None:
        """Frame an event with the first subscription that it belongs to."""
        asked = next((one for one in connection.asked if _covers(one, event)), None)
        return None if asked is None else {"arg": asked | {"uid": _UID}, "data": [event]}

    def shutdown(self, connection: Connection, _now_ms: int) -> Json:
        """Give the notice of an upgrade."""
        message = "The connection will soon be closed for a service upgrade. Please reconnect."
        return said(connection, "notice", code="64008", msg=message)

    def terminated(self, _now_ms: int) -> Json | None:
        """Give nothing: at OKX events end with their connection."""
        return None


def said(connection: Connection, event: str, **more: str | dict[str, str]) -> Json:
    """Make what is said about the connection itself."""
    return {"event": event, **more, "connId": f"{connection.number:08x}"}


def _covers(asked: dict[str, str], event: Json) -> bool:
    is_named = asked.get("instId", event["instId"]) == event["instId"]
    return is_named and asked.get("instType") in _OF_SPOT
