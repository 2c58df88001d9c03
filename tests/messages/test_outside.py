"""What a journal keeps: every class is either from outside or from one of our own actors."""

from typing import get_args

from messages.base import Message
from messages.catalogue import AnyMessage
from messages.outside import OUTSIDE, Origin

INSIDE = {
    *("Tick", "Trade", "Candle", "FeedHistory", "FeedGap", "FeedState", "FeedReport", "FeedEnded"),
    *("MarketAck", "OrderIntent", "OrderUpdate", "DuplicateFiltered", "PriceMark", "SendAgain"),
    *("CancelIntent", "CancelAgain"),
    *("Exit", "TimerFired", "Supervision", "Supervise", "RetryStart", "ChildInfo", "AlertTold"),
    *("GatherNow", "Ping", "Inspect", "WhichChildren", "StopActed"),
    *("RunBegun", "StrategyStands", "StrategyEnded", "IntentsJudged"),
    *("BusFrame", "BusPulse", "BusNews"),
}
"""Told by our own actors, or part of what is from outside, or a question that changes nothing."""


def test_every_message_is_known_to_be_from_outside_or_not() -> None:
    catalogue = {kind.__name__ for kind in get_args(AnyMessage)}

    assert INSIDE | {kind.__name__ for kind in OUTSIDE} == catalogue
    assert not INSIDE & {kind.__name__ for kind in OUTSIDE}


def test_what_is_from_outside_never_takes_the_plain_road_past_the_recorder() -> None:
    assert [kind for kind in OUTSIDE if kind.delivery is Message.delivery] == []


def test_the_numbers_stand_in_journals() -> None:
    assert [(one.name, one.value) for one in Origin] == [
        ("MARKET", 1),
        ("VENUE", 2),
        ("TIMER", 3),
        ("COMMAND", 4),
        ("INSIDE", 5),
    ]
