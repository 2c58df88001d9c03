"""The kill switch, and its steps against a venue that answers late, never, or falsely closed."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from decisions.halting import (
    MOST_TRIES,
    TRADING,
    Ask,
    Cancel,
    Drop,
    Halt,
    HaltRecord,
    HaltState,
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
    unreadable,
    why_not_resume,
)
from messages.ids import OrderKey, TimestampNs

A, B = OrderKey("a"), OrderKey("b")
PERSON, RULE = OrderedBy.PERSON, OrderedBy.RULE
NOW = TimestampNs(7)
RECORD = HaltRecord(reason="the operator said so", ordered_by=PERSON, at_ns=NOW)
HALTING, PROVED = HaltState.HALTING, HaltState.HALTED_PROVED
UNPROVED = HaltState.HALTED_UNPROVED


def halted(*open_keys: OrderKey) -> Halt:
    """A halt whose first list has come."""
    step, _ = halt(TRADING, RECORD)
    return listed(step, step.question, open_keys)[0]


def given_up() -> Halt:
    """A halt with one order that no question settled."""
    step = halted(A)
    for _ in range(MOST_TRIES):
        step = looked_up(step, A, is_open=True)[0]
    return step


# ---------------------------------------------------------------- as a specification


def test_a_halt_is_written_down_before_anything_is_asked() -> None:
    after, effects = halt(TRADING, RECORD)

    assert effects == (Keep(RECORD), ListOpen(1))
    assert (after.state, after.may_send) == (HALTING, False)


def test_a_venue_with_nothing_open_is_the_proof() -> None:
    after, effects = listed(halt(TRADING, RECORD)[0], 1, ())

    assert (after.state, effects) == (PROVED, ())


def test_every_open_order_is_cancelled_then_asked_for_then_the_list_is_asked_for_again() -> None:
    after, effects = listed(halt(TRADING, RECORD)[0], 1, (A, B))
    assert effects == (Cancel(A), Cancel(B))

    assert cancel_done(after, A)[1] == (Ask(A),)
    after, effects = looked_up(after, A, is_open=False)
    assert effects == ()
    after, effects = looked_up(after, B, is_open=False)
    assert (after.state, effects) == (HALTING, (ListOpen(2),))

    assert listed(after, 2, ())[0].state is PROVED


def test_an_order_that_is_still_open_is_cancelled_again_and_at_last_given_up() -> None:
    after = halted(A)
    for _ in range(MOST_TRIES - 1):
        after, effects = looked_up(after, A, is_open=True)
        assert effects == (Cancel(A),)

    after, effects = looked_up(after, A, is_open=True)

    assert (after.state, effects, set(after.open)) == (UNPROVED, (), {A})


def test_a_question_without_an_answer_is_asked_again() -> None:
    assert looked_up(halted(A), A, is_open=None)[1] == (Ask(A),)


def test_what_was_given_up_is_proved_once_it_turns_out_to_be_closed() -> None:
    after, effects = looked_up(given_up(), A, is_open=False)
    assert (after.state, effects) == (HALTING, (ListOpen(2),))

    assert listed(after, 2, ())[0].state is PROVED


def test_what_was_given_up_is_cancelled_again_when_a_timer_or_a_person_says_so() -> None:
    for again in (try_again(given_up()), halt(given_up(), RECORD)):
        assert (again[0].state, again[1]) == (HALTING, (Cancel(A),))


def test_late_answers_about_an_order_that_was_given_up_start_nothing() -> None:
    before = given_up()

    assert cancel_done(before, A) == (before, ())
    assert looked_up(before, A, is_open=True) == (before, ())
    assert looked_up(before, A, is_open=None) == (before, ())


def test_while_one_order_is_asked_for_another_that_was_given_up_decides_nothing() -> None:
    after = halted(A, B)
    for _ in range(MOST_TRIES):
        after, _ = looked_up(after, A, is_open=True)
    assert after.state is HALTING

    after, effects = looked_up(after, A, is_open=False)
    assert (after.state, effects) == (HALTING, ())
    assert looked_up(after, B, is_open=False)[1] == (ListOpen(2),)


def test_a_list_that_never_comes_is_no_proof() -> None:
    after, _ = halt(TRADING, RECORD)
    for _ in range(MOST_TRIES):
        after, _ = list_failed(after, after.question)

    assert (after.state, after.open) == (UNPROVED, {})
    assert try_again(after)[1] == (ListOpen(MOST_TRIES + 1),)


def test_an_order_that_turns_up_after_the_proof_ends_it() -> None:
    after, effects = order_seen(halted(), A)

    assert (after.state, effects) == (HALTING, (Cancel(A),))


def test_a_list_that_was_asked_for_before_an_order_turned_up_proves_nothing() -> None:
    after, _ = order_seen(halt(TRADING, RECORD)[0], A)
    after, effects = looked_up(after, A, is_open=False)
    assert effects == (ListOpen(2),)

    assert listed(after, 1, ())[0].state is HALTING
    assert listed(after, 2, ())[0].state is PROVED


def test_an_answer_to_a_question_of_the_halt_before_proves_nothing() -> None:
    traded, _ = resume(halt(TRADING, RECORD)[0], PERSON, despite_open=True)
    after, _ = halt(traded, RECORD)

    assert listed(after, 1, ())[0].state is HALTING


def test_a_second_halt_keeps_the_first_reason() -> None:
    other = HaltRecord(reason="something else", ordered_by=RULE, at_ns=TimestampNs(8))

    after, effects = halt(halted(A), other)

    assert (after.record, effects) == (RECORD, ())


def test_a_proof_does_not_outlive_the_process_and_the_halt_does() -> None:
    after, effects = recover(text_of(RECORD), NOW)

    assert (after.state, after.record, effects) == (HALTING, RECORD, (ListOpen(1),))


def test_without_a_record_a_process_trades() -> None:
    assert recover(None, NOW) == (TRADING, ())


@pytest.mark.parametrize(
    "text",
    ["", "{}", "null", "the operator said so", text_of(RECORD)[:-3], '{"reason": 1}', "\ud800"],
)
def test_a_record_that_cannot_be_read_is_a_halt_and_stays_as_it_is(text: str) -> None:
    after, effects = recover(text, NOW)

    assert (after.state, effects) == (HALTING, (ListOpen(1),))
    assert after.record is not None
    assert after.record.reason.startswith("the record of a halt cannot be read: ")


def test_a_disk_that_cannot_be_read_is_a_halt() -> None:
    assert not unreadable("disk I/O error", NOW)[0].may_send


@given(text=st.text())
def test_whatever_the_record_says_it_is_a_halt(text: str) -> None:
    assert not recover(text, NOW)[0].may_send


def test_a_person_ends_a_halt_and_the_record_goes() -> None:
    after, effects = resume(halted(), PERSON)

    assert (after.may_send, after.record, effects) == (True, None, (Drop(),))


def test_nothing_but_a_person_ends_a_halt() -> None:
    assert resume(halted(), RULE) == (halted(), ())
    assert resume(halted(), RULE, despite_open=True) == (halted(), ())
    assert why_not_resume(halted(), RULE) == "a halt is ended by a person only"


def test_without_a_proof_a_person_must_say_that_he_accepts_it() -> None:
    assert resume(given_up(), PERSON) == (given_up(), ())
    assert why_not_resume(given_up(), PERSON) == (
        "1 orders may still be open; wait for the proof, or resume with --despite-open"
    )
    assert resume(given_up(), PERSON, despite_open=True)[0].may_send


def test_while_trading_there_is_nothing_to_resume() -> None:
    assert resume(TRADING, PERSON) == (TRADING, ())
    assert why_not_resume(TRADING, PERSON) == "trading is not halted"


def test_while_trading_no_answer_starts_anything() -> None:
    for step in (
        listed(TRADING, 0, (A,)),
        list_failed(TRADING, 0),
        order_seen(TRADING, A),
        cancel_done(TRADING, A),
        looked_up(TRADING, A, is_open=True),
        try_again(TRADING),
    ):
        assert step == (TRADING, ())


# ---------------------------------------------------------------- against a venue


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
                self.take(list_failed(self.switch, question))
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
