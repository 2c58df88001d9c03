"""Of a run whose ledger is not there, for it was in memory or is lost: what to say of it."""

from pathlib import Path

from messages.errors import LedgerUnavailable
from ops.run_files import LEDGER, typed
from ops.run_state import last_config


def said_of(error: Exception, run_dir: Path) -> LedgerUnavailable | None:
    """Say why there is no ledger and what to do; None where this is not why `error` came."""
    if not isinstance(error, LedgerUnavailable):
        return None
    if (run_dir / LEDGER).exists() or not _is_in_memory(run_dir):
        return _lost(run_dir)
    look = f"watchkeeper orders --run-dir {typed(run_dir)} --venue"
    return LedgerUnavailable(
        f"{run_dir}: this run keeps its ledger in memory, where it ends with the process: `{look}`"
        " shows what the paper venue has; start it without `--idempotency-backend memory`"
        " (idempotency.backend) to keep one"
    )


def _lost(run_dir: Path) -> LedgerUnavailable | None:
    """Say of one that is gone, or was emptied, that it held orders; what else is wrong is said."""
    from ops.lost_ledger import check_not_lost

    try:
        check_not_lost(run_dir)
    except LedgerUnavailable as lost:
        return lost
    return None


def _is_in_memory(run_dir: Path) -> bool:
    idempotency = last_config(run_dir).get("idempotency")
    return isinstance(idempotency, dict) and idempotency.get("backend") == "memory"
