"""The shell that turns intents into orders: look up, judge, claim, hand over.

It owns the only connection to the ledger. Whatever waits is taken together: reports and
intents of one drain share one commit, in which each new order is CLAIMED and SENT. The venue
is called by the gateway, off this thread; answers come back as messages.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any

from actors.account_desk import AccountSettings, AccountView
from actors.actor import Actor
from actors.address import Address
from actors.asking import ASK_AGAIN
from actors.cancel_desk import CancelDesk
from actors.executions import ASK_FILLS
from actors.executor_kept import ExecutorKept, Held
from actors.executor_stages import ExecutorStages
from actors.gateway import Gateway
from actors.judgement import Judge, claim_of
from actors.ledger_away import LedgerAway
from actors.operator_desk import OperatorDesk
from actors.order_desk import OrderDesk
from actors.order_records import claimed_update, price_of, struck_update, update_of
from actors.stop_desk import KEEP_STOPS, StopDesk
from actors.tidying import TIDY
from actors.venue_desk import VenueDesk
from decisions.executor import Claim as ToClaim
from decisions.executor import Duplicate, EndFirst, Refuse, Resend, Verdict
from decisions.risk import RiskLimits, RiskState
from messages.errors import LedgerLost
from messages.halting import EndStop
from messages.ids import NS_PER_S, ActorPath, OrderKey, StrategyId, Symbol, TimestampNs
from messages.lifecycle import ActorState
from messages.market import Candle, MarketAck, MarketBatch, MarketEvent, Tick, Trade
from messages.orders import (
    CancelAgain,
    CancelIntent,
    DuplicateFiltered,
    Fill,
    Intent,
    LookupDone,
    MarketReports,
    MarketRules,
    OrderIntent,
    OrderReport,
    OrderUpdate,
    PriceMark,
    SendAgain,
    SubmitDone,
)
from messages.stops import MarketShown, StopActed
from messages.values import OrderState
from persistence.ledger import Claim, Ledger, LedgerEntry

__all__ = ["WORKER", "ExecutorActor", "ExecutorKept"]

GROUP_LIMIT = 256
"""How many messages share one commit at most."""

GROUPED = (OrderIntent, CancelIntent, SubmitDone, MarketReports, OrderReport)

WORKER = "gateway"
"""The name of the worker that the gateway's jobs run on."""

FLUSH_NS = 5 * NS_PER_S

_SYMBOL = attrgetter("symbol")

NO_MARKS: Mapping[Symbol, Decimal] = {}

_WRITTEN = (ToClaim, Refuse)
"""Verdicts that the ledger keeps."""


class ExecutorActor(Actor):
    """`open_ledger` is called in the actor's thread, by each incarnation.

    `max_decision_age_ns` is None where the market's clock is not the wall's: in a replay a
    decision does not age while it waits. `steps_with_market`: the feed shows an event to nobody
    else before it is acknowledged here, so that stops act at the same event each time.
    """

    def __init__(
        self,
        *,
        open_ledger: Callable[[], Ledger],
        gateway: Gateway,
        limits: RiskLimits,
        max_decision_age_ns: int | None,
        kept: ExecutorKept,
        metrics: "Address[OrderUpdate | DuplicateFiltered | PriceMark]",
        strategies: "Mapping[StrategyId, Address[OrderUpdate | MarketRules | StopActed]]",
        feeds: "Mapping[ActorPath, Address[MarketAck]]",
        account: tuple[AccountSettings, AccountView] | None = None,
        steps_with_market: bool = False,
    ) -> None:
        super().__init__()
        self._open_ledger = open_ledger
        self._gateway = gateway
        self._limits = limits
        self._max_age_ns = max_decision_age_ns
        self._replayed = max_decision_age_ns is None
        self._kept = kept
        self._held = Held()
        self._metrics, self._strategies, self._feeds = metrics, strategies, feeds
        self._compared = account
        self._ledger: Ledger | None = None
        self._reconciled = False
        self._steps = steps_with_market and self._replayed
        self._away: LedgerAway | None = None
        self._later: list[MarketBatch] = []
        """Of a market that waits for us, until what is to end has ended."""

    # ------------------------------------------------------------ beginning and end

    def started(self) -> None:
        """Fence older incarnations, read the ledger, ask the venue about all that is open."""
        self._gateway.take_over(self.ctx.epoch)
        self._ledger = ledger = self._open_ledger()
        self._stages = ExecutorStages(self.ctx)
        self._risk = RiskState(
            exposure=ledger.exposure(),
            held_by=ledger.strategy_exposure(),
            open_orders=None if self._replayed else {},
            instruments=self._kept.instruments,
        )
        self._stops = StopDesk(
            ctx=self.ctx,
            ledger=ledger,
            shown_again=self._steps,
            replayed=self._replayed,
            kept=self._kept,
            strategies=self._strategies,
            symbols=self._gateway.symbols,
            claim=lambda intent: self._work((), [intent]),
            keep=lambda: self._desk.keep({}),
            may_send=lambda: not self._desk.halt_reason,
        )
        self._desk = OrderDesk(
            ctx=self.ctx,
            ledger=ledger,
            gateway=self._gateway,
            risk=self._risk,
            max_age_ns=self._max_age_ns,
            keeps_equity=bool(self._limits.max_daily_loss or self._limits.max_drawdown),
            on_claimed=self._tell_claimed,
            on_moved=self._tell_moved,
            stops=self._stops.book,
        )
        self._cancels = CancelDesk(
            ctx=self.ctx,
            ledger=ledger,
            gateway=self._gateway,
            desk=self._desk,
            replacing=self._kept.replacing,
            on_lost=self._tell_strategy,
            on_given_up=self._show,
        )
        self._judge = Judge(
            ctx=self.ctx,
            ledger=ledger,
            limits=self._limits,
            risk=self._risk,
            max_age_ns=self._max_age_ns,
            stages=self._stages,
            halt_reason=lambda: self._desk.halt_reason,
            not_replacing=self._cancels.why_not,
            seen=self._kept.seen,
        )
        self._operator = OperatorDesk(
            ctx=self.ctx,
            ledger=ledger,
            gateway=self._gateway,
            desk=self._desk,
            board=self._kept.board,
            cancels=self._cancels,
            forgive=lambda: self._desk.books.forgive_drawdown(self._limits, self.ctx.utc_ns()),
            on_resumed=self._resumed,
        )
        self._venue = VenueDesk(
            ctx=self.ctx,
            ledger=ledger,
            gateway=self._gateway,
            desk=self._desk,
            risk=self._risk,
            instruments=self._kept.instruments,
            strategies=tuple(self._strategies.values()),
            compared=self._compared,
            show=self._show,
            halt=self._operator.receive,
        )
        self._held, messages = self._kept.take()
        untold, self._kept.telling = self._kept.telling, self._desk.telling
        self.ctx.hand_back(messages)
        self._show_reconciling()
        self._cancels.recover()
        self._tell_again(untold)
        self._tell_struck()
        self._desk.asking.ask_all()
        if not self._replayed:
            self._desk.executions.recover(ledger)
        self._operator.recover()

    def _show_reconciling(self) -> None:
        """Wait with intents until all is settled, once in an incarnation."""
        count = len(self._desk.orders.unsettled)
        self._reconciled = self._reconciled or not count
        if not self._reconciled:
            self.ctx.show_state(ActorState.RECONCILING, f"{count} orders to settle")
        elif self._stops.problem():  # of the next event it might be too late
            self.ctx.show_state(ActorState.RUNNING)
        self._show()

    def stopping(self) -> None:
        """Wait for the answers under way, record them, close; open orders stay open.

        What still waits until all is settled is the next one's, or becomes dead letters.
        """
        waits = True
        while waits:
            self._gateway.flush(FLUSH_NS)
            waits = False
            for message in self.ctx.rest():
                waits = True
                self.receive(message)
        if self._away is None:
            self._stops.end()
        else:
            self._kept.board.unfinished = self._away.left_undone
        self._give_back()
        self._book.close()

    def crashed(self) -> None:
        """Hand back what waited in here, and let go of the ledger: the next one is its writer.

        Handed back twice is no harm: a decision that was claimed already is a duplicate.
        """
        if not self.ctx.fenced:
            self._give_back()
        if self._ledger is not None:
            self._ledger.close()

    def _give_back(self) -> None:
        self._held, messages = self._kept.take()
        self.ctx.hand_back(messages)

    def inspect(self) -> dict[str, Any]:
        """Give the stops that are kept, what each protects, and the orders that are being ended."""
        if self._ledger is None:
            return {"stops": [], "ending": {}}
        stops, ending = self._stops.shown_to_people(), self._cancels.shown_to_people()
        return {"stops": stops, "ending": ending}

    @property
    def _book(self) -> Ledger:
        assert self._ledger is not None, "opened by started()"
        return self._ledger

    # ------------------------------------------------------------ messages

    def receive(self, message: Any) -> None:
        """Take one message, and with it those that may share its commit and already wait."""
        if self._away is not None:
            self._away.receive(message, self._take)
            return
        try:
            self._take(message)
        except LedgerLost as error:
            waiting = self._held.in_hand = [message, *self._held.in_hand]
            self._away = LedgerAway(
                self.ctx, self._book.answers, error, waiting, replayed=self._replayed
            )

    def _take(self, message: Any) -> None:
        match message:
            case OrderIntent() | CancelIntent() | SubmitDone() | MarketReports() | OrderReport():
                self._group(message)
            case MarketBatch():
                self._market(message)
            case MarketShown():
                self._stops.shown(message)
                self._when_settled()
            case LookupDone():
                self._looked_up(message)
            case Candle() | Trade() | Tick():
                self._mark(message)
                self._look((message,))
                self._gateway.live_market(message)
            case SendAgain():
                self._desk.send_again(message.order_key)
                self._when_settled()
            case CancelAgain():
                self._cancels.again(message.order_key)
                self._when_settled()
            case _ if message == TIDY:
                self._desk.tidying.tidy()
            case _ if message == KEEP_STOPS:
                self._stops.keep_looks()
            case _ if message == ASK_FILLS:
                self._desk.executions.ask()
            case _ if message == ASK_AGAIN:
                self._desk.asking.ask_all()
            case _ if self._venue.receive(message):
                pass
            case _:
                self._operator.receive(message)
                self._when_settled()
                if isinstance(message, EndStop):
                    self._show()

    def _group(self, first: Intent | SubmitDone | MarketReports | OrderReport) -> None:
        """Work off what one drain gives: what the venue said, then what was decided."""
        in_hand = self.ctx.drain(GROUPED, GROUP_LIMIT - 1)
        if not self._kept.hold(self._held, first, in_hand):
            self.ctx.hand_on(in_hand)
            return
        intents: list[Intent] = []
        reports: list[OrderReport] = []
        for message in (first, *in_hand):
            if isinstance(message, OrderIntent | CancelIntent):
                intents.append(message)
            elif isinstance(message, SubmitDone):
                reports.extend(self._reported(message))
            elif isinstance(message, OrderReport):
                reports.append(message)
            else:
                reports.extend(message.reports)
        if intents and not self._reconciled:
            self._held.stash.extend(intents)
            intents = []
        self._work(reports, intents)
        self._held.first, self._held.in_hand = None, []
        self._when_settled()

    def _reported(self, done: SubmitDone) -> Sequence[OrderReport]:
        """Leave out a failure to send from before a restart.

        The order may have been sent again since; and it is being asked for anyway.
        """
        void = done.epoch != self.ctx.epoch and done.report.state is OrderState.NOT_SENT
        return () if void else (done.report,)

    # ------------------------------------------------------------ deciding

    def _work(self, reports: Sequence[OrderReport], intents: Sequence[Intent]) -> None:
        moves = self._desk.orders.moves(reports, self.ctx.utc_ns())
        orders = [intent for intent in intents if isinstance(intent, OrderIntent)]
        verdicts = self._judge.judge(orders) if orders else []
        claims = [claim_of(v) for v in verdicts if isinstance(v, _WRITTEN)]
        self._cancels.recording(claims)
        stops_before = bool(self._stops.book.stops)
        self._desk.commit(moves, claims)
        self._cancels.judged([one.intent for one in claims if one.intent.replaces is not None])
        if moves:
            self.ctx.progress()
            if stops_before:
                self._show()  # an exit may have failed, or done what one before it did not
        if reports and self._operator.halted:
            self._operator.reported(reports)
        for verdict in verdicts:
            if isinstance(verdict, Duplicate):
                self._tell_duplicate(verdict)
            elif isinstance(verdict, Resend):
                self._desk.send_again(verdict.intent.order_key)
        self._change(intents, verdicts)

    def _change(self, intents: Sequence[Intent], verdicts: Sequence[Verdict]) -> None:
        """Begin to end what is to end, in the order in which it was decided."""
        first = {id(verdict.intent): verdict for verdict in verdicts if type(verdict) is EndFirst}
        if not first and len(verdicts) == len(intents):
            return
        for intent in intents:
            if isinstance(intent, CancelIntent):
                self._cancels.cancel(intent)
            elif id(intent) in first:
                self._cancels.end_first(first[id(intent)])

    # ------------------------------------------------------------ settling

    def _looked_up(self, answer: LookupDone) -> None:
        self._desk.asking.looked_up(answer)
        self._operator.looked_up(answer)
        self._cancels.looked_up(answer)
        self.ctx.progress()
        self._when_settled()
        self._show()

    def _when_settled(self) -> None:
        """Once all is settled, by whatever message: take the intents that waited.

        While trading is halted they are taken, to be refused each under its key. What is to take
        another order's place is older than they are. What the cell shows decides nothing here: it
        may be what one that was abandoned has shown last.
        """
        if self.ctx.fenced or self._away is not None:
            return
        self._reconciled = self._reconciled or not self._desk.orders.unsettled
        if self._reconciled:
            if self._cell.state is ActorState.RECONCILING:
                self.ctx.show_state(ActorState.RUNNING)
                self._show()
            self._replace()
            self._work_off_stash()
        if self._operator.halted:
            self._cancels.halted(self._desk.halt_reason)
        if self._reconciled or self._operator.halted:
            self._replace()
        if self._later and not self._cancels.waits:
            later, self._later = self._later, []
            for batch in later:
                self._market(batch)
        if self._reconciled:
            self._stops.go_on(self._acknowledge)
        elif self._operator.halted:
            self._work_off_stash()

    def _replace(self) -> None:
        """Judge again what takes the place of orders that have ended."""
        while ready := self._cancels.ready():
            self._work((), ready)
            self._cancels.judged(ready)

    def _resumed(self) -> None:
        """A person ended a halt."""
        self.ctx.show_state(ActorState.RUNNING)
        self._show_reconciling()
        self._show()

    def _work_off_stash(self) -> None:
        if self._held.stash:
            self._work((), self._held.stash)
            self._held.stash = []

    # ------------------------------------------------------------ the market

    def _market(self, batch: MarketBatch) -> None:
        """Mark prices and show the venue what is new; the gateway says when it is done.

        A market that waits for us waits for what is to end too: how long that takes is chance.
        """
        if self._replayed and (self._cancels.waits or any(map(_changes, self._held.stash))):
            self._later.append(batch)
            return
        latest = dict(zip(map(_SYMBOL, batch.events), batch.events, strict=True))
        for event in latest.values():
            self._mark(event)
        if self._steps:
            self._stops.show_later(batch)
            self._gateway.market(batch, self._stops.tell_shown(batch.feed))
        else:
            if not batch.is_history:
                self._look(batch.events)
            self._gateway.market(batch, partial(self._acknowledge_to, batch.feed))
        self.ctx.progress()

    def _acknowledge_to(self, feed: ActorPath, next_index: int) -> None:
        """Tell a feed how far the venue has come; on any thread."""
        address = self._feeds.get(feed)
        if address is not None:
            address.tell(MarketAck(follower=self.ctx.path, next_index=next_index))

    def _acknowledge(self, batch: MarketBatch, next_index: int, *, sent: bool) -> None:
        """Go on to the next event: with exits under way, once the venue has had them."""
        if sent:
            self._gateway.market(batch, partial(self._acknowledge_to, batch.feed))
        else:
            self._acknowledge_to(batch.feed, next_index)

    def _look(self, events: Sequence[MarketEvent]) -> None:
        """Let stops act on what is new, once it is known what there is of it to protect.

        One symbol whose orders cannot be settled, for it is delisted perhaps, leaves the others
        protected. Not while the ledger is away: nothing could be claimed, and the next incarnation
        looks.
        """
        if self._away is not None:
            return
        if not self._reconciled:
            unsettled = self._desk.orders.unsettled_symbols()
            events = [event for event in events if event.symbol not in unsettled]
        if self._stops.look(events):
            self._show()

    def _mark(self, event: MarketEvent) -> None:
        price = price_of(event)
        self._judge.saw(event.symbol, price, event.ts_event_ns)
        self._metrics.tell(
            PriceMark(symbol=event.symbol, price=price, ts_event_ns=event.ts_event_ns)
        )

    def _show(self) -> None:
        """Let health say what is wrong with the venue; a halt has a reason of its own."""
        if self.ctx.fenced:
            return
        self._kept.board.stuck_stops = self._stops.stuck()
        if self._cell.state is ActorState.RUNNING:
            more = self._desk.difference or self._stops.problem() or self._cancels.problem()
            self._cell.problem = self._venue.text(more)
        elif self._cell.state is ActorState.RECONCILING:
            count = len(self._desk.orders.unsettled)
            self._cell.problem = self._venue.text(f"{count} orders to settle")

    # ------------------------------------------------------------ telling

    def _tell_claimed(self, claim: Claim, durable_ns: TimestampNs) -> None:
        self._stages.claimed(claim, self._desk.durable_ns)
        update = claimed_update(claim, durable_ns)
        self.ctx.tell(self._metrics, update)
        if claim.refused:
            self._tell_strategy(update)
        else:
            self._stops.claimed(claim.intent, claim.decided_quantity)

    def _tell_moved(self, entry: LedgerEntry, fills: Sequence[Fill], late: bool) -> None:
        self._operator.saw(entry)
        self._cancels.saw(entry)
        if not late:
            self._stages.moved(entry)
        update = update_of(entry, fills, self.ctx.utc_ns(), late=late)
        self.ctx.tell(self._metrics, update)
        self._tell_strategy(update)

    def _tell_again(self, keys: Collection[OrderKey]) -> None:
        """Tell of the last step of orders which an incarnation may not have survived to tell of.

        A strategy that manages its orders would believe in what has ended for ever.
        """
        for key, entry in self._book.lookup(list(keys)).items():
            self._tell_strategy(update_of(entry, self._book.fills_of(key), self.ctx.utc_ns()))

    def _tell_struck(self) -> None:
        """Tell that nothing comes of the decision that brought an incarnation down.

        It is not taken again, and is a dead letter, unless it was durable already.
        """
        intent, self._kept.struck_by = self._kept.struck_by, None
        if not isinstance(intent, OrderIntent) or self._cancels.has(intent.order_key):
            return
        if intent.order_key not in self._book.lookup([intent.order_key]):
            self._tell_strategy(struck_update(intent, self.ctx.utc_ns()))

    def _tell_strategy(self, update: OrderUpdate) -> None:
        strategy = self._strategies.get(update.strategy_id)
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
        entry = verdict.entry
        if isinstance(entry, LedgerEntry) and entry.state is OrderState.REFUSED:
            # Who is shown a market again decides again, and hears again what was not allowed.
            self._tell_strategy(update_of(entry, (), self.ctx.utc_ns()))


def _changes(intent: Intent) -> bool:
    """Whether it ends an order, by itself or to take its place."""
    return isinstance(intent, CancelIntent) or intent.replaces is not None
