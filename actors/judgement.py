"""What becomes of decisions: looked up, held against the limits, and made into claims.

The verdicts are `decisions.executor`'s; here is what they need to know: the ledger, the clock and
the last prices.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial

from actors.context import Context
from actors.executor_stages import ExecutorStages
from decisions.executor import Claim as ToClaim
from decisions.executor import Conflict, Refuse, Verdict, judge_intents
from decisions.judgement import Seen, bar, judged_note, seen_now
from decisions.risk import Refusal, RiskLimits, RiskState, recall, saw_market
from messages import lineage
from messages.errors import LedgerConflict
from messages.ids import MINUTE_NS, NS_PER_MS, ClientOrderId, OrderKey, Symbol, TimestampNs
from messages.orders import OrderIntent
from persistence.ledger import Claim, Ledger, LedgerEntry, fingerprint

NO_MARKS: Mapping[Symbol, Decimal] = {}


class Judge:
    """One incarnation's, used on its thread. `max_age_ns` is None where decisions do not age.

    `halt_reason` says why nothing may be sent; empty while it may. `not_replacing` says why a
    decision does not take another order's place, or is not wanted any more; `bought_before` how
    much there is for an exit that has waited, `spoken_for` how much its strategy's stops are to
    leave. `seen` outlives incarnations: the last price of each
    symbol and its time, so that a decision which an earlier one left to be judged is not refused
    for a market that nobody has seen.
    """

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        limits: RiskLimits,
        risk: RiskState,
        max_age_ns: int | None,
        stages: ExecutorStages,
        halt_reason: Callable[[], str],
        not_replacing: Callable[[OrderIntent], Refusal | None],
        bought_before: Callable[[OrderKey], Decimal | None],
        spoken_for: Callable[[OrderIntent], Decimal],
        seen: dict[Symbol, tuple[Decimal, TimestampNs]],
    ) -> None:
        self._ctx, self._ledger, self._limits, self._risk = ctx, ledger, limits, risk
        self._max_age_ns, self._stages, self._halt_reason = max_age_ns, stages, halt_reason
        self._not_replacing, self._bought_before = not_replacing, bought_before
        self._spoken_for = spoken_for
        self._replayed = max_age_ns is None
        # A ledger that was restored does not know what was sent after its copy was taken.
        not_before_ns = lineage.not_before_in(ledger.note(lineage.ACCEPTED))
        self._not_before_ns = 0 if self._replayed else not_before_ns
        self._marks: dict[Symbol, Decimal] = {}
        self._last_seen = seen
        if not self._replayed:  # which shows its market again
            for symbol, (price, ts_event_ns) in list(seen.items()):
                self.saw(symbol, price, ts_event_ns)

    def saw(self, symbol: Symbol, price: Decimal, ts_event_ns: TimestampNs) -> None:
        """Take the last price of a symbol."""
        self._marks[symbol] = price
        self._last_seen[symbol] = price, ts_event_ns
        now_ns = None if self._replayed else self._ctx.utc_ns()
        saw_market(symbol, price, ts_event_ns, self._risk, now_ns)

    def judge(self, intents: Sequence[OrderIntent]) -> list[Verdict]:
        """Give what is to be done with each, in their order.

        Raises:
            LedgerConflict: a key is known with another intent.
        """
        known = self._ledger.lookup([intent.order_key for intent in intents])
        self._count_recent(intents, known)
        # In a replay marks run ahead of decisions, and the market's clock waits for us.
        self._risk.now_ns = None if self._replayed else self._ctx.utc_ns()
        exits = [intent for intent in intents if intent.leaves]
        there = ((one.order_key, self._bought_before(one.order_key)) for one in exits)
        self._risk.bought_before = {key: much for key, much in there if much is not None}
        spoken = (((one.strategy_id, one.symbol), self._spoken_for(one)) for one in exits)
        self._risk.spoken_for = {place: much for place, much in spoken if much}
        marks = NO_MARKS if self._replayed else self._marks
        replaced = self._replaced(intents)
        seen = None
        if self._ctx.notes is not None:
            seen = self._seen(intents, known, marks, replaced)
        verdicts = judge_intents(
            intents, known, fingerprint, self._limits, self._risk, marks, self._barred, replaced
        )
        if seen is not None:
            self._ctx.note(partial(judged_note, tuple(intents), seen, tuple(verdicts)))
        conflict = next((v for v in verdicts if isinstance(v, Conflict)), None)
        if conflict is not None:
            raise LedgerConflict(
                f"{conflict.intent.order_key} is known with another intent: "
                f"{conflict.intent.strategy_id} does not decide the same way twice, or its "
                "settings changed in a run directory that holds its earlier decisions:"
                " start it with another --run-dir, or give it another id"
            )
        self._stages.judged(verdicts)
        return verdicts

    def _barred(self, intent: OrderIntent) -> Refusal | None:
        not_before_ns, now_ns = self._not_before_ns, self._risk.now_ns
        held = bar(intent, self._halt_reason(), not_before_ns, now_ns, self._max_age_ns)
        return held or self._not_replacing(intent)

    def _replaced(self, intents: Sequence[OrderIntent]) -> Mapping[OrderKey, LedgerEntry]:
        firsts = [intent.replaces for intent in intents if intent.replaces is not None]
        return self._ledger.lookup(firsts) if firsts else {}

    def _seen(
        self,
        intents: Sequence[OrderIntent],
        known: Mapping[OrderKey, LedgerEntry],
        marks: Mapping[Symbol, Decimal],
        replaced: Mapping[OrderKey, LedgerEntry],
    ) -> Seen:
        """Give what is known before the first is judged, for the journal."""
        barred = {one.order_key: self._not_replacing(one) for one in intents}
        return seen_now(
            intents,
            known,
            self._limits,
            self._risk,
            marks,
            halt_reason=self._halt_reason(),
            not_before_ns=self._not_before_ns,
            max_age_ns=self._max_age_ns,
            replaced=replaced,
            not_replacing={key: why for key, why in barred.items() if why is not None},
        )

    def _count_recent(
        self, intents: Sequence[OrderIntent], known: Mapping[OrderKey, LedgerEntry]
    ) -> None:
        """Fill the order-rate window from the ledger, once per symbol, at its first new intent."""
        for intent in intents:
            if intent.order_key not in known and intent.symbol not in self._risk.decided:
                back_ns = max(MINUTE_NS, self._limits.cooldown_ms * NS_PER_MS)
                decided = self._ledger.decided_since(intent.symbol, intent.decided_at_ns - back_ns)
                now_ns, again = intent.decided_at_ns, self._replayed
                recall(intent.symbol, decided, now_ns, self._risk, shown_again=again)


def claim_of(verdict: ToClaim | Refuse, name_of: Callable[[OrderKey], ClientOrderId]) -> Claim:
    """Give what is written of a verdict: sent in the same commit, or refused.

    `name_of`: how the venue is told of an order.
    """
    intent = verdict.intent
    no = verdict.refusal if isinstance(verdict, Refuse) else None
    return Claim(
        intent=intent,
        fingerprint=verdict.fingerprint,
        client_order_id=name_of(intent.order_key),
        refused=f"{no.code}: {no.text}" if no else None,
        sent=no is None,
        decided_quantity=None if isinstance(verdict, Refuse) else verdict.decided_quantity,
    )
