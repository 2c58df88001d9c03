"""Exits that strategies decide by themselves: what waits of them, what follows, and what failed.

What is done about it is `decisions.exit_book`. One desk belongs to one incarnation and is used on
its thread; its book outlives it. On a market that is shown again there is nothing of it: a position
is of decisions alone there, so that it comes out the same each time.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

import msgspec

from actors.context import Context
from actors.executor_kept import ExecutorKept
from actors.log import logger
from actors.noted_exits import NotedExits
from decisions.executor import Claim, Refuse, Verdict, Wait
from decisions.failed_exits import Short
from decisions.order_like import NamedOrder
from decisions.risk import Refusal, RiskState
from decisions.risk_exit import NOTHING_HELD
from decisions.risk_state import entering, free_to_leave
from decisions.stop_book import StopBook
from decisions.unfinished_exits import Following
from messages.errors import ActorUnavailable, LedgerUnavailable
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategyId, StrategySymbol, Symbol
from messages.lifecycle import TimerFired
from messages.orders import OrderIntent
from messages.values import Side
from persistence.entries import NO_NOTES
from persistence.ledger import Ledger, LedgerEntry

GO_ON = TimerFired(name="go on with exits")
_ENDED = Refusal(
    code=NOTHING_HELD, text="the run ended before it was known that its entry has filled"
)


class ExitDesk:
    """`decide` judges, and claims and sends or records why not, before it returns.

    `managed`: the strategies that manage their orders. `show` lets health say what has changed.
    `keep` writes what `taken_notes` gives, in a commit of its own.
    """

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        risk: RiskState,
        kept: ExecutorKept,
        managed: Collection[StrategyId],
        stops: StopBook,
        decide: Callable[[Sequence[OrderIntent]], None],
        show: Callable[[], None],
        keep: Callable[[], object],
    ) -> None:
        self._ctx, self._risk, self._book = ctx, risk, kept.exits
        self._instruments, self._seen = kept.instruments, kept.seen
        self._managed, self._stops = frozenset(managed), stops
        self._decide, self._show, self._keep = decide, show, keep
        self._said: dict[StrategySymbol, Short] = {}
        self._ends = False
        self._is_live = risk.open_orders is not None
        self._noted = NotedExits(ctx, ledger, self._book)
        if self._is_live:
            if not self._book.has_begun:
                self._begin(ledger)
            known = ledger.lookup(self._book.named)
            if not ctx.fenced:  # else the book is its successor's, and the answer is of before
                self._book.recover(known)

    def _begin(self, ledger: Ledger) -> None:
        others = [one for one in ledger.open_entries() if not self._is_anothers(one)]
        left = self._noted.of_an_earlier_process()
        if self._ctx.fenced:
            return
        self._book.begin(others, self._risk.held_by, left.waiting)
        for waiting in left.waiting:
            logger.bind(actor=self._ctx.path, order_key=waiting.order_key).warning(
                "the exit {} of {} {} by {} waited for its entry when its process ended: it is"
                " refused, and its strategy begins with what it holds, and decides anew",
                waiting.order_key,
                f"{waiting.leaves.normalize():f}",
                waiting.symbol,
                waiting.strategy_id,
            )
        held = dict(self._risk.held_by)
        for following in left.following:
            self._tell_unfinished(following, held)

    def _tell_unfinished(self, left: Following, held: dict[StrategySymbol, Decimal]) -> None:
        """Tell what is held of it, and take that from `held`: of two exits it is the first's."""
        place = left.strategy_id, left.symbol
        there = held.get(place, NOTHING)
        quantity = min(_against(left.side, there), left.quantity)
        if quantity > NOTHING:
            held[place] = EXACT.add(there, left.side.signed(quantity))
            logger.bind(actor=self._ctx.path, order_key=left.order_key).warning(
                "{} of {} was to follow the exit {} of {} when its process ended: that is in its"
                " strategy's position again, which decides anew",
                f"{quantity.normalize():f}",
                left.symbol,
                left.order_key,
                left.strategy_id,
            )

    def taken(self, verdicts: list[Verdict]) -> list[Verdict]:
        """Take in what is about to be written; give it, with a refusal for what cannot wait."""
        has_exits = self._is_live and any(verdict.intent.leaves for verdict in verdicts)
        if not has_exits or self._ctx.fenced:
            return verdicts
        return [self._taken(verdict) for verdict in verdicts]

    def _taken(self, verdict: Verdict) -> Verdict:
        intent = verdict.intent
        is_here = intent.leaves and (self._is_left(intent) or not self._is_anothers(intent))
        if isinstance(verdict, Wait):
            if is_here and not self._ends:
                self._wait(verdict)
                return verdict
            why = verdict.refusal
            verdict = Refuse(intent=intent, fingerprint=verdict.fingerprint, refusal=why)
        if is_here and isinstance(verdict, Claim):
            self._book.claimed(intent, verdict.rest, verdict.before)
        elif is_here and isinstance(verdict, Refuse):
            may_be_held = verdict.refusal is _ENDED or bool(self._entering(intent))
            self._book.refused(intent, verdict.refusal, may_be_held=may_be_held)
        elif isinstance(verdict, Claim) and intent.order_key in self._stops.entry_of:
            self._stopped(verdict)
        return verdict

    def _stopped(self, verdict: Claim) -> None:
        intent, told = verdict.intent, self._stops.told
        place = intent.strategy_id, intent.symbol
        still = _against(intent.side, self._risk.held_by.get(place, NOTHING))
        if verdict.decided_quantity is not None:  # its own further parts leave that, or a fee has
            still = EXACT.subtract(still, EXACT.subtract(verdict.decided_quantity, intent.quantity))
        untold = told.untold(intent, verdict.decided_quantity)
        self._book.stopped(intent, verdict.before, still, untold, told.spoken_for_at(place))

    def _entering(self, intent: OrderIntent) -> dict[OrderKey, Decimal]:
        return entering(intent.strategy_id, intent.symbol, intent.side, self._risk)

    def has(self, key: OrderKey) -> bool:
        """Whether a decision waits until its entry has filled."""
        return key in self._book.waiting.exits

    def why_not(self, intent: OrderIntent) -> Refusal | None:
        """Say why an exit that waits is not to be sent yet, or no more."""
        why = self._book.why_not(intent, self._instruments, self._seen)
        return why or (_ENDED if self._ends and self.has(intent.order_key) else None)

    def bought_before(self, key: OrderKey) -> Decimal | None:
        """Give what there is for an exit that has waited, or follows another; None of others."""
        return self._book.bought_before(key)

    def _is_left(self, intent: OrderIntent) -> bool:
        """Whether it is of an earlier process, where its strategy may have managed nothing."""
        return self._book.waiting.is_inherited(intent.order_key)

    def _is_anothers(self, exit_: NamedOrder) -> bool:
        return exit_.strategy_id in self._managed or exit_.order_key in self._stops.entry_of

    def _wait(self, verdict: Wait) -> None:
        intent = verdict.intent
        if intent.order_key not in self._book.waiting.exits:
            logger.bind(actor=self._ctx.path, order_key=intent.order_key).info(
                "an exit of {} {} for {} waits until something of its entry has filled",
                f"{intent.leaves.normalize():f}",
                intent.symbol,
                intent.strategy_id,
            )
        self._book.wait(intent, verdict.before)
        self._stops.decided_last.waits(intent)

    def later(self) -> None:
        """Go on with what an incarnation has left to do, though nothing may be open any more."""
        if self._is_live and (self._book.rows() or self._noted.differs):
            self._ctx.after(0, GO_ON)

    def saw(self, entry: LedgerEntry) -> None:
        """Follow a step of an order."""
        if self._is_live and not self._ctx.fenced:
            self._book.moved(entry)

    def go_on(self, *, halted: bool) -> None:
        """Judge what waited and what follows now. Under a halt it is refused, as all that goes on.

        Once all is settled: what became of entries and exits is known then.
        """
        if not self._is_live or self._ctx.fenced:
            return
        if not self._book.is_idle or self._said:
            self._judge_what_is_ready(halted=halted)
        self.keep()

    def _judge_what_is_ready(self, *, halted: bool) -> None:
        now_ns = self._ctx.utc_ns()
        for intent in self._book.waiting.ready(all_of_them=halted):
            self._decide_now([intent])  # one by one: what it takes is there for no later one
            if self._ctx.fenced:
                return
        for intent in self._book.due(self._instruments, self._seen, now_ns):
            self._decide([intent])
            if self._ctx.fenced:
                return  # what is due next is its successor's
        if self._book.failed.short or self._said:
            self._say()

    def _decide_now(self, waiting: Sequence[OrderIntent]) -> None:
        """Judge what has waited, which does not age it."""
        now_ns = self._ctx.utc_ns()
        self._decide([msgspec.structs.replace(one, ts_created_ns=now_ns) for one in waiting])

    # ------------------------------------------------------------ for the next process

    def taken_notes(self) -> Mapping[str, str]:
        """See `Noting`."""
        return self._noted.taken() if self._is_live else NO_NOTES

    def notes_failed(self) -> None:
        """See `Noting`."""
        self._noted.failed()

    def keep(self) -> None:
        """See to it that what exits have still to do is noted, where no commit has done so."""
        if self._is_live and not self._ctx.fenced and self._noted.differs:
            self._keep()

    def end(self) -> None:
        """Refuse what waits still, in an orderly end: each decision ends in the ledger.

        What was to follow an exit is not refused, also where it waits already: the next process
        tells of it. After a kill the next process refuses what waited, too. In both cases its
        strategies begin with what they hold and may yet hold, and decide anew.
        """
        self._ends = True
        if not self._is_live:
            return
        self._book.take_back()
        waiting = list(self._book.waiting.exits.values())
        try:
            if waiting:
                self._decide_now(waiting)
            self.keep()
        except (LedgerUnavailable, ActorUnavailable) as error:
            log = logger.bind(actor=self._ctx.path)
            log.warning("{} exits that waited may have no row yet: {}", len(waiting), error)

    def _say(self) -> None:
        before, self._said = self._said, dict(self._still_held())
        if before == self._said:
            return
        self._show()
        for place, short in self._said.items():
            if place not in before or before[place].key != short.key:
                log = logger.bind(actor=self._ctx.path, order_key=short.key)
                log.warning("{}", _sentence(place, short))

    def problem(self) -> str:
        """Say what strategies count as left and hold; empty when nothing."""
        found = [_sentence(place, short) for place, short in self._still_held()]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return f"{found[0]}{more}" if found else ""

    def _still_held(self) -> list[tuple[StrategySymbol, Short]]:
        return self._book.failed.still_held(self._free, self._is_flat)

    def _free(self, strategy_id: StrategyId, symbol: Symbol, side: Side) -> Decimal:
        """Give what is held at no stop: what one protects, it leaves."""
        free = free_to_leave(strategy_id, symbol, side, self._risk)
        return EXACT.subtract(free, self._stops.cover.protects((strategy_id, symbol)))

    def _is_flat(self, place: StrategySymbol) -> bool:
        return not self._risk.held_by.get(place)

    def rows(self) -> list[dict[str, object]]:
        """Give what waits and what is to follow, for a person."""
        return self._book.rows()


def _against(side: Side, held: Decimal) -> Decimal:
    """Give what an order of that side would leave of a position."""
    return EXACT.multiply(held, Decimal(-side.sign))


def _sentence(place: StrategySymbol, short: Short) -> str:
    strategy_id, symbol = place
    return (
        f"{strategy_id} counts as left and holds {short.quantity.normalize():f} {symbol}: its exit"
        f" {short.key} was {short.why}; sell it by hand, or start the run again, and it is in the"
        f" strategy's position: look at it with `watchkeeper explain {short.key}`"
    )
