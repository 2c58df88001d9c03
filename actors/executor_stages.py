"""What the executor notes of the stages of its decisions; nothing where nobody wants to know."""

from collections.abc import Sequence

from actors.context import Context
from decisions.executor import Duplicate, EndFirst, Refuse, Verdict, Wait
from decisions.stages import DUPLICATE, OK, REJECTED, OrderStages, StageRecord
from persistence.ledger import Claim, LedgerEntry


class ExecutorStages:
    """Of one incarnation: what an earlier one had begun has no latency here."""

    def __init__(self, ctx: Context) -> None:
        self._ctx, self._notes = ctx, ctx.stages
        self._orders = OrderStages()
        self._judged_ns = 0

    def judged(self, verdicts: Sequence[Verdict]) -> None:
        """Note that decisions were judged, before any of them is durable."""
        if self._notes is None:
            return
        at_ns = self._judged_ns = self._ctx.monotonic_ns()
        for verdict in verdicts:
            if isinstance(verdict, EndFirst | Wait):
                continue  # it is judged once more
            intent = verdict.intent
            outcome, reason = _outcome(verdict)
            self._ctx.judge(intent.order_key, outcome, reason)
            key, symbol = intent.order_key, intent.symbol
            decided_ns = self._notes.decided_at(key)
            took_ns = None if decided_ns is None else max(at_ns - decided_ns, 0)
            self._notes.note(StageRecord(at_ns, "risk", key, symbol, took_ns, outcome, reason))

    def claimed(self, claim: Claim, at_ns: int) -> None:
        """Note that a claim, or a refusal, was durable at that moment."""
        if self._notes is None:
            return
        intent = claim.intent
        if claim.refused is None:
            self._orders.claimed(intent.order_key, at_ns)
        outcome = OK if claim.refused is None else REJECTED
        key, symbol, took_ns = intent.order_key, intent.symbol, max(at_ns - self._judged_ns, 0)
        reason, name = claim.refused or "", claim.client_order_id
        record = StageRecord(at_ns, "claim", key, symbol, took_ns, outcome, reason, name)
        self._notes.note(record)

    def moved(self, entry: LedgerEntry) -> None:
        """Note that an order's step is durable."""
        if self._notes is None:
            return
        at_ns, left_ns = self._ctx.monotonic_ns(), self._notes.left(entry.order_key)
        for record in self._orders.moved(entry, at_ns, left_ns, entry.state):
            self._notes.note(record)


def _outcome(verdict: Verdict) -> tuple[str, str]:
    if isinstance(verdict, Refuse):
        return REJECTED, f"{verdict.refusal.code}: {verdict.refusal.text}"
    if isinstance(verdict, Duplicate):
        return DUPLICATE, f"it is {verdict.entry.state}"
    return OK, ""
