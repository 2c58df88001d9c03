from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.market_feed import FlowControl, Span, due_ns
from messages.ids import NS_PER_S, ActorPath, Epoch, TimestampNs

A, B = ActorPath("a"), ActorPath("b")


def flow(window: int = 10) -> FlowControl:
    control = FlowControl([A, B], window)
    for path in (A, B):
        control.observe(path, Epoch(1), gone=False)
    return control


def send_all(control: FlowControl, limit: int) -> list[Span]:
    spans = control.sendable(limit)
    for span in spans:
        control.sent(span)
    return spans


def span(follower: ActorPath, first: int, stop: int) -> Span:
    return Span(follower=follower, first=first, stop=stop)


def test_everybody_is_sent_what_there_is() -> None:
    assert flow().sendable(4) == [span(A, 0, 4), span(B, 0, 4)]


def test_what_was_sent_is_not_sent_again() -> None:
    control = flow()
    send_all(control, 4)

    assert control.sendable(6) == [span(A, 4, 6), span(B, 4, 6)]


def test_nobody_is_sent_more_than_a_window_ahead_of_the_slowest() -> None:
    control = flow(window=10)
    send_all(control, 100)
    control.on_ack(A, 10)

    assert control.sendable(100) == []

    control.on_ack(B, 3)

    assert control.sendable(100) == [span(A, 10, 13), span(B, 10, 13)]


def test_a_new_incarnation_is_sent_what_the_last_had_not_finished() -> None:
    control = flow()
    send_all(control, 8)
    control.on_ack(A, 5)

    control.observe(A, Epoch(2), gone=False)

    assert control.sendable(8) == [span(A, 5, 8)]


def test_seeing_the_same_incarnation_again_changes_nothing() -> None:
    control = flow()
    send_all(control, 8)

    control.observe(A, Epoch(1), gone=False)

    assert control.sendable(8) == []


def test_nobody_waits_for_a_follower_that_is_gone() -> None:
    control = flow(window=10)
    send_all(control, 100)
    control.on_ack(A, 10)

    control.observe(B, Epoch(1), gone=True)

    assert control.sendable(100) == [span(A, 10, 20)]
    assert control.floor == 10


def test_a_follower_that_is_back_goes_on_where_it_stopped() -> None:
    control = flow()
    send_all(control, 8)
    control.on_ack(B, 2)
    control.observe(B, Epoch(1), gone=True)

    control.observe(B, Epoch(1), gone=False)

    assert control.sendable(8) == [span(B, 2, 8)]


def test_with_everybody_gone_nothing_is_sent_and_nothing_is_finished() -> None:
    control = flow()
    for path in (A, B):
        control.observe(path, Epoch(1), gone=True)

    assert control.sendable(5) == []
    assert control.floor is None
    assert not control.finished(0)


def test_a_late_word_and_a_stranger_change_nothing() -> None:
    control = flow()
    control.on_ack(A, 5)

    control.on_ack(A, 3)
    control.on_ack(ActorPath("stranger"), 9)

    assert control.followers[A].next_index == 5


def test_the_feed_is_finished_when_the_slowest_is() -> None:
    control = flow()
    send_all(control, 5)
    control.on_ack(A, 5)

    assert not control.finished(5)

    control.on_ack(B, 5)

    assert control.finished(5)


steps = st.lists(
    st.tuples(st.sampled_from(["send", "take", "crash", "lose_ack"]), st.sampled_from([A, B])),
    max_size=60,
)


@pytest.mark.slow
@given(steps=steps, window=st.integers(1, 7))
def test_whatever_is_lost_every_follower_gets_every_event_within_the_window(
    steps: list[tuple[str, ActorPath]], window: int
) -> None:
    end = 20
    control = FlowControl([A, B], window)
    epochs = {A: 1, B: 1}
    mail: dict[ActorPath, list[Span]] = {A: [], B: []}
    taken = {A: 0, B: 0}

    def do(step: str, path: ActorPath) -> Any:
        if step == "send":
            control.observe(path, Epoch(epochs[path]), gone=False)
            for one in send_all(control, end):
                mail[one.follower].append(one)
                assert one.stop <= min(taken.values()) + window
        elif step == "crash":
            epochs[path] += 1
            mail[path].clear()
        elif mail[path]:
            one = mail[path].pop(0)
            if one.first <= taken[path]:
                taken[path] = max(taken[path], one.stop)
            if step == "take":
                control.on_ack(path, taken[path])

    for step, path in steps:
        do(step, path)
    for path in (A, B):
        epochs[path] += 1
        mail[path].clear()
        control.observe(path, Epoch(epochs[path]), gone=False)
    for _ in range(2 * end):
        for path in (A, B):
            do("send", path)
            do("take", path)

    assert taken == {A: end, B: end}
    assert control.finished(end)


@pytest.mark.parametrize(
    ("speed", "expected_s"), [(0, 1_000), (1, 1_600), (600, 1_001), (0.5, 2_200)]
)
def test_market_time_passes_as_fast_as_the_speed_says(speed: float, expected_s: int) -> None:
    first = TimestampNs(5 * NS_PER_S)
    event = TimestampNs(605 * NS_PER_S)

    due = due_ns(event, first, TimestampNs(1_000 * NS_PER_S), speed)

    assert due == expected_s * NS_PER_S


def test_a_leader_finishes_an_event_before_anybody_else_is_sent_it() -> None:
    control = FlowControl([A, B], window=1, leaders=[B])

    assert send_all(control, 3) == [span(B, 0, 1)]
    control.on_ack(B, 1)
    assert send_all(control, 3) == [span(A, 0, 1)]
    control.on_ack(A, 1)
    assert send_all(control, 3) == [span(B, 1, 2)]


def test_nobody_waits_for_a_leader_that_is_gone() -> None:
    control = FlowControl([A, B], window=1, leaders=[B])
    control.observe(B, Epoch(1), gone=True)

    assert send_all(control, 3) == [span(A, 0, 1)]
