"""Where the bus is, how to be let in, and how much is kept on it."""

from urllib.parse import urlsplit

import msgspec


class BusAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bus is and how to be let in. The secrets come from the environment."""

    url: str
    stream: str
    user: str = ""
    password: str = ""
    token: str = ""
    credentials: str = ""
    """The path of a ``.creds`` file."""
    ca_file: str = ""
    """The path of certificates in PEM, whose word is taken for the server's; empty for the
    system's."""

    @property
    def is_encrypted(self) -> bool:
        """Whether nothing may be sent before the connection is encrypted."""
        return urlsplit(self.url).scheme == "tls"

    @property
    def place(self) -> str:
        """Name the server for a person, without a login."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a stream keeps; the oldest goes first."""

    max_age_s: int = 7 * 86_400
    max_bytes: int = 1 << 30
    duplicates_s: int = 120
