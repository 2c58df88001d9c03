import json
from decimal import Decimal
from typing import Any

import pytest

from decisions.metrics import MetricsFold, MetricsInput, money
from messages.ids import (
    ActorPath,
    ClientOrderId,
    Epoch,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
    TradeId,
)
from messages.lifecycle import Supervision
from messages.market import FeedEnded, FeedReport
from messages.orders import DuplicateFiltered, Fill, OrderUpdate, PriceMark
from messages.values import Liquidity, OrderState, Side

S = OrderState
BTC = Symbol("BTC/USDT")
FEED = ActorPath("feeds/feed")


def update(
    state: OrderState,
    key: str = "a",
    reason: str = "",
    side: Side = Side.BUY,
    fills: tuple[Fill, ...] = (),
) -> OrderUpdate:
    return OrderUpdate(
        order_key=OrderKey(key),
        client_order_id=ClientOrderId(key),
        strategy_id=StrategyId("one"),
        symbol=BTC,
        side=side,
        state=state,
        quantity=Decimal(1),
        filled_quantity=Decimal(0),
        average_price=None,
        fills=fills,
        reason=reason,
        decided_at_ns=TimestampNs(0),
        ts_event_ns=TimestampNs(0),
    )


def fill(price: str, fee: str = "0") -> Fill:
    return Fill(
        trade_id=TradeId("t"),
        price=Decimal(price),
        quantity=Decimal(1),
        fee=Decimal(fee),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(0),
    )


def supervision(event: str, reason: str = "", child: str = "execution/executor") -> Supervision:
    return Supervision(
        supervisor=ActorPath("execution"),
        child=ActorPath(child),
        event=event,
        reason=reason,
        epoch=Epoch(1),
        restarts_in_window=0,
        ts_ns=TimestampNs(0),
    )


def feed_report(delivered: int, feed: ActorPath = FEED) -> FeedReport:
    return FeedReport(
        feed=feed,
        delivered=delivered,
        malformed=2,
        duplicate=1,
        out_of_order=0,
        gaps=1,
        missing=3,
        first_problems=("line 7: no price",),
        ended=False,
    )


def summary(*messages: MetricsInput) -> dict[str, Any]:
    metrics = MetricsFold()
    for message in messages:
        metrics.fold(message)
    return metrics.summary()


def test_an_order_that_fills_is_allowed_once_and_filled_once() -> None:
    told = summary(*(update(state) for state in (S.CLAIMED, S.SENT, S.ACCEPTED, S.FILLED)))

    assert (told["allowed"], told["filled"], told["rejected"], told["retries"]) == (1, 1, 0, 0)
    assert told["outcomes_by_stage"] == {
        "claim": {"claimed": 1},
        "send": {"sent": 1},
        "venue": {"accepted": 1, "filled": 1},
    }


@pytest.mark.parametrize(
    ("states", "sent"),
    [
        ((S.CLAIMED,), 0),
        ((S.CLAIMED, S.FILLED), 1),
        ((S.CLAIMED, S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELED), 1),
        ((S.CLAIMED, S.REJECTED), 1),
        ((S.CLAIMED, S.UNKNOWN, S.FILLED), 1),
        ((S.CLAIMED, S.REFUSED), 0),
        ((S.REFUSED,), 0),
        ((S.CLAIMED, S.NOT_SENT, S.SENT, S.ACCEPTED), 1),
        ((S.CLAIMED, S.UNKNOWN, S.NOT_SENT, S.SENT, S.FILLED), 2),
        ((S.ACCEPTED, S.FILLED), 0),
    ],
)
def test_an_order_is_sent_once_its_answer_or_the_lack_of_one_is_told(
    states: tuple[OrderState, ...], sent: int
) -> None:
    """By what is told with metrics off too; of an order of an earlier process nothing is sent."""
    metrics = MetricsFold()
    for state in states:
        metrics.fold(update(state))

    assert metrics.sent == sent


def test_refusals_by_risk_and_by_the_venue_are_rejections_with_their_reasons() -> None:
    told = summary(
        update(S.REFUSED, reason="max_order_notional: 2 at 900 is more than 1000"),
        update(S.REFUSED, reason="max_order_notional: 3 at 900 is more than 1000"),
        update(S.REJECTED, reason="insufficient_funds"),
        update(S.REJECTED),
    )

    assert told["rejected"] == 4
    assert told["rejects_by_reason"] == {
        "insufficient_funds": 1,
        "max_order_notional": 2,
        "rejected": 1,
    }


def test_a_second_send_after_proof_of_absence_is_a_retry() -> None:
    told = summary(*(update(state) for state in (S.SENT, S.UNKNOWN, S.NOT_SENT, S.SENT)))

    assert told["retries"] == 1


def test_another_orders_send_is_no_retry() -> None:
    told = summary(update(S.NOT_SENT, "a"), update(S.SENT, "b"), update(S.REFUSED, "a"))

    assert told["retries"] == 0


def test_a_decision_made_again_is_a_filtered_duplicate() -> None:
    again = DuplicateFiltered(
        order_key=OrderKey("a"), strategy_id=StrategyId("one"), state=S.FILLED
    )

    assert summary(again, again)["dupes_filtered"] == 2


@pytest.mark.parametrize(
    ("event", "reason", "errors"),
    [
        ("exited", "crashed", 1),
        ("exited", "init_failed", 1),
        ("exited", "killed", 1),
        ("exited", "crashed: ValueError: boom", 1),
        ("exited", "normal", 0),
        ("exited", "shutdown", 0),
        ("backoff", "crashed", 0),
    ],
)
def test_an_error_is_an_incarnation_that_ended_badly(event: str, reason: str, errors: int) -> None:
    assert summary(supervision(event, reason))["errors"] == errors


def test_errors_are_told_by_reason_and_restarts_by_actor() -> None:
    told = summary(
        supervision("exited", "crashed"), supervision("restarted"), supervision("restarted")
    )

    assert told["errors_by_reason"] == {"crashed": 1}
    assert told["restarts"] == {"execution/executor": 2}


def test_processed_is_the_newest_word_of_each_feed_and_at_last_its_end() -> None:
    other = ActorPath("feeds/other")

    told = summary(
        feed_report(10),
        feed_report(15),
        feed_report(7, other),
        FeedEnded(feed=FEED, delivered=20),
    )

    assert told["processed"] == 27
    assert told["feeds"]["feeds/other"]["malformed"] == 2


def test_profit_is_net_of_fees_and_told_as_strings() -> None:
    told = summary(
        update(S.FILLED, fills=(fill("100", "0.5"),)),
        PriceMark(symbol=BTC, price=Decimal("90.00"), ts_event_ns=TimestampNs(0)),
        PriceMark(symbol=BTC, price=Decimal("112.50"), ts_event_ns=TimestampNs(0)),
    )

    assert told["pnl"]["USDT"] == {
        "equity": "12",
        "fees": "0.5",
        "max_drawdown_since_start": "10.5",
        "realized": "-0.5",
        "since_start": "12",
        "unrealized": "12.5",
    }
    assert told["positions"]["BTC/USDT"]["quantity"] == "1"


def test_the_summary_is_json_with_its_keys_in_order() -> None:
    told = summary(
        feed_report(3),
        update(S.CLAIMED),
        update(S.FILLED, fills=(fill("100"),)),
        supervision("exited", "killed"),
    )

    assert json.dumps(told) == json.dumps(told, sort_keys=True)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1.500", "1.5"), ("1E+3", "1000"), ("0E-8", "0"), ("-0.00", "0"), ("-2.10", "-2.1")],
)
def test_money_is_written_without_exponents_or_idle_zeros(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text
