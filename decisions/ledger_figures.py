"""What the ledger shows of itself: how long commits take, what they hold, who had to wait. Pure."""

from typing import Any

from decisions.histogram import LatencyHistogram


class LedgerFigures:
    """Of one process, over all incarnations of the executor. Its thread writes, any may read."""

    def __init__(self) -> None:
        self.commit_ns = LatencyHistogram()
        """From the wish to commit until it is durable, waits for a lock included."""
        self.claims_per_commit = LatencyHistogram()
        """Claims, not nanoseconds; commits without any are left out."""
        self.checkpoint_ns = LatencyHistogram()
        """Of those made in a quiet moment; one that a commit had to make is in its time."""
        self.lock_waits = 0
        """Statements that found the file locked by somebody else."""
        self.busy_retries = 0
        """How often those tried again."""

    def committed(self, took_ns: int, claims: int) -> None:
        """Count one commit."""
        self.commit_ns.record(took_ns)
        if claims:
            self.claims_per_commit.record(claims)

    def checkpointed(self, took_ns: int) -> None:
        """Count one checkpoint."""
        self.checkpoint_ns.record(took_ns)

    def waited(self) -> None:
        """Count one statement that found the file locked."""
        self.lock_waits += 1

    def retried(self) -> None:
        """Count one more try of such a statement."""
        self.busy_retries += 1

    def summary(self, wal_bytes: int) -> dict[str, Any]:
        """Give all of it as JSON has it, keys sorted."""
        return {
            "busy_retries": self.busy_retries,
            "checkpoint_ns": self.checkpoint_ns.summary(),
            "checkpoints": self.checkpoint_ns.count,
            "claims_per_commit": self.claims_per_commit.summary(),
            "commit_ns": self.commit_ns.summary(),
            "commits": self.commit_ns.count,
            "lock_waits": self.lock_waits,
            "wal_bytes": wal_bytes,
        }
