"""Of a run that keeps no ledger on disk: what to say where one is looked for."""

import tomllib
from pathlib import Path
from shlex import quote

from messages.errors import LedgerUnavailable
from ops.run_files import EFFECTIVE_CONFIG, LEDGER


def said_of(error: Exception, run_dir: Path) -> LedgerUnavailable | None:
    """Say why there is no ledger and what to do; None where this is not why `error` came."""
    if not isinstance(error, LedgerUnavailable) or (run_dir / LEDGER).exists():
        return None
    if not _is_in_memory(run_dir):
        return None
    look = f"watchkeeper orders --run-dir {quote(str(run_dir))} --venue"
    return LedgerUnavailable(
        f"{run_dir}: this run keeps its ledger in memory, where it ends with the process: `{look}`"
        " shows what the paper venue has; start it without `--idempotency-backend memory`"
        " (idempotency.backend) to keep one"
    )


def _is_in_memory(run_dir: Path) -> bool:
    try:
        config = tomllib.loads((run_dir / EFFECTIVE_CONFIG).read_text())
    except (OSError, ValueError):
        return False
    idempotency = config.get("idempotency")
    return isinstance(idempotency, dict) and idempotency.get("backend") == "memory"
