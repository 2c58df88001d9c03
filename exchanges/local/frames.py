"""How a venue frames what its streams tell, and by what a fault knows an event."""

from typing import Protocol

from exchanges.local.connection import Connection, Json


class Frames(Protocol):
    """A venue's way of framing; events are in the venue's own words."""

    def kind(self, event: Json) -> str:
        """Give what the `event` of a plan is matched with."""
        ...

    def client_order_id(self, event: Json) -> str:
        """Give the client id of the order that an event is about; of no order, ""."""
        ...

    def framed(self, connection: Connection, stream: str, event: Json) -> Json | None:
        """Frame an event for one that listens; None: it did not ask for this one."""
        ...

    def shutdown(self, connection: Connection, now_ms: int) -> Json:
        """Give what announces that the connection will be closed."""
        ...

    def terminated(self, now_ms: int) -> Json | None:
        """Give what says that the user's events end; None: this venue never ends them so."""
        ...
