"""What a person is told, and how often: held for any sequence of faults."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.alerting import AlertFold, Condition, Notice, NoticeLimits, Severity, Stage
from messages.ids import NS_PER_S, TimestampNs

HOUR_S = 3_600
LIMITS = NoticeLimits(per_hour=9, per_key_per_hour=4, calm_s=30)


def fault(key: str = "disk", severity: Severity = Severity.CRITICAL) -> Condition:
    return Condition(key.partition(":")[0], key, severity, f"{key} is wrong")


class Watched:
    """A fold, looked at by the second."""

    def __init__(self, limits: NoticeLimits = LIMITS) -> None:
        self.fold = AlertFold(limits)
        self.told: list[tuple[float, Notice]] = []

    def look(self, at_s: float, *conditions: Condition) -> list[Stage]:
        now_ns = int(at_s * NS_PER_S)
        notices = self.fold.take(conditions, now_ns, TimestampNs(now_ns))
        self.told += [(at_s, notice) for notice in notices]
        return [notice.state for notice in notices]


def test_a_fault_is_told_once_and_its_end_once() -> None:
    watched = Watched()

    assert watched.look(0, fault()) == [Stage.FIRING]
    assert watched.look(1, fault()) == []
    assert watched.look(2) == []
    assert watched.look(31) == [Stage.RECOVERED]
    assert watched.look(99) == []


def test_what_comes_and_goes_is_one_fault() -> None:
    watched = Watched()
    for at_s in range(0, 100, 20):
        watched.look(at_s, fault())
        watched.look(at_s + 10)

    assert [notice.state for _, notice in watched.told] == [Stage.FIRING]
    assert [one.condition.key for one in watched.fold.firing] == ["disk"]


def test_a_fault_that_comes_back_before_its_end_is_told_is_there_since_then() -> None:
    watched = Watched()
    for at_s, found in ((0, [fault()]), (5, [fault()]), (10, []), (17, [fault()]), (18, [fault()])):
        watched.look(at_s, *found)

    assert [notice.state for _, notice in watched.told] == [Stage.FIRING]
    assert [one.since_ns for one in watched.fold.firing] == [17 * NS_PER_S]


def test_one_key_is_told_so_often_in_an_hour_and_again_in_the_next() -> None:
    watched = Watched()
    for at_s in range(0, 2 * HOUR_S, 100):
        watched.look(at_s, fault())
        watched.look(at_s + 50)

    times = [at_s for at_s, _ in watched.told]
    assert times[:4] == [0, 50, 100, 150]
    assert len(times) == 8
    assert times[4] > HOUR_S - 100


def test_what_the_limits_held_back_is_told_when_they_allow() -> None:
    watched = Watched(NoticeLimits(per_hour=3, per_key_per_hour=3))
    watched.look(0, *(fault(f"x:{n}", Severity.WARNING) for n in range(3)))
    assert len(watched.told) == 2
    assert watched.fold.waiting == 1

    assert watched.look(HOUR_S - 1, *(fault(f"x:{n}", Severity.WARNING) for n in range(3))) == []
    still = [fault(f"x:{n}", Severity.WARNING) for n in range(3)]
    assert watched.look(HOUR_S, *still) == [Stage.FIRING]


def test_what_the_limits_hold_back_is_shown_while_it_is_there_and_no_longer() -> None:
    watched = Watched(NoticeLimits(per_hour=1, per_key_per_hour=1))
    watched.look(0, fault("a"), fault("b"))
    assert [one.condition.key for one in watched.fold.firing] == ["a", "b"]
    watched.look(29)
    assert [one.condition.key for one in watched.fold.firing] == ["a", "b"]

    assert watched.look(30) == []  # the end of `a` is held back
    assert watched.fold.firing == []
    watched.look(40, fault("a"))
    assert [one.since_ns for one in watched.fold.firing] == [40 * NS_PER_S]
    assert [notice.key for _, notice in watched.told] == ["a"]


def test_the_last_words_are_told_once_whatever_the_limits_say() -> None:
    watched = Watched(NoticeLimits(per_hour=1, per_key_per_hour=1))
    watched.look(0, fault("a"))

    last = watched.fold.take_last([fault("a"), fault("b"), fault("b")], 1, TimestampNs(1))

    assert [(notice.key, notice.state) for notice in last] == [("b", Stage.FIRING)]


def test_warnings_leave_room_for_what_is_critical() -> None:
    watched = Watched()
    warnings = [fault(f"x:{n}", Severity.WARNING) for n in range(20)]
    watched.look(0, *warnings)

    assert watched.look(1, *warnings, fault()) == [Stage.FIRING]


def test_what_is_critical_is_told_first() -> None:
    watched = Watched()
    watched.look(0, fault("a", Severity.WARNING), fault("b"))

    assert [notice.key for _, notice in watched.told] == ["b", "a"]


def test_what_was_over_before_it_could_be_told_is_counted_in_the_next_notice() -> None:
    watched = Watched(NoticeLimits(per_hour=1, per_key_per_hour=1))
    watched.look(0, fault("a"), fault("b"), fault("c"))
    watched.look(60)
    watched.look(HOUR_S, fault("d"))

    assert [n.key for _, n in watched.told] == ["a", "d"]
    assert watched.told[1][1].held_back == 2


STEPS = st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=40)
"""A pause in seconds; then what is wrong: a bit for each of four keys, and whether critical."""


def wrong_in(bits: int) -> dict[str, Condition]:
    severities = (Severity.WARNING, Severity.CRITICAL)
    return {
        key: fault(key, severities[bits >> place + 4 & 1])
        for place, key in enumerate("abcd")
        if bits >> place & 1
    }


ANY_LIMITS = st.builds(
    NoticeLimits,
    per_hour=st.integers(1, 12),
    per_key_per_hour=st.integers(1, 6),
    calm_s=st.sampled_from([0.0, 30.0, 600.0]),
)


@pytest.mark.slow
@given(STEPS, ANY_LIMITS)
def test_whatever_happens_the_limits_hold_and_firing_and_recovered_take_turns(
    steps: list[tuple[int, int]], limits: NoticeLimits
) -> None:
    watched, at_s = Watched(limits), 0
    last_seen: dict[str, int] = {}
    for pause_s, bits in steps:
        at_s += pause_s
        conditions = wrong_in(bits)
        last_seen |= dict.fromkeys(conditions, at_s)
        before = len(watched.told)
        watched.look(at_s, *conditions.values())
        assert {one.condition.key for one in watched.fold.firing} >= set(conditions)
        assert all(
            at_s - last_seen[one.condition.key] <= limits.calm_s for one in watched.fold.firing
        )
        for _, notice in watched.told[before:]:
            if notice.state is Stage.RECOVERED:
                assert at_s - last_seen[notice.key] >= limits.calm_s

    turns: dict[str, list[Stage]] = {}
    for _, notice in watched.told:
        turns.setdefault(notice.key, []).append(notice.state)
    for states in turns.values():
        assert states == [[Stage.FIRING, Stage.RECOVERED][n % 2] for n in range(len(states))]
    times = [told_at for told_at, _ in watched.told]
    for place, told_at in enumerate(times):
        of_the_hour = [t for t in times[: place + 1] if t > told_at - HOUR_S]
        assert len(of_the_hour) <= limits.per_hour
        keys_of = Counter(n.key for t, n in watched.told[: place + 1] if t > told_at - HOUR_S)
        assert max(keys_of.values()) <= limits.per_key_per_hour


@pytest.mark.slow
@given(STEPS)
def test_without_a_limit_every_fault_is_told_at_once(
    steps: list[tuple[int, int]],
) -> None:
    watched, at_s = Watched(NoticeLimits(per_hour=10_000, per_key_per_hour=10_000)), 0
    for pause_s, bits in steps:
        at_s += pause_s
        wrong = wrong_in(bits)
        watched.look(at_s, *wrong.values())
        assert set(wrong) <= {one.condition.key for one in watched.fold.firing}
        assert watched.fold.waiting == 0


@pytest.mark.parametrize("jump_s", [-5_000, -1, 0])
def test_a_clock_that_goes_back_tells_nothing_twice(jump_s: int) -> None:
    watched = Watched()
    watched.look(10_000, fault())
    assert watched.look(10_000 + jump_s, fault()) == []
    assert watched.look(10_000 + jump_s) == []
