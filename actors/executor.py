"""The shell that turns intents into orders: look up, judge, claim, hand over.

It owns the only connection to the ledger. Whatever waits is taken together: reports and
intents of one drain share one commit, in which each new order is CLAIMED and SENT. The venue
is called by the gateway, off this thread; answers come back as messages.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from actors.account_desk import AccountSettings, AccountView
from actors.actor import Actor
from actors.address import Address
from actors.asking import ASK_AGAIN
from actors.executions import ASK_FILLS
from actors.executor_desks import ExecutorDesks, Surroundings
from actors.executor_kept import GROUP_LIMIT, ExecutorKept, Held
from actors.exit_desk import GO_ON
from actors.gateway import Gateway
from actors.judgement import claim_of
from actors.ledger_away import LedgerAway
from actors.log import logger
from actors.stop_desk import KEEP_STOPS
from actors.telling import ToMetrics, ToStrategy
from actors.tidying import TIDY
from decisions.executor import Claim as ToClaim
from decisions.executor import Duplicate, EndFirst, Refuse, Resend, Verdict, bears_on_risk
from decisions.risk import RiskLimits
from messages.errors import LedgerFenced, LedgerLost, LedgerUnavailable
from messages.halting import EndStop
from messages.ids import NS_PER_S, ActorPath, OrderKey, StrategyId, Symbol
from messages.market import Candle, MarketAck, MarketBatch, Tick, Trade
from messages.orders import (
    CancelAgain,
    CancelIntent,
    Intent,
    LookupDone,
    MarketReports,
    OrderIntent,
    OrderReport,
    SendAgain,
    SubmitDone,
)
from messages.stops import MarketShown
from messages.values import OrderState
from persistence.ledger import Ledger

__all__ = ["WORKER", "ExecutorActor", "ExecutorKept"]

GROUPED = (OrderIntent, CancelIntent, SubmitDone, MarketReports, OrderReport)

WORKER = "gateway"
"""The name of the worker that the gateway's jobs run on."""

FLUSH_NS = 5 * NS_PER_S

_WRITTEN = (ToClaim, Refuse)
"""Verdicts that the ledger keeps."""


class ExecutorActor(Actor):
    """`open_ledger` is called in the actor's thread, by each incarnation.

    `max_decision_age_ns` is None where the market's clock is not the wall's: in a replay a
    decision does not age while it waits. `steps_with_market`: the feed shows an event to nobody
    else before it is acknowledged here, so that stops act at the same event each time. `managed`:
    the strategies that manage their orders. `traded`: what those of this config trade; empty where
    a position of any other is no money.
    """

    def __init__(
        self,
        *,
        open_ledger: Callable[[], Ledger],
        gateway: Gateway,
        limits: RiskLimits,
        max_decision_age_ns: int | None,
        kept: ExecutorKept,
        metrics: ToMetrics,
        strategies: Mapping[StrategyId, ToStrategy],
        feeds: Mapping[ActorPath, Address[MarketAck]],
        account: tuple[AccountSettings, AccountView] | None = None,
        steps_with_market: bool = False,
        managed: Collection[StrategyId] = (),
        traded: Collection[tuple[StrategyId, Symbol]] = (),
    ) -> None:
        super().__init__()
        self._open_ledger = open_ledger
        self._around = Surroundings(
            gateway=gateway,
            limits=limits,
            max_age_ns=max_decision_age_ns,
            kept=kept,
            metrics=metrics,
            strategies=strategies,
            feeds=feeds,
            compared=account,
            steps=steps_with_market and max_decision_age_ns is None,
            managed=frozenset(managed),
            traded=frozenset(traded),
        )
        self._gateway, self._kept = gateway, kept
        self._replayed = self._around.replayed
        self._held = Held()
        self._ledger: Ledger | None = None
        self._away: LedgerAway | None = None
        self._unkept = ""
        """Why what can wait was not written, as it was said last."""

    # ------------------------------------------------------------ beginning and end

    def started(self) -> None:
        """Fence older incarnations, read the ledger, ask the venue about all that is open."""
        self._gateway.take_over(self.ctx.epoch)
        self._ledger = ledger = self._open_ledger()
        if self.ctx.fenced:
            return  # it took too long: all that is kept is its successor's
        self._use(
            ExecutorDesks(
                self.ctx,
                ledger,
                self._around,
                decide=lambda intents: self._work((), intents),
                is_away=lambda: self._away is not None,
            )
        )
        self._held, messages = self._kept.take(self.ctx)
        self._desk.telling |= self._kept.telling  # until they are told: this start may fail
        if not self.ctx.fenced:
            self._kept.telling = self._desk.telling
        self.ctx.hand_on(messages)
        self._settling.begin(self._held)
        self._cancels.recover()
        self._tell_left()
        self._desk.asking.ask_all()
        if not self._replayed:
            self._desk.executions.recover(ledger)
        self._operator.recover()
        self._exits.later()
        self._desk.tidying.later()

    def _tell_left(self) -> None:
        """Tell what the previous incarnation left untold; finish the cancel that brought it down.

        A cancel is no risk, unlike any other decision. Until here a start may fail: nothing of it
        is forgotten before.
        """
        self._telling.again(self._desk.telling)
        struck = self._kept.struck_by
        if isinstance(struck, CancelIntent):
            self._cancels.struck(struck)
        elif isinstance(struck, OrderIntent) and not self._waits(struck.order_key):
            self._telling.struck(struck)
        if not self.ctx.fenced:
            self._desk.telling.clear()
            self._kept.struck_by = None

    def _waits(self, key: OrderKey) -> bool:
        return self._replacements.has(key) or self._exits.has(key)

    def _use(self, desks: ExecutorDesks) -> None:
        self._desk, self._judge = desks.orders, desks.judge
        self._stops, self._cancels, self._operator = desks.stops, desks.cancels, desks.operator
        self._exits, self._replacements = desks.exits, desks.replacements
        self._settling, self._market, self._venue = desks.settling, desks.market, desks.venue
        self._telling, self._health = desks.telling, desks.health

    def stopping(self) -> None:
        """Wait for the answers under way, record them, close; open orders stay open.

        What still waits for all to be settled goes to the next one, or becomes dead letters.
        """
        waits = True
        while waits:
            self._gateway.flush(FLUSH_NS)
            waits = False
            for message in self.ctx.rest():
                waits = True
                self.receive(message)
        if self._away is None:
            self._exits.end()
            self._stops.end()
            self._desk.books.end()
        else:
            self._kept.board.unfinished = self._away.left_undone
        self._give_back()
        self._book.close()

    def crashed(self) -> None:
        """Hand back what waited in here, and let go of the ledger: the next one is its writer.

        Handing back twice does no harm: a decision that was claimed already is a duplicate.
        """
        if not self.ctx.fenced:
            self._give_back()
        if self._ledger is not None:
            self._ledger.close()

    def _give_back(self) -> None:
        self._held, messages = self._kept.take(self.ctx)
        self.ctx.hand_on(messages)

    def inspect(self) -> dict[str, Any]:
        """Give the stops that are kept, what each protects, and the orders that are being ended."""
        if self._ledger is None:
            return {"stops": [], "ending": {}, "leaving": []}
        stops, ending = self._stops.shown_to_people.rows(), self._cancels.shown_to_people()
        return {"stops": stops, "ending": ending, "leaving": self._exits.rows()}

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
                self._market.batch(message)
            case MarketShown():
                self._stops.shown(message)
                self._when_settled()
            case LookupDone():
                self._looked_up(message)
            case Candle() | Trade() | Tick():
                self._market.live(message)
            case SendAgain():
                self._desk.send_again(message.order_key)
                self._when_settled()
            case CancelAgain():
                self._cancels.again(message.order_key)
                self._when_settled()
            case _ if message == TIDY:
                self._desk.tidying.tidy()
            case _ if message == GO_ON:
                self._when_settled()
            case _ if message == KEEP_STOPS:
                self._keep_course()
                if self._desk.look_at_ledger():
                    self._health.show()
            case _ if message == ASK_FILLS:
                self._desk.executions.ask()
            case _ if message == ASK_AGAIN:
                self._desk.asking.ask_all()
                self._health.show()
            case _:
                self._take_other(message)

    def _keep_course(self) -> None:
        """Write what can wait: of a disk that refuses it the next commit says if it is serious."""
        try:
            self._stops.keep_looks()
            self._desk.books.keep_marks()
            self._unkept = ""
        except (LedgerLost, LedgerFenced):
            raise
        except LedgerUnavailable as error:
            if str(error) != self._unkept:
                self._unkept = str(error)
                text = "what the market has shown since the last order was not kept: {}"
                logger.bind(actor=self.ctx.path).warning(text, error)

    def _take_other(self, message: Any) -> None:
        """Leave it to the venue's desk, or to the operator's."""
        if self._venue.receive(message):
            return
        self._operator.receive(message)
        self._when_settled()
        if isinstance(message, EndStop):
            self._health.show()

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
        if intents and not self._settling.reconciled:
            self._settling.wait(intents)
            intents = []
        # Counted before anything is decided by it; a recording, whose executor sees prices before
        # the decisions on them, keeps the order that a backtest has.
        if intents and not self._replayed and any(map(bears_on_risk, reports)):
            self._work(reports, [])
            reports = []
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
        verdicts = self._exits.taken(self._judge.judge(orders)) if orders else []
        claims = [claim_of(v, self._gateway.name_of) for v in verdicts if isinstance(v, _WRITTEN)]
        self._replacements.recording(claims)
        may_be_over = bool(self._stops.book.stops or self._desk.difference)
        self._desk.commit(moves, claims)
        self._exits.keep()
        self._desk.orders.ended(reports)
        self._replacements.judged([one.intent for one in claims if one.intent.replaces is not None])
        if moves:
            self.ctx.progress()
            if may_be_over:  # an exit may have failed, or done what one before it did not
                self._health.show()
        if reports and self._operator.halted:
            self._operator.reported(reports)
        for verdict in verdicts:
            if isinstance(verdict, Duplicate):
                self._telling.duplicate(verdict)
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
        self._health.show()

    def _when_settled(self) -> None:
        """Once all is settled, by whatever message: go on with what waited, the oldest first."""
        if self.ctx.fenced or self._away is not None:
            return
        self._settling.go_on()
        self._market.go_on()
        if self._settling.reconciled or self._operator.halted:
            self._exits.go_on(halted=self._operator.halted)
        if self._settling.reconciled:
            self._stops.go_on(self._market.acknowledge)
        elif self._operator.halted:
            self._settling.work_off()
