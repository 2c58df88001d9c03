"""What becomes of a bot whose process ends, hangs, or says what a rule does not allow."""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.fleet import Do, drain, judge, person_starts
from decisions.fleet_bot import BotFacts, BotMemory, Measure, Phase, changed, started
from decisions.fleet_restarts import cannot_start, recall
from decisions.fleet_rules import Act, Policy, Rule
from decisions.supervisor import Backoff, Intensity
from messages.ids import NS_PER_S

T0 = 1_800_000_000 * NS_PER_S
GONE = BotFacts(is_running=False)
WELL = BotFacts(is_running=True, said_s=0.5, up_s=100.0)


def policy(**changes: Any) -> Policy:
    fields: dict[str, Any] = {
        "intensity": Intensity(max_restarts=2, window_s=60.0),
        "backoff": Backoff(min_ms=1_000, max_ms=8_000, reset_after_ms=30_000),
        "drain_s": 10.0,
        "silent_s": 20.0,
        "start_s": 15.0,
    }
    return Policy(**fields | changes)


def running() -> BotMemory:
    memory = BotMemory()
    started(memory, T0)
    return memory


def after(
    memory: BotMemory, facts: BotFacts, seconds: float = 1.0, rules: Policy | None = None
) -> Do:
    at_ns = T0 + int(seconds * NS_PER_S)
    return judge(memory, facts, rules or policy(), at_ns, Random(1))


def ended(code: int | None) -> BotFacts:
    return BotFacts(is_running=False, exit_code=code)


def crossing(measure: Measure, value: float, said_s: float = 0.5) -> BotFacts:
    return BotFacts(is_running=True, said_s=said_s, up_s=100.0, measures={measure: value})


def test_a_new_bot_is_to_be_started() -> None:
    assert after(BotMemory(), GONE) is Do.START


def test_a_process_that_ended_in_order_is_left() -> None:
    memory = running()
    assert after(memory, ended(0)) is Do.NOTHING
    assert memory.phase is Phase.STOPPED
    assert after(memory, GONE, 1_000) is Do.NOTHING


@pytest.mark.parametrize("code", [1, 70, 130, -9, -11, None])
def test_a_process_that_ended_otherwise_is_started_again_after_a_pause(code: int | None) -> None:
    memory = running()
    after(memory, ended(code), 5)
    assert memory.phase is Phase.WAITING
    assert after(memory, GONE, 5.4) is Do.NOTHING
    assert after(memory, GONE, 6.1) is Do.START


@pytest.mark.parametrize(("code", "why"), [(2, "refused to start"), (75, "taken its account")])
def test_what_another_start_cannot_heal_is_left_to_a_person(code: int, why: str) -> None:
    memory = running()
    after(memory, ended(code))
    assert memory.phase is Phase.PARKED
    assert why in memory.why


def test_what_ran_before_and_is_refused_its_start_now_is_tried_until_it_is_let() -> None:
    """Its bus, database or exchange is away: after a power cut they may be up later than it."""
    memory = running()
    after(memory, WELL)
    after(memory, ended(-9), 2)
    for second in range(10, 1_000, 10):
        assert after(memory, GONE, second) is Do.START
        started(memory, T0 + second * NS_PER_S)
        after(memory, ended(2), second + 0.5)
        assert memory.phase is Phase.WAITING, second
        assert "may be away" in memory.why
        assert after(memory, GONE, second + 0.9) is Do.NOTHING, "after a pause"
    assert len(memory.restarts_ns) <= 1, "it is no crash loop"


def test_what_ran_before_a_change_of_it_says_nothing_of_what_it_is_now() -> None:
    for begins_anew in (changed, lambda memory: person_starts(memory, T0)):
        memory = running()
        after(memory, WELL)
        after(memory, ended(1), 2)
        begins_anew(memory)
        started(memory, T0 + 4 * NS_PER_S)
        after(memory, ended(2), 5)
        assert memory.phase is Phase.PARKED


def test_one_restart_too_many_parks_it_and_a_person_begins_anew() -> None:
    memory = running()
    for second in (1, 2, 3):
        after(memory, ended(70), second)
        if second < 3:
            started(memory, T0 + second * NS_PER_S)
    assert memory.phase is Phase.PARKED
    assert memory.why == "more than 2 restarts in 60 s; the last: its process ended: exit 70"
    assert after(memory, GONE, 10_000) is Do.NOTHING

    assert person_starts(memory, T0 + 4 * NS_PER_S) is Do.NOTHING
    assert after(memory, GONE, 4) is Do.START


def test_restarts_that_lie_further_apart_are_not_counted_together() -> None:
    memory = running()
    for round_ in range(1, 10):
        after(memory, ended(70), round_ * 61)
        assert memory.phase is Phase.WAITING
        started(memory, T0 + round_ * 61 * NS_PER_S)
    assert memory.restarts == 9


def test_pauses_grow_with_each_failure_in_a_row_and_a_long_life_ends_the_row() -> None:
    memory, roomy = running(), policy(intensity=Intensity(max_restarts=99, window_s=60.0))
    pauses = []
    at_s = 0.0
    for lived_s in (1, 1, 1, 1, 40, 1):
        at_s += lived_s
        after(memory, ended(70), at_s, roomy)
        pauses.append((memory.not_before_ns - T0) / NS_PER_S - at_s)
        started(memory, T0 + int(at_s * NS_PER_S))
    ceilings = [1, 2, 4, 8, 1, 2]
    assert all(top / 2 <= pause <= top for pause, top in zip(pauses, ceilings, strict=True))


def test_a_process_that_is_silent_hangs_whatever_its_pid_says() -> None:
    memory = running()
    silent = BotFacts(is_running=True, said_s=21.0, up_s=100.0)
    assert after(memory, silent) is Do.DRAIN
    assert str(memory.phase) == "draining"
    assert after(memory, silent, 5) is Do.NOTHING
    assert after(memory, silent, 12) is Do.KILL
    assert after(memory, ended(-9), 13) is Do.NOTHING
    assert str(memory.phase) == "waiting"
    assert memory.why == "its last word is 21 s old"


def test_a_process_has_time_to_start_and_no_more() -> None:
    memory = running()
    assert after(memory, BotFacts(is_running=True, up_s=14.0)) is Do.NOTHING
    assert after(memory, BotFacts(is_running=True, up_s=16.0)) is Do.DRAIN


@pytest.mark.parametrize("measure", list(Measure))
def test_a_rule_that_warns_says_so_for_as_long_as_it_holds(measure: Measure) -> None:
    rules = policy(rules=(Rule(measure=measure, over=5.0, act=Act.WARN),))
    memory = running()
    assert after(memory, crossing(measure, 6.5), 1, rules) is Do.NOTHING
    assert memory.warnings == [f"{measure} is 6.5, over 5"]
    assert after(memory, crossing(measure, 5.0), 2, rules) is Do.NOTHING
    assert memory.warnings == []


def test_a_rule_waits_until_its_bound_was_crossed_at_a_stretch() -> None:
    rules = policy(rules=(Rule(measure=Measure.ERROR_RATE, over=0.1, for_s=10, act=Act.RESTART),))
    memory = running()
    for second, value in ((0, 0.5), (9, 0.5), (9.5, 0.0), (10, 0.5), (19, 0.5)):
        assert after(memory, crossing(Measure.ERROR_RATE, value), second, rules) is Do.NOTHING
    assert after(memory, crossing(Measure.ERROR_RATE, 0.5), 20, rules) is Do.DRAIN
    assert memory.then is Phase.WAITING
    assert memory.restarts == 1


def test_what_a_bot_does_not_say_any_more_does_not_hold() -> None:
    """One that stands still for a while has crossed nothing meanwhile, as far as is known."""
    rules = policy(rules=(Rule(measure=Measure.MARKET_AGE_S, over=30, for_s=10, act=Act.PARK),))
    memory = running()
    for second in range(15):
        facts = crossing(Measure.MARKET_AGE_S, 31, said_s=second)
        assert after(memory, facts, second, rules) is Do.NOTHING
    assert after(memory, crossing(Measure.MARKET_AGE_S, 46, said_s=0), 15, rules) is Do.DRAIN


def test_a_stretch_ends_where_a_full_disk_makes_a_bot_mute() -> None:
    """When there is room again its old word stands there until it has said the next."""
    rules = policy(rules=(Rule(measure=Measure.MARKET_AGE_S, over=30, for_s=60, act=Act.PARK),))
    memory = running()
    crossed = crossing(Measure.MARKET_AGE_S, 31, said_s=0)
    after(memory, crossed, 1, rules)
    for second in range(2, 3_600, 60):
        mute = msgspec.structs.replace(crossed, said_s=second, is_disk_full=True)
        assert after(memory, mute, second, rules) is Do.NOTHING
    stale = msgspec.structs.replace(crossed, said_s=1)
    assert after(memory, stale, 3_600, rules) is Do.NOTHING
    assert memory.phase is Phase.RUNNING


def test_parking_goes_before_restarting() -> None:
    rules = policy(
        rules=(
            Rule(measure=Measure.DRAWDOWN, over=1.0, act=Act.RESTART),
            Rule(measure=Measure.DRAWDOWN, over=5.0, act=Act.PARK),
        )
    )
    memory = running()
    assert after(memory, crossing(Measure.DRAWDOWN, 6.0), 1, rules) is Do.DRAIN
    assert memory.then is Phase.PARKED


def test_what_is_not_measured_crosses_nothing() -> None:
    rules = policy(rules=(Rule(measure=Measure.DRAWDOWN, over=0.0, act=Act.PARK),))
    assert after(running(), WELL, 1, rules) is Do.NOTHING


def test_a_bot_that_was_drained_by_a_person_stays_so() -> None:
    memory = running()
    assert drain(memory, Phase.STOPPED, "a person drained it", T0) is Do.DRAIN
    after(memory, ended(0), 2)
    assert memory.phase is Phase.STOPPED
    assert after(memory, GONE, 10_000) is Do.NOTHING


def test_a_process_that_somebody_else_started_is_told_of_and_left_alone() -> None:
    memory = BotMemory(phase=Phase.PARKED, why="a rule said so")
    assert after(memory, WELL) is Do.NOTHING
    assert memory.why == "a rule said so"
    assert memory.warnings == ["a process that nobody here started is running in its directory"]


def test_a_rule_is_told_from_another_by_what_it_says_not_by_its_place() -> None:
    """The file was read anew between two looks."""
    crossed = crossing(Measure.DRAWDOWN, 6.0)
    first = Rule(measure=Measure.DRAWDOWN, over=1.0, act=Act.WARN)
    patient = Rule(measure=Measure.DRAWDOWN, over=5.0, for_s=600, act=Act.PARK)
    memory = running()
    after(memory, crossed, 1, policy(rules=(first,)))
    assert after(memory, crossed, 700, policy(rules=(patient,))) is Do.NOTHING
    assert after(memory, crossed, 1200, policy(rules=(first, patient))) is Do.NOTHING
    assert after(memory, crossed, 1300, policy(rules=(first, patient))) is Do.DRAIN


def test_a_bot_that_trades_no_more_is_shown_so_and_left() -> None:
    memory = running()
    facts = BotFacts(is_running=True, said_s=0.5, up_s=100.0, halt="max_drawdown")
    assert after(memory, facts) is Do.NOTHING
    assert memory.warnings == ["halted: max_drawdown"]
    assert after(memory, WELL, 2) is Do.NOTHING
    assert memory.warnings == []


def test_a_bot_that_cannot_speak_for_want_of_room_is_not_restarted() -> None:
    """All bots of a full disk are silent together; none would come up again."""
    memory = running()
    silent = BotFacts(is_running=True, said_s=99.0, up_s=100.0, is_disk_full=True)
    assert after(memory, silent) is Do.NOTHING
    assert memory.phase is Phase.RUNNING
    assert memory.warnings == ["disk full: it can say nothing of itself, and could not start again"]


def test_nothing_is_started_where_there_is_no_room() -> None:
    memory = BotMemory()
    assert after(memory, BotFacts(is_running=False, is_disk_full=True)) is Do.NOTHING
    assert memory.warnings == ["disk full: nothing is started in its run directory"]
    assert after(memory, GONE) is Do.START
    assert memory.warnings == []


def test_a_process_that_cannot_be_made_is_tried_again_and_not_for_ever() -> None:
    memory = BotMemory()
    for second in (1, 2):
        cannot_start(memory, "no room for it", policy(), T0 + second * NS_PER_S, Random(1))
        assert (memory.phase, memory.why) == (Phase.WAITING, "no room for it")
        assert memory.not_before_ns > T0 + second * NS_PER_S
    cannot_start(memory, "no room for it", policy(), T0 + 3 * NS_PER_S, Random(1))
    assert memory.phase is Phase.PARKED


def test_a_clock_that_was_set_back_between_two_orchestrators_holds_nothing_up() -> None:
    ahead_ns = T0 + 3_600 * NS_PER_S
    waiting = running()
    judge(waiting, ended(70), policy(), ahead_ns, Random(1))
    draining = BotMemory()
    started(draining, ahead_ns)
    drain(draining, Phase.STOPPED, "a person drained it", ahead_ns)
    for memory in (waiting, draining):
        recall(memory, policy(), T0)

    assert after(waiting, GONE, 8) is Do.START
    assert after(draining, WELL, 11) is Do.KILL
    judge(draining, GONE, policy(), T0 + 12 * NS_PER_S, Random(1))
    assert draining.phase is Phase.STOPPED


def test_a_stretch_does_not_go_over_the_time_without_an_orchestrator() -> None:
    """What it says now, and said hours ago, it need not have said in between."""
    rules = policy(rules=(Rule(measure=Measure.MARKET_AGE_S, over=30, for_s=60, act=Act.PARK),))
    memory, crossed = running(), crossing(Measure.MARKET_AGE_S, 31)
    after(memory, crossed, 1, rules)
    recall(memory, rules, T0 + 3_600 * NS_PER_S)
    assert after(memory, crossed, 3_600, rules) is Do.NOTHING
    assert after(memory, crossed, 3_660, rules) is Do.DRAIN


LOOKS = st.lists(
    st.tuples(
        st.sampled_from([GONE, ended(0), ended(2), ended(70), ended(-9), WELL]),
        st.floats(0.1, 30),
        st.sampled_from(["", "restart", "drain"]),
    ),
    max_size=40,
)


@pytest.mark.slow
@given(LOOKS)
def test_nothing_is_started_that_runs_and_no_start_beyond_the_intensity(looks: list[Any]) -> None:
    """Whatever is seen and asked for: a start needs that nothing runs, and is never a storm."""
    memory, at_s = BotMemory(), 0.0
    starts: list[float] = []
    for facts, pause_s, wish in looks:
        at_s += pause_s
        at_ns = T0 + int(at_s * NS_PER_S)
        if wish == "restart":
            person_starts(memory, at_ns)
            starts.clear()
        elif wish == "drain":
            drain(memory, Phase.STOPPED, "", at_ns)
        do = judge(memory, facts, policy(), at_ns, Random(0))
        if do is Do.START:
            assert not facts.is_running
            started(memory, at_ns)
            starts.append(at_s)
        assert do is not Do.KILL or facts.is_running
    for place in range(len(starts) - 3):
        assert starts[place + 3] - starts[place] >= 60, starts
