"""The kill switch against a venue that answers late, never, or falsely closed."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from decisions.halting import (
    MOST_TRIES,
    TRADING,
    Ask,
    Cancel,
    Drop,
    Halt,
    HaltRecord,
    Keep,
    ListOpen,
    OrderedBy,
    cancel_done,
    halt,
    list_failed,
    listed,
    looked_up,
    order_seen,
    recover,
    resume,
    text_of,
    try_again,
)
from messages.ids import OrderKey
from tests.decisions.halts import HALTING, NOW, PERSON, PROVED, RECORD, UNPROVED, A, B


class HaltsAtAVenue(RuleBasedStateMachine):
    """A venue, a ledger and a disk; messages between them and the switch go astray and wait.

    The model is the truth: which orders are open, what is on disk, and who has the last word.
    """

    def __init__(self) -> None:
        super().__init__()
        self.switch = TRADING
        self.disk: str | None = None
        self.at_venue: set[OrderKey] = set()
        self.on_the_way: set[OrderKey] = set()
        self.in_ledger: set[OrderKey] = set()
        self.to_do: list[Any] = []
        self.answers: list[Any] = []
        self.sent = 0
        self.should_be_halted = False

    def take(self, step: tuple[Halt, tuple[Any, ...]], *, disk_fails: bool = False) -> None:
        after, effects = step
        if Drop() in effects and disk_fails:
            return
        for effect in effects:
            if isinstance(effect, Keep):
                self.disk = None if disk_fails else text_of(effect.record)
            elif isinstance(effect, Drop):
                self.disk = None
                self.should_be_halted = False
            else:
                self.to_do.append(effect)
        self.switch = after

    @precondition(lambda self: self.switch.may_send)
    @rule(late=st.booleans())
    def an_order_is_sent(self, late: bool) -> None:
        self.sent += 1
        key = OrderKey(f"{self.sent}")
        self.in_ledger.add(key)
        (self.on_the_way if late else self.at_venue).add(key)

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), lost=st.booleans())
    def an_order_arrives_or_never_will(self, data: Any, lost: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.on_the_way)))
        self.on_the_way.remove(key)
        if not lost:
            self.at_venue.add(key)

    @precondition(lambda self: self.at_venue)
    @rule(data=st.data())
    def an_order_fills(self, data: Any) -> None:
        self.at_venue.remove(data.draw(st.sampled_from(sorted(self.at_venue))))

    @precondition(lambda self: self.at_venue)
    @rule(data=st.data())
    def an_open_order_is_seen(self, data: Any) -> None:
        self.take(order_seen(self.switch, data.draw(st.sampled_from(sorted(self.at_venue)))))

    @rule(by=st.sampled_from(OrderedBy), disk_fails=st.booleans())
    def a_halt_is_ordered(self, by: OrderedBy, disk_fails: bool) -> None:
        record = HaltRecord(reason="why", ordered_by=by, at_ns=NOW)
        self.take(halt(self.switch, record), disk_fails=disk_fails)
        self.should_be_halted = True

    @precondition(lambda self: self.to_do)
    @rule(data=st.data(), lost=st.booleans(), works=st.booleans())
    def the_venue_is_reached(self, data: Any, lost: bool, works: bool) -> None:
        effect = self.to_do.pop(data.draw(st.integers(0, len(self.to_do) - 1)))
        if isinstance(effect, Cancel):
            if works:
                self.at_venue.discard(effect.order_key)
            self.answers.append(effect)
        elif isinstance(effect, Ask):
            is_open = effect.order_key in self.at_venue
            known = not lost and effect.order_key not in self.on_the_way
            self.answers.append((effect, is_open if known else None))
        else:
            self.answers.append((effect, None if lost else set(self.at_venue)))

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def an_answer_comes(self, data: Any) -> None:
        match self.answers.pop(data.draw(st.integers(0, len(self.answers) - 1))):
            case Cancel(key):
                self.take(cancel_done(self.switch, key))
            case (Ask(key), is_open):
                if is_open is False:
                    self.in_ledger.discard(key)
                self.take(looked_up(self.switch, key, is_open=is_open))
            case (ListOpen(question), None):
                self.take(list_failed(self.switch, question, sorted(self.in_ledger)))
            case (ListOpen(question), keys):
                self.take(listed(self.switch, question, sorted(keys | self.in_ledger)))

    @rule()
    def a_timer_fires(self) -> None:
        self.take(try_again(self.switch))

    @rule(by=st.sampled_from(OrderedBy), despite=st.booleans(), disk_fails=st.booleans())
    def someone_wants_to_resume(self, by: OrderedBy, despite: bool, disk_fails: bool) -> None:
        before = self.switch
        self.take(resume(before, by, despite_open=despite), disk_fails=disk_fails)
        allowed = by is PERSON and (despite or before.state is PROVED) and not disk_fails
        assert self.switch.may_send is (allowed or before.may_send)

    @rule(spoiled=st.booleans())
    def the_process_is_restarted(self, spoiled: bool) -> None:
        if spoiled and self.disk is not None:
            self.disk = self.disk[1:]
        self.to_do, self.answers = [], []
        self.should_be_halted = self.disk is not None
        self.switch = TRADING
        self.take(recover(self.disk, NOW))

    @invariant()
    def it_trades_only_when_nothing_and_nobody_has_halted_it(self) -> None:
        assert self.switch.may_send is not self.should_be_halted
        assert (self.switch.record is None) is self.switch.may_send

    @invariant()
    def a_proof_is_true(self) -> None:
        if self.switch.state is PROVED:
            assert not self.at_venue
            assert not self.on_the_way
            assert not self.switch.open

    @invariant()
    def what_is_not_finished_goes_on_by_itself(self) -> None:
        if self.switch.state is HALTING:
            assert self.to_do or self.answers

    @invariant()
    def what_was_given_up_waits_for_nothing(self) -> None:
        if self.switch.state is UNPROVED:
            assert self.switch.given_up == set(self.switch.open)
            assert not self.switch.listing

    def teardown(self) -> None:
        """Whatever came before: with a venue that answers, the proof comes."""
        self.at_venue |= self.on_the_way
        self.to_do += [one if isinstance(one, Cancel) else one[0] for one in self.answers]
        self.take(halt(self.switch, RECORD))
        for _ in range(2):
            while self.to_do:
                self.work(self.to_do.pop(0))
            self.take(try_again(self.switch))
        while self.to_do:
            self.work(self.to_do.pop(0))
        assert self.switch.state is PROVED

    def work(self, effect: Any) -> None:
        """Reach the venue, and have its answer at once."""
        if isinstance(effect, Cancel):
            self.at_venue.discard(effect.order_key)
            self.take(cancel_done(self.switch, effect.order_key))
        elif isinstance(effect, Ask):
            self.in_ledger.discard(effect.order_key)
            is_open = effect.order_key in self.at_venue
            self.take(looked_up(self.switch, effect.order_key, is_open=is_open))
        else:
            self.take(listed(self.switch, effect.question, self.at_venue | self.in_ledger))


HaltsAtAVenue.TestCase.settings = settings(stateful_step_count=40, deadline=None)
TestHaltsAtAVenue = pytest.mark.slow(HaltsAtAVenue.TestCase)


@pytest.mark.slow
@given(keys=st.sets(st.sampled_from([A, B, OrderKey("c")])), answers=st.data())
def test_a_venue_that_never_says_anything_useful_is_left_alone_after_a_bounded_time(
    keys: set[OrderKey], answers: Any
) -> None:
    switch, effects = halt(TRADING, RECORD)
    to_do: list[Any] = list(effects[1:])
    count = 0
    while to_do:
        count += 1
        effect = to_do.pop()
        if isinstance(effect, Cancel):
            switch, more = cancel_done(switch, effect.order_key)
        elif isinstance(effect, Ask):
            is_open = answers.draw(st.sampled_from([True, None]))
            switch, more = looked_up(switch, effect.order_key, is_open=is_open)
        elif keys:
            switch, more = listed(switch, effect.question, keys)
        else:
            switch, more = list_failed(switch, effect.question)
        to_do += more

    assert switch.state is UNPROVED
    assert set(switch.open) == keys
    assert count <= MOST_TRIES + 2 * MOST_TRIES * len(keys)
