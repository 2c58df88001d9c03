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
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from decisions.risk import RiskLimits
from messages.errors import LedgerUnavailable
from messages.ids import OrderKey
from messages.lifecycle import InjectCrash
from messages.order_states import FINAL_STATES
from messages.orders import LookupDone, OrderReport, SendAgain, SubmitDone
from messages.values import OrderState as S
from messages.values import Side
from persistence.ledger import SqliteLedger
from tests.actors.order_path import Asked, OrderPath, fill, key_of

NUMBERS = range(4)
WORKING = (S.ACCEPTED, S.PARTIALLY_FILLED)
AMOUNT = {S.PARTIALLY_FILLED: Decimal("0.5"), S.FILLED: Decimal(1)}


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
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        FailingLedger.fails = ""
        self.desk = OrderPath(
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

    @rule(numbers=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3))
    def decide(self, numbers: list[int]) -> None:
        self.tell(*(self.intent(number) for number in numbers))

    def intent(self, number: int) -> Any:
        side = Side.SELL if number % 2 else Side.BUY
        return self.desk.intent(number, side, decided_at_ns=1, ts_created_ns=1)

    # ------------------------------------------------------------ the venue

    @precondition(lambda self: self.pending())
    @rule(data=st.data(), arrives=st.booleans(), answer=st.sampled_from(["told", "lost", "never"]))
    def send_ends(self, data: st.DataObject, arrives: bool, answer: str) -> None:
        place = data.draw(st.sampled_from(self.pending()))
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
    @rule(data=st.data(), fails=st.booleans())
    def look(self, data: st.DataObject, fails: bool) -> None:
        asked = self.desk.gateway.asked
        place = data.draw(st.sampled_from([p for p in range(len(asked)) if p not in self.looked]))
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
    @rule(data=st.data(), to=st.sampled_from([S.PARTIALLY_FILLED, S.FILLED]), bare=st.booleans())
    def market_moves(self, data: st.DataObject, to: S, bare: bool) -> None:
        keys = sorted(key for key, state in self.state.items() if state in WORKING)
        key = data.draw(st.sampled_from(keys))
        self.state[key] = to
        report = self.report(key, to)
        if bare:  # the trades are told of apart
            self.mail.append(msgspec.structs.replace(report, fills=()))
        self.mail.append(report)

    @precondition(lambda self: self.mail)
    @rule(data=st.data(), count=st.integers(1, 4))
    def deliver(self, data: st.DataObject, count: int) -> None:
        self.tell(*(self.next_mail(data) for _ in range(min(count, len(self.mail)))))

    def next_mail(self, data: st.DataObject) -> Any:
        """A stream's in its order, and answers of one order in theirs."""
        names = [self.name_of(message) for message in self.mail]
        name = data.draw(st.sampled_from(sorted(set(names))))
        return self.mail.pop(names.index(name))

    def name_of(self, message: Any) -> str:
        is_report = isinstance(message, OrderReport)
        return message.client_order_id if is_report else message.order_key  # type: ignore[no-any-return]  # of any message

    # ------------------------------------------------------------ what goes wrong

    @rule(when=st.sampled_from(["before", "after"]))
    def disk_fails_next(self, when: str) -> None:
        FailingLedger.fails = when

    @rule()
    def hang(self) -> None:
        self.desk.start()

    @rule()
    def crash(self) -> None:
        self.tell(InjectCrash(reason="test"))

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
        ledger, risk = self.desk.actor._book, self.desk.actor._risk
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
        for entry in self.desk.actor._book.open_entries():
            key = entry.order_key
            known = key in orders.unsettled or key in under_way | waiting | again
            never_told = entry.state is S.SENT
            assert known or entry.state in WORKING or never_told, entry
        for key in orders.unsettled:
            asked = {call.key for p, call in enumerate(self.desk.gateway.asked)}
            assert key in asked

    @invariant()
    def what_is_unknown_blocks_and_nothing_else(self) -> None:
        desk = self.desk.actor._desk
        if self.desk.actor._risk.unsettled:
            assert desk.orders.unsettled

    def number(self, key: OrderKey) -> int:
        return next(n for n in NUMBERS if key_of(n) == key)


OrderPathMachine.TestCase.settings = settings(
    max_examples=600 if os.environ.get("WATCHKEEPER_STRESS") else 60,
    stateful_step_count=40,
    deadline=None,
)
TestOrderPath = pytest.mark.longest(pytest.mark.slow(OrderPathMachine.TestCase))
