"""The order path's model, and in it a kill switch: a proof is true, and it comes in the end."""

from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import invariant, precondition, rule

from decisions.halting import HaltState
from messages.halting import CancelDone, OpenListed, ResumeTrading
from messages.ids import OrderKey
from messages.lifecycle import HaltTrading
from messages.orders import OrderReport, SubmitDone
from messages.values import OrderState as S
from tests.actors.order_path import OnThreads, fill
from tests.actors.test_order_path_model import (
    AMOUNT,
    STRESS,
    WORKING,
    FailingLedger,
    OrderPathMachine,
)

PROVED = str(HaltState.HALTED_PROVED)


class HaltMachine(OrderPathMachine):
    def __init__(self) -> None:
        super().__init__()
        self.filled: dict[OrderKey, Decimal] = {}
        self.canceled = 0
        self.listed = 0
        self.halted = False
        self.sent_at_halt = 0
        self.requests = 0

    def report(self, key: OrderKey, state: S) -> OrderReport:
        """What a canceled order was filled before stays filled."""
        amount = max(self.filled.get(key, Decimal(0)), AMOUNT.get(state, Decimal(0)))
        self.filled[key] = amount
        number = self.number(key)
        fills = [fill(f"{number}-{part}", "0.5") for part in range(int(amount * 2))]
        return self.desk.report(number, state, str(amount), tuple(fills))

    def name_of(self, message: Any) -> str:
        return "list" if isinstance(message, OpenListed) else super().name_of(message)

    # ------------------------------------------------------------ a person

    @rule()
    def a_person_halts(self) -> None:
        self.requests += 1
        self.tell(HaltTrading(reason="stop", durable=True, request=f"{self.requests}"))
        if not self.halted:
            self.halted, self.sent_at_halt = True, len(self.desk.gateway.sent)

    @rule(despite=st.booleans())
    def a_person_resumes(self, despite: bool) -> None:
        self.requests += 1
        was = self.desk.kept.board.halt.state
        self.tell(ResumeTrading(request=f"{self.requests}", despite_open=despite))
        answer = self.desk.kept.board.answer(f"{self.requests}")
        if answer is not None and answer.ok:
            assert despite or was == PROVED
            self.halted = False

    # ------------------------------------------------------------ the venue

    @precondition(lambda self: self.canceled < len(self.desk.gateway.canceled))
    @rule(works=st.booleans(), answer=st.sampled_from(["told", "lost"]))
    def a_cancel_arrives(self, works: bool, answer: str) -> None:
        call = self.desk.gateway.canceled[self.canceled]
        self.canceled += 1
        state = self.state.get(call.key)
        if works and state in WORKING:
            state = self.state[call.key] = S.CANCELED
        report = None if state is None or answer == "lost" else self.report(call.key, state)
        problem = "" if report else "OutcomeUnknown: nobody knows"
        done = CancelDone(order_key=call.key, epoch=call.epoch, report=report, problem=problem)
        self.mail.append(done)  # type: ignore[arg-type]  # mail of every kind

    @precondition(lambda self: self.listed < len(self.desk.gateway.listed))
    @rule(fails=st.booleans(), at_once=st.booleans())
    def the_list_is_told(self, fails: bool, at_once: bool) -> None:
        """Answer the newest question; those of dead incarnations are void anyway."""
        epoch, question, _ = self.desk.gateway.listed[-1]
        self.listed = len(self.desk.gateway.listed)
        working = [(key, state) for key, state in self.state.items() if state in WORKING]
        reports = () if fails else tuple(self.report(key, state) for key, state in working)
        told = OpenListed(
            question=question, epoch=epoch, reports=reports, problem="down" if fails else ""
        )
        if at_once:
            self.tell(told)
        else:
            self.mail.append(told)  # type: ignore[arg-type]  # mail of every kind

    @precondition(lambda self: not self.halted)
    @rule(numbers=st.lists(st.sampled_from(range(4)), min_size=1, max_size=3))
    def halted_with_sends_under_way(self, numbers: list[int]) -> None:
        self.decide(numbers)
        self.a_person_halts()

    # ------------------------------------------------------------ what must hold

    @invariant()
    def halted_is_halted(self) -> None:
        reason = self.desk.actor._desk.halt_reason
        assert bool(reason) is self.halted, reason
        assert bool(self.desk.gateway.barred) is self.halted
        if self.halted:
            assert len(self.desk.gateway.sent) == self.sent_at_halt, "something was sent"

    @invariant()
    def a_proof_is_true(self) -> None:
        if self.desk.kept.board.halt.state == PROVED:
            assert not [key for key, state in self.state.items() if state in WORKING]
            assert not self.pending(), "a send may still arrive"

    def teardown(self) -> None:
        """Whatever came before: with a venue and a disk that are well, the proof comes."""
        FailingLedger.fails = ""
        self.a_person_halts()
        for _ in range(60):
            self.all_is_well()
            self.desk.after(1.1)
            self.revive()
            if self.desk.kept.board.halt.state == PROVED and not self.mail:
                break
        view = self.desk.kept.board.halt
        assert (view.state, view.on_disk) == (PROVED, True), view
        self.a_proof_is_true()
        super().teardown()

    def all_is_well(self) -> None:
        for place in self.pending():
            self.over.add(place)
            call = self.desk.gateway.sent[place]
            if call.key not in self.state:
                report = self.desk.report(self.number(call.key), S.NOT_SENT)
                self.tell(self.submit_done(call, report))
        while self.canceled < len(self.desk.gateway.canceled):
            self.a_cancel_arrives(works=True, answer="told")
        for place in range(len(self.desk.gateway.asked)):
            if place not in self.looked:
                self.looked.add(place)
                call = self.desk.gateway.asked[place]
                self.mail.append(self.desk.answer(call, self.report_of(call)))
        while self.listed < len(self.desk.gateway.listed):
            self.the_list_is_told(fails=False, at_once=True)
        mail, self.mail = self.mail, []
        self.tell(*mail)

    def submit_done(self, call: Any, report: OrderReport) -> SubmitDone:
        return SubmitDone(order_key=call.key, epoch=call.epoch, report=report)


HaltMachine.TestCase.settings = settings(
    max_examples=1_000 if STRESS else 40,
    stateful_step_count=30,
    deadline=None,
)


class HaltOnThreads(HaltMachine):
    path_class = OnThreads


HaltOnThreads.TestCase.settings = settings(
    HaltMachine.TestCase.settings, max_examples=300 if STRESS else 20
)

TestHaltOnThreads = pytest.mark.slow(HaltOnThreads.TestCase)
TestHalt = pytest.mark.slow(HaltMachine.TestCase)
