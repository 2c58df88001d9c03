"""The shell that turns intents into orders: look up, claim, commit, mark sent, hand over.

It owns the only connection to the ledger. Under burst it drains its mailbox and commits
once for many; alone, an intent is committed at once. The venue is called by the gateway,
off this thread; answers come back as messages.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from loguru import logger

from actors.actor import Actor
from actors.address import Address
from actors.gateway import Gateway
from actors.order_records import (
    ahead_of,
    claimed_update,
    new_order,
    price_of,
    step_from,
    update_of,
    window,
)
from decisions.executor import Claim as ToClaim
from decisions.executor import (
    Conflict,
    Duplicate,
    Refuse,
    Resend,
    next_step,
    settle,
    sort_intents,
    too_old,
)
from decisions.order_keys import client_order_id
from decisions.risk import RiskLimits, RiskState, release
from messages.errors import LedgerConflict, LedgerUnavailable
from messages.ids import NS_PER_S, ActorPath, OrderKey, StrategyId, Symbol, TimestampNs
from messages.lifecycle import ActorState, HaltTrading, TimerFired
from messages.market import Candle, MarketAck, MarketBatch, MarketEvent, Tick, Trade
from messages.order_states import FINAL_STATES
from messages.orders import (
    DuplicateFiltered,
    LookupDone,
    MarketReports,
    OrderIntent,
    OrderReport,
    OrderUpdate,
    PriceMark,
    SubmitDone,
)
from messages.values import OrderState
from persistence.ledger import Claim, Ledger, LedgerEntry, Step, fingerprint

GROUP_LIMIT = 256
"""How many intents share one commit at most."""

LOOKUP_AGAIN_NS = NS_PER_S

WORKER = "gateway"
"""The name of the worker that the gateway's jobs run on."""

FLUSH_NS = 5 * NS_PER_S


class ExecutorActor(Actor):
    """`open_ledger` is called in the actor's thread, by each incarnation.

    `max_decision_age_ns` is None where the market's clock is not the wall's: in a replay a
    decision does not age while it waits.
    """

    def __init__(
        self,
        *,
        open_ledger: Callable[[], Ledger],
        gateway: Gateway,
        limits: RiskLimits,
        max_decision_age_ns: int | None,
        metrics: "Address[OrderUpdate | DuplicateFiltered | PriceMark]",
        strategies: "Mapping[StrategyId, Address[OrderUpdate]]",
        feeds: "Mapping[ActorPath, Address[MarketAck]]",
    ) -> None:
        super().__init__()
        self._open_ledger = open_ledger
        self._gateway = gateway
        self._limits = limits
        self._max_age_ns = max_decision_age_ns
        self._metrics, self._strategies, self._feeds = metrics, strategies, feeds
        self._risk = RiskState()
        self._marks: dict[Symbol, Decimal] = {}
        self._unsettled: dict[OrderKey, LedgerEntry] = {}
        self._stash: list[OrderIntent] = []
        self._in_hand: list[OrderIntent] = []
        self._by_client_id: dict[str, LedgerEntry] = {}
        self._halt_reason = ""

    # ------------------------------------------------------------ beginning and end

    def started(self) -> None:
        """Fence older incarnations, read the ledger, ask the venue about all that is open."""
        self._ledger = self._open_ledger()
        self._gateway.take_over(self.ctx.epoch)
        self._halt_reason = self._ledger.halt_reason() or ""
        self._risk = RiskState(exposure=self._ledger.exposure())
        if self._halt_reason:
            self._cell.set_state(ActorState.HALTED, self._halt_reason)
        for entry in self._ledger.open_entries():
            self._by_client_id[entry.client_order_id] = entry
            self._unsettled[entry.order_key] = entry
        if self._unsettled:
            self._cell.set_state(ActorState.RECONCILING, f"{len(self._unsettled)} orders to settle")
            self._ask_all()

    def stopping(self) -> None:
        """Wait for the answers under way, record them, close; open orders stay open."""
        waits = True
        while waits:
            self.ctx.runtime.flush(WORKER, FLUSH_NS)
            waits = False
            for message in self.ctx.rest():
                waits = True
                self.receive(message)
        self._ledger.close()

    def crashed(self) -> None:
        """Hand back what waited in here, and let go of the ledger: the next one is its writer.

        Handed back twice is no harm: a decision that was claimed already is a duplicate.
        """
        self.ctx.hand_back([*self._stash, *self._in_hand])
        self._stash, self._in_hand = [], []
        self._ledger.close()

    # ------------------------------------------------------------ messages

    def receive(self, message: Any) -> None:
        """Take one message, and with it those of its kind that already wait."""
        match message:
            case OrderIntent():
                self._in_hand = self.ctx.drain(OrderIntent, GROUP_LIMIT - 1)
                self._intents([message, *self._in_hand])
                self._in_hand = []
            case SubmitDone():
                self._answers([message, *self.ctx.drain(SubmitDone, GROUP_LIMIT - 1)])
            case MarketReports():
                self._reports(message.reports)
            case MarketBatch():
                self._market(message)
            case LookupDone():
                self._looked_up(message)
            case Candle() | Trade() | Tick():
                self._mark(message)
                self._gateway.live_market(message)
            case TimerFired():
                self._ask_all()
            case HaltTrading():
                self._halt(message)

    # ------------------------------------------------------------ deciding and sending

    def _intents(self, intents: list[OrderIntent]) -> None:
        if self._unsettled and self._cell.state is ActorState.RECONCILING:
            self._stash.extend(intents)
            return
        known = self._ledger.lookup([intent.order_key for intent in intents])
        self._count_recent(intents, known)
        verdicts = sort_intents(intents, known, fingerprint, self._limits, self._risk, self._marks)
        conflict = next((v for v in verdicts if isinstance(v, Conflict)), None)
        if conflict is not None:
            raise LedgerConflict(
                f"{conflict.intent.order_key} is known with another intent: "
                f"{conflict.intent.strategy_id} does not decide the same way twice, or its "
                "settings changed in a run directory that holds its earlier decisions"
            )
        for verdict in verdicts:
            if isinstance(verdict, Duplicate):
                self._tell_duplicate(verdict)
        self._claim([v for v in verdicts if isinstance(v, ToClaim | Refuse)])
        resend = [v.intent.order_key for v in verdicts if isinstance(v, Resend)]
        again = self._ledger.lookup(resend).values() if resend else ()
        claimed = [v.intent for v in verdicts if isinstance(v, ToClaim)]
        entries = self._ledger.lookup([i.order_key for i in claimed]) if claimed else {}
        created = {i.order_key: i.ts_created_ns for i in intents}
        self._send([*entries.values(), *again], created)

    def _claim(self, verdicts: Sequence[ToClaim | Refuse]) -> None:
        if not verdicts:
            return
        now_ns = self.ctx.utc_ns()
        claims = [
            Claim(
                intent=v.intent,
                fingerprint=v.fingerprint,
                client_order_id=client_order_id(v.intent.order_key),
                refused=self._refusal_of(v),
            )
            for v in verdicts
        ]
        self._ledger.claim(claims, now_ns)
        durable_ns = self.ctx.utc_ns()
        for claim in claims:
            self._tell_claimed(claim, durable_ns)

    def _refusal_of(self, verdict: ToClaim | Refuse) -> str | None:
        if self._halt_reason:
            return f"halted: {self._halt_reason}"
        if isinstance(verdict, Refuse):
            return f"{verdict.refusal.code}: {verdict.refusal.text}"
        return None

    def _send(self, entries: Iterable[LedgerEntry], created: Mapping[OrderKey, int]) -> None:
        """Mark each SENT, durably and together; then hand each to the gateway."""
        now_ns = self.ctx.utc_ns()
        steps, fresh = [], []
        for entry in entries:
            if entry.state not in (OrderState.CLAIMED, OrderState.NOT_SENT):
                continue
            created_ns = created.get(entry.order_key, entry.decided_at_ns)
            stale = self._too_old(created_ns, now_ns)
            to = OrderState.REFUSED if stale or self._halt_reason else OrderState.SENT
            why = stale or self._halt_reason
            steps.append(
                Step(order_key=entry.order_key, to=to, at_ns=now_ns, reason=why, evidence="")
            )
            fresh.append(entry)
        if not steps:
            return
        for before, after in zip(fresh, self._ledger.record(steps), strict=True):
            self._follow(after)
            if after.state is OrderState.SENT:
                if before.state is OrderState.NOT_SENT:
                    self._tell_update(after, ())
                self._gateway.submit(self.ctx.epoch, after.order_key, new_order(after))
            else:
                release(after.symbol, after.side, after.quantity, self._risk)
                self._tell_update(after, ())

    def _too_old(self, created_ns: int, now_ns: int) -> str:
        if self._max_age_ns is None:
            return ""
        if too_old(TimestampNs(created_ns), TimestampNs(now_ns), self._max_age_ns):
            return f"stale: decided {(now_ns - created_ns) / 1e9:.1f} s ago"
        return ""

    # ------------------------------------------------------------ what the venue says

    def _answers(self, answers: Sequence[SubmitDone]) -> None:
        self._reports([a.report for a in answers])
        for answer in answers:
            if answer.report.state is OrderState.UNKNOWN:
                entry = self._by_client_id.get(answer.report.client_order_id)
                if entry is not None:
                    self._unsettled[entry.order_key] = entry
                    self._risk.unsettled.add(entry.symbol)
                    self._ask(entry)

    def _reports(self, reports: Sequence[OrderReport]) -> None:
        """Record what is new in the reports, in one commit, and tell of it."""
        steps: list[Step] = []
        fills = []
        for report in reports:
            entry = self._by_client_id.get(report.client_order_id)
            if entry is None:
                continue
            to = next_step(entry, report)
            if to is None:
                continue
            steps.append(step_from(entry, to, report, self.ctx.utc_ns()))
            fills.append(report.fills)
            self._by_client_id[report.client_order_id] = ahead_of(entry, steps[-1])
        if steps:
            self._took(self._ledger.record(steps), fills)

    def _took(self, entries: Sequence[LedgerEntry], fills: Sequence[Any]) -> None:
        for entry, executions in zip(entries, fills, strict=True):
            self._follow(entry)
            if entry.state in FINAL_STATES and entry.filled_quantity != entry.quantity:
                unfilled = entry.quantity - entry.filled_quantity
                release(entry.symbol, entry.side, unfilled, self._risk)
            self._tell_update(entry, executions)
        self.ctx.progress()

    def _follow(self, entry: LedgerEntry) -> None:
        if entry.state in FINAL_STATES:
            self._by_client_id.pop(entry.client_order_id, None)
        else:
            self._by_client_id[entry.client_order_id] = entry

    # ------------------------------------------------------------ settling what is unknown

    def _ask_all(self) -> None:
        for entry in self._unsettled.values():
            self._ask(entry)

    def _ask(self, entry: LedgerEntry) -> None:
        self._gateway.find(self.ctx.epoch, entry.order_key, new_order(entry))

    def _looked_up(self, answer: LookupDone) -> None:
        before = self._unsettled.get(answer.order_key)
        if before is None:
            return
        if answer.problem:
            self.ctx.after(LOOKUP_AGAIN_NS, TimerFired(name="ask the venue again"))
            return
        entry = self._by_client_id.get(before.client_order_id, before)
        steps = [self._lookup_step(entry, to, answer) for to in settle(entry, answer)]
        if steps:
            fills = [answer.report.fills if answer.report else ()] * len(steps)
            self._took(self._ledger.record(steps), fills)
        del self._unsettled[answer.order_key]
        settled = self._ledger.lookup([answer.order_key])[answer.order_key]
        self._risk.unsettled = {e.symbol for e in self._unsettled.values()}
        if settled.state in (OrderState.CLAIMED, OrderState.NOT_SENT):
            self._send([settled], {})
        if not self._unsettled and self._cell.state is ActorState.RECONCILING:
            settled_state = ActorState.HALTED if self._halt_reason else ActorState.RUNNING
            self._cell.set_state(settled_state, self._halt_reason)
            self._in_hand, self._stash = self._stash, []
            if self._in_hand:
                self._intents(self._in_hand)
            self._in_hand = []

    def _lookup_step(self, entry: LedgerEntry, to: OrderState, answer: LookupDone) -> Step:
        if answer.report is not None:
            return step_from(entry, to, answer.report, self.ctx.utc_ns())
        return Step(
            order_key=entry.order_key,
            to=to,
            at_ns=self.ctx.utc_ns(),
            reason="the venue has no such order",
            evidence="find",
        )

    # ------------------------------------------------------------ the market

    def _market(self, batch: MarketBatch) -> None:
        """Mark prices and show the venue what is new; the gateway says when it is done."""
        latest = {event.symbol: event for event in batch.events}
        for event in latest.values():
            self._mark(event)
        feed, path = self._feeds.get(batch.feed), self.ctx.path

        def acknowledge(next_index: int) -> None:
            if feed is not None:
                feed.tell(MarketAck(follower=path, next_index=next_index))

        self._gateway.market(batch, acknowledge)
        self.ctx.progress()

    def _mark(self, event: MarketEvent) -> None:
        price = price_of(event)
        self._marks[event.symbol] = price
        self._metrics.tell(
            PriceMark(symbol=event.symbol, price=price, ts_event_ns=event.ts_event_ns)
        )

    def _count_recent(
        self, intents: Sequence[OrderIntent], known: Mapping[OrderKey, LedgerEntry]
    ) -> None:
        """Fill the order-rate window from the ledger, once per symbol, at its first new intent."""
        for intent in intents:
            if intent.order_key not in known and intent.symbol not in self._risk.decided:
                since = TimestampNs(intent.decided_at_ns - 60 * NS_PER_S)
                self._risk.decided[intent.symbol] = window(
                    self._ledger.decided_since(intent.symbol, since), intent.decided_at_ns
                )

    # ------------------------------------------------------------ halting and telling

    def _halt(self, order: HaltTrading) -> None:
        """No new orders until a person resumes, or until this process ends."""
        self._halt_reason = order.reason
        self._cell.set_state(ActorState.HALTED, order.reason)
        logger.bind(actor=self.ctx.path).critical("trading is halted: {}", order.reason)
        if not order.durable:
            return
        try:
            self._ledger.set_halt(order.reason)
        except LedgerUnavailable as error:
            logger.bind(actor=self.ctx.path).error("the halt could not be kept on disk: {}", error)

    def _tell_claimed(self, claim: Claim, durable_ns: TimestampNs) -> None:
        self.ctx.tell(self._metrics, claimed_update(claim, durable_ns))

    def _tell_update(self, entry: LedgerEntry, fills: Any) -> None:
        update = update_of(entry, fills, self.ctx.utc_ns())
        self.ctx.tell(self._metrics, update)
        strategy = self._strategies.get(entry.strategy_id)
        if strategy is not None:
            self.ctx.tell(strategy, update)

    def _tell_duplicate(self, verdict: Duplicate) -> None:
        intent = verdict.intent
        self.ctx.tell(
            self._metrics,
            DuplicateFiltered(
                order_key=intent.order_key,
                strategy_id=intent.strategy_id,
                state=verdict.entry.state,
            ),
        )
