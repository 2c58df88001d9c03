"""What anybody may send over NATS, and what nats-py cannot read of it: taken as far as it can be.

nats-py reads a subject as strict UTF-8, and the first byte of a header without looking whether it
has one; the server stores and hands on both as they are. What it cannot read ends its reading. So
one message of a stranger would end all that come after it, also at the next connection.
"""

from typing import Any


def that_hears(kind: Any) -> Any:
    """Give a kind of nats-py's client that reads on behind whatever a stranger has sent."""

    class Hearing(kind):  # type: ignore[misc]  # nats-py has no types where it is not installed
        async def _process_headers(self, headers: bytes | None) -> Any:
            try:
                return await super()._process_headers(headers)
            except (IndexError, UnicodeDecodeError):
                return None  # nothing of ours, nor of the server's own

        def _build_message(self, sid: int, subject: bytes, reply: bytes, *more: Any) -> Any:
            return super()._build_message(sid, _as_text(subject), _as_text(reply), *more)

    return Hearing


def _as_text(name: bytes) -> bytes:
    """Give a name that can be read; one that had to be changed is no subject of ours."""
    return name.decode(errors="replace").encode()
