"""Binance's frames: bare, with the name of their stream, or with a subscription's number."""

from exchanges.local import stream_binance as wire
from exchanges.local.connection import Connection, Json
from exchanges.local.faults_streams import USER


class BinanceFrames:
    """See `Frames`."""

    def kind(self, event: Json) -> str:
        """Give the event's `e`; the best prices have none."""
        return str(event.get("e", "bookTicker"))

    def client_order_id(self, event: Json) -> str:
        """Give the order's own id, also of a cancel."""
        if event.get("e") != "executionReport":
            return ""
        return str(event["C"] or event["c"])

    def framed(self, connection: Connection, stream: str, event: Json) -> Json | None:
        """Frame an event of the user, or of a market as the path of the connection wants it."""
        if stream == USER:
            return _of_user(event)
        return {"stream": stream, "data": event} if connection.wraps else event

    def shutdown(self, connection: Connection, now_ms: int) -> Json:
        """Give `serverShutdown`."""
        return wire.server_shutdown(now_ms, is_api=connection.is_api, is_combined=connection.wraps)

    def terminated(self, now_ms: int) -> Json | None:
        """Give `eventStreamTerminated`."""
        return _of_user(wire.stream_terminated(now_ms))


def _of_user(event: Json) -> Json:
    return {"subscriptionId": 0, "event": event}
