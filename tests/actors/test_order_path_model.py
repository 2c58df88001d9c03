"""The executor on a ledger file against a venue that loses answers, disks that fail, and deaths.

The venue of the model knows what reached it. Answers come in any order and as late as they
like; the one promise kept to the executor is the gateway's: a question is answered only once
the sends before it have arrived or never will.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from actors.executor import ExecutorActor
from decisions.risk import RiskLimits
from messages.errors import LedgerUnavailable
from messages.ids import OrderKey
from messages.lifecycle import InjectCrash
from messages.order_states import FINAL_STATES
from messages.orders import LookupDone, OrderReport, SendAgain, SubmitDone
from messages.values import OrderState as S
from messages.values import Side
from persistence.ledger import SqliteLedger
from tests.actors.order_path import Asked, OnSteps, OnThreads, OrderPath, fill, key_of

STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))
NUMBERS = range(4)
ANY = st.integers(0, 11)
"""Which of those that there are; as many kinds of draw as Hypothesis likes to repeat and shrink."""
WORKING = (S.ACCEPTED, S.PARTIALLY_FILLED)
AMOUNT = {S.PARTIALLY_FILLED: Decimal("0.5"), S.FILLED: Decimal(1)}


def one_of(there: Sequence[Any], which: int) -> Any:
    return there[which % len(there)]


class FailingLedger(SqliteLedger):
    """Fails where the test says: before it has written, or when all is on disk."""

    fails: str = ""

    def _commit(self, writes: Sequence[Any]) -> None:
        when, FailingLedger.fails = FailingLedger.fails, ""
        if when == "before":
            raise LedgerUnavailable("before")
        super()._commit(writes)
        if when == "after":
            raise LedgerUnavailable("after")


class OrderPathMachine(RuleBasedStateMachine):
    path_class: type[OrderPath] = OnSteps

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        FailingLedger.fails = ""
        self.desk = self.path_class(
            self.folder,
            limits=RiskLimits(max_daily_loss={"USDT": Decimal(10**9)}),
            open_ledger=lambda: FailingLedger(self.folder / "ledger.db"),
        ).start()
        self.arrived: Counter[OrderKey] = Counter()
        self.state: dict[OrderKey, S] = {}
        self.over: set[int] = set()
        """Sends, by their place, that have arrived or never will."""
        self.looked: set[int] = set()
        self.mail: list[SubmitDone | LookupDone | OrderReport] = []

    def teardown(self) -> None:
        self.desk.stop()
        shutil.rmtree(self.folder)

    # ------------------------------------------------------------ what is decided

    @initialize(numbers=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3))
    def begin(self, numbers: list[int]) -> None:
        self.decide(numbers)

    @rule(numbers=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3))
    def decide(self, numbers: list[int]) -> None:
        self.tell(*(self.intent(number) for number in numbers))

    def intent(self, number: int) -> Any:
        side = Side.SELL if number % 2 else Side.BUY
        return self.desk.intent(number, side, decided_at_ns=1, ts_created_ns=1)

    # ------------------------------------------------------------ the venue

    @precondition(lambda self: self.pending())
    @rule(which=ANY, arrives=st.booleans(), answer=st.sampled_from(["told", "lost", "never"]))
    def send_ends(self, which: int, arrives: bool, answer: str) -> None:
        place = one_of(self.pending(), which)
        call = self.desk.gateway.sent[place]
        self.over.add(place)
        if call.epoch != self.desk.gateway._epoch and not arrives:
            return  # fenced: dropped without a word
        if arrives:
            self.arrived[call.key] += 1
            self.state[call.key] = S.ACCEPTED
        told = S.ACCEPTED if arrives else S.NOT_SENT
        state = told if answer == "told" else S.UNKNOWN
        if answer != "never":
            report = self.desk.report(self.number(call.key), state)
            self.mail.append(SubmitDone(order_key=call.key, epoch=call.epoch, report=report))

    def pending(self) -> list[int]:
        return [place for place in range(len(self.desk.gateway.sent)) if place not in self.over]

    @precondition(lambda self: len(self.looked) < len(self.desk.gateway.asked))
    @rule(which=ANY, fails=st.booleans())
    def look(self, which: int, fails: bool) -> None:
        asked = self.desk.gateway.asked
        place = one_of([place for place in range(len(asked)) if place not in self.looked], which)
        self.looked.add(place)
        call = asked[place]
        under_way = any(self.desk.gateway.sent[p].key == call.key for p in self.pending())
        problem = "no answer" if fails or under_way else ""
        report = self.report_of(call) if not problem else None
        self.mail.append(self.desk.answer(call, report, problem))

    def report_of(self, call: Asked) -> OrderReport | None:
        state = self.state.get(call.key)
        return None if state is None else self.report(call.key, state)

    def report(self, key: OrderKey, state: S) -> OrderReport:
        number, filled = self.number(key), AMOUNT.get(state, Decimal(0))
        fills = [fill(f"{number}-{part}", "0.5") for part in range(int(filled * 2))]
        return self.desk.report(number, state, str(filled), tuple(fills))

    @precondition(lambda self: any(state in WORKING for state in self.state.values()))
    @rule(which=ANY, to=st.sampled_from([S.PARTIALLY_FILLED, S.FILLED]), bare=st.booleans())
    def market_moves(self, which: int, to: S, bare: bool) -> None:
        key = one_of(sorted(key for key in self.state if self.state[key] in WORKING), which)
        self.state[key] = to
        report = self.report(key, to)
        if bare:  # the trades are told of apart
            self.mail.append(msgspec.structs.replace(report, fills=()))
        self.mail.append(report)

    @precondition(lambda self: self.mail)
    @rule(which=st.lists(ANY, min_size=1, max_size=4))
    def deliver(self, which: list[int]) -> None:
        self.tell(*(self.next_mail(one) for one in which[: len(self.mail)]))

    def next_mail(self, which: int) -> Any:
        """A stream's in its order, and answers of one order in theirs."""
        names = [self.name_of(message) for message in self.mail]
        return self.mail.pop(names.index(one_of(sorted(set(names)), which)))

    def name_of(self, message: Any) -> str:
        is_report = isinstance(message, OrderReport)
        return message.client_order_id if is_report else message.order_key  # type: ignore[no-any-return]  # of any message

    @precondition(lambda self: self.mail or len(self.looked) < len(self.desk.gateway.asked))
    @rule()
    def the_venue_answers_everything(self) -> None:
        """What never settles would hide what may only happen once all is settled."""
        while self.mail:
            self.tell(self.mail.pop(0))
        asked = self.desk.gateway.asked
        for place in [place for place in range(len(asked)) if place not in self.looked]:
            self.looked.add(place)
            call = asked[place]
            if any(self.desk.gateway.sent[at].key == call.key for at in self.pending()):
                self.tell(self.desk.answer(call, None, "no answer"))
            else:
                self.tell(self.desk.answer(call, self.report_of(call)))

    # ------------------------------------------------------------ what goes wrong

    @rule(blow=st.sampled_from(["fails before", "fails after", "hang", "crash"]))
    def something_breaks(self, blow: str) -> None:
        """One rule, so that it comes no more often than each other thing."""
        if blow == "hang":
            self.desk.start()
        elif blow == "crash":
            self.tell(InjectCrash(reason="test"))
        else:
            FailingLedger.fails = blow.removeprefix("fails ")

    @rule(seconds=st.sampled_from([0.1, 1.5, 6, 20]))
    def time_passes(self, seconds: float) -> None:
        self.desk.after(seconds)
        self.revive()

    def tell(self, *messages: Any) -> None:
        self.desk.tell(*messages)
        self.revive()

    def revive(self) -> None:
        for _ in range(5):
            life = self.desk.cell.life
            assert life is not None
            if not life.gone.is_set():
                return
            FailingLedger.fails = ""
            self.desk.start()
        raise AssertionError(f"it does not live: {self.desk.cell.last_error}")

    # ------------------------------------------------------------ what must hold

    @invariant()
    def never_two(self) -> None:
        assert max(self.arrived.values(), default=0) <= 1, self.arrived

    @invariant()
    def memory_is_the_disk(self) -> None:
        self.desk.inside(self.compare_with_the_disk)

    @staticmethod
    def compare_with_the_disk(actor: ExecutorActor) -> None:
        ledger, risk = actor._book, actor._desk._risk
        held = {symbol: amount for symbol, amount in risk.exposure.items() if amount}
        assert held == ledger.exposure()
        entries = list(ledger.entries())
        open_ones = [entry for entry in entries if entry.state not in FINAL_STATES]
        assert ledger.open_entries() == open_ones
        fills = [one for entry in entries for one in ledger.fills_of(entry.order_key)]
        told = sum((one.quantity for one in fills), Decimal(0))
        signed = sum(
            (
                one.quantity * entry.side.sign
                for entry in entries
                for one in ledger.fills_of(entry.order_key)
            ),
            Decimal(0),
        )
        holdings = risk.equity.holdings.values()
        assert sum((one.quantity for one in holdings), Decimal(0)) == signed
        assert told <= sum((entry.filled_quantity for entry in entries), Decimal(0))

    @invariant()
    def nobody_is_forgotten(self) -> None:
        orders = self.desk.actor._desk.orders
        under_way = {self.desk.gateway.sent[place].key for place in self.pending()}
        waiting = {m.order_key for m in self.mail if isinstance(m, SubmitDone)}
        life: Any = self.desk.cell.life
        again = {t[2].order_key for t in life.timers if isinstance(t[2], SendAgain)}
        for entry in self.desk.inside(lambda one: one._book.open_entries()):
            key = entry.order_key
            known = key in orders.unsettled or key in under_way | waiting | again
            never_told = entry.state is S.SENT
            assert known or entry.state in WORKING or never_told, entry
        for key in orders.unsettled:
            asked = {call.key for p, call in enumerate(self.desk.gateway.asked)}
            assert key in asked

    @invariant()
    def what_is_unknown_blocks_and_nothing_else(self) -> None:
        actor = self.desk.actor
        blocked, unknown = actor._desk._risk.unsettled, actor._desk.orders.unsettled_symbols()
        if actor._settling.reconciled:
            assert blocked == unknown
        else:  # nothing is decided yet
            assert blocked <= unknown

    def number(self, key: OrderKey) -> int:
        return next(n for n in NUMBERS if key_of(n) == key)


OrderPathMachine.TestCase.settings = settings(
    max_examples=600 if STRESS else 60,
    stateful_step_count=40,
    deadline=None,
)


class OrderPathOnThreads(OrderPathMachine):
    path_class = OnThreads


OrderPathOnThreads.TestCase.settings = settings(
    OrderPathMachine.TestCase.settings, max_examples=300 if STRESS else 30
)

TestOrderPathOnThreads = pytest.mark.slow(OrderPathOnThreads.TestCase)
TestOrderPath = pytest.mark.longest(pytest.mark.slow(OrderPathMachine.TestCase))
