"""How an audit may ask the exchange that a run traded at."""

from pathlib import Path

import msgspec


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """As the command line says it."""

    newest: int
    """How many of the ledger's orders are asked about, the newest first."""
    is_offline: bool = False
    """Ask nothing."""
    config: Path | None = None
    """The config of the run; None: the one that its last start left."""
