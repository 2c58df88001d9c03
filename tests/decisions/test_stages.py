"""The steps of an order become the stages of its way, each once, and nothing stays of the ended."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.stages import OrderStages, StageFold, StageRecord
from messages.order_states import FINAL_STATES, LEGAL_TRANSITIONS
from messages.values import OrderState

S = OrderState


@dataclass
class Order:
    order_key: str = "k"
    client_order_id: str = "wk"
    symbol: str = "BTC/USDT"
    state_reason: str = "because"


def stages_of(*steps: tuple[OrderState, int, int | None]) -> list[tuple[str, int | None, str]]:
    """Claimed at 0; each step is a state, its moment, and when the order left, if news."""
    stages, found = OrderStages(), []
    stages.claimed("k", 0)
    for state, at_ns, left_ns in steps:
        found += stages.moved(Order(), at_ns, left_ns, state)
    return [(one.stage, one.latency_ns, one.outcome) for one in found]


def test_an_order_that_is_accepted_and_fills() -> None:
    assert stages_of(
        (S.ACCEPTED, 30, 10), (S.PARTIALLY_FILLED, 50, None), (S.FILLED, 70, None)
    ) == [
        ("send", 10, "ok"),
        ("ack", 20, "ok"),
        ("fill", 40, "ok"),
    ]


def test_an_order_that_fills_at_once() -> None:
    assert stages_of((S.FILLED, 30, 10)) == [
        ("send", 10, "ok"),
        ("ack", 20, "ok"),
        ("fill", 0, "ok"),
    ]


def test_an_order_that_the_venue_rejects() -> None:
    assert stages_of((S.REJECTED, 30, 10)) == [("send", 10, "ok"), ("ack", 20, "rejected")]


def test_an_unknown_outcome_is_an_error_and_its_fill_has_no_latency() -> None:
    assert stages_of((S.UNKNOWN, 30, 10), (S.FILLED, 99, None)) == [
        ("send", 10, "ok"),
        ("ack", 20, "error"),
        ("fill", None, "ok"),
    ]


def test_one_that_was_not_sent_is_sent_again() -> None:
    assert stages_of((S.NOT_SENT, 5, None), (S.SENT, 100, None), (S.ACCEPTED, 130, 110)) == [
        ("send", 5, "error"),
        ("send", 10, "ok"),
        ("ack", 20, "ok"),
    ]


def test_one_that_is_dropped_before_its_send() -> None:
    assert stages_of((S.NOT_SENT, 5, None), (S.REFUSED, 6, None)) == [("send", 5, "error")]


@pytest.mark.parametrize("end", [S.CANCELED, S.EXPIRED])
def test_one_that_ends_otherwise_is_no_fill(end: OrderState) -> None:
    assert stages_of((S.ACCEPTED, 30, 10), (end, 40, None))[-1] == ("fill", 10, "dropped")


def test_an_order_of_an_earlier_process_has_no_latency() -> None:
    (record,) = OrderStages().moved(Order(), 7, None, S.FILLED)
    assert (record.stage, record.latency_ns, record.outcome) == ("fill", None, "ok")


@st.composite
def ways(draw: st.DrawFn) -> list[OrderState]:
    state, way = S.SENT, []
    for _ in range(draw(st.integers(1, 12))):
        onward = sorted(LEGAL_TRANSITIONS[state])
        if not onward:
            break
        state = draw(st.sampled_from(onward))
        way.append(state)
    return way


@given(ways())
def test_whatever_way_it_goes(way: list[OrderState]) -> None:
    """No latency is negative, each send has one answer, an ended order is forgotten."""
    stages, found = OrderStages(), list[StageRecord]()
    stages.claimed("k", 0)
    for place, state in enumerate(way, 1):
        found += stages.moved(Order(), place * 10, None, state)

    sends = 1 + way.count(S.SENT)
    assert all(one.latency_ns is None or one.latency_ns >= 0 for one in found)
    assert sum(one.stage == "ack" for one in found) <= sends
    assert sum(one.stage == "fill" for one in found) <= 1
    assert len(stages) == 0 or way[-1] not in FINAL_STATES


def test_the_fold_counts_outcomes_also_where_no_latency_is_known() -> None:
    fold = StageFold()
    fold.fold(StageRecord(1, "fill", "k", "BTC/USDT", None, "ok"))
    fold.fold(StageRecord(1, "fill", "k", "BTC/USDT", 5, "dropped"))

    assert fold.outcomes["fill"] == {"ok": 1, "dropped": 1}
    assert fold.summary()["fill"]["count"] == 1
    assert list(fold.summary()) == sorted(fold.summary())


def test_an_interval_is_told_apart() -> None:
    fold = StageFold()
    fold.fold(StageRecord(1, "ack", "k", "BTC/USDT", 5, "ok"))
    before = fold.copies()
    fold.fold(StageRecord(1, "ack", "k", "BTC/USDT", 9, "ok"))

    assert (fold.since(before)["ack"]["count"], fold.since(before)["ack"]["p50"]) == (1, 9)
