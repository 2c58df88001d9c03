"""What a failed call is a sign of, and how conditions begin and end."""

import threading

import pytest

from exchanges.conditions import (
    Condition,
    Sign,
    Standing,
    key_refused,
    over,
    sign_of_placement,
    sign_of_question,
)
from exchanges.outcomes import Evidence


def evidence(error: str, http_status: int | None = 400, code: str | None = "-1") -> Evidence:
    return Evidence(error=error, http_status=http_status, code=code)


@pytest.mark.parametrize(
    ("seen", "is_page", "sign"),
    [
        (evidence("AuthenticationError", 401, "-2015"), False, Sign.KEY),
        (evidence("DDoSProtection", 401, "-2015"), False, Sign.KEY),
        (evidence("PermissionDenied", 403), False, Sign.KEY),
        (evidence("DDoSProtection", 429, "-1003"), False, None),
        (evidence("OnMaintenance", 503, "-1000"), False, Sign.MAINTENANCE),
        (evidence("ExchangeNotAvailable", 502, None), True, Sign.PAGE),
        (evidence("ExchangeNotAvailable", 503, None), False, None),
        (evidence("RequestTimeout", None, None), False, None),
        (evidence("OrderNotFound", 400, "-2013"), False, None),
        (evidence("InvalidNonce", 400, "-1021"), False, Sign.CLOCK),
    ],
)
def test_a_failed_question_is_a_sign_of(seen: Evidence, is_page: bool, sign: Sign | None) -> None:
    assert sign_of_question(seen, is_page=is_page) is sign


@pytest.mark.parametrize(
    ("seen", "sign"),
    [
        (evidence("InsufficientFunds", 400, "-2010"), Sign.FUNDS),
        (evidence("InsufficientFunds", 200, "51008"), Sign.FUNDS),
        (evidence("BadSymbol", 400, "-1121"), Sign.RULES),
        (evidence("MarketClosed", 400, "-1013"), Sign.RULES),
        (evidence("InvalidOrder", 400, "-1013"), Sign.RULES),
        (evidence("InvalidOrder", None, None), None),
        (evidence("OrderImmediatelyFillable", 400, "-2010"), None),
        (evidence("ExchangeError", 500, "-9999"), None),
    ],
)
def test_a_failed_placement_is_a_sign_of(seen: Evidence, sign: Sign | None) -> None:
    assert sign_of_placement(seen, is_page=False, is_duplicate=False) is sign


def test_that_an_order_is_there_already_is_a_sign_of_nothing() -> None:
    seen = evidence("InvalidOrder", 400, "-2010")

    assert sign_of_placement(seen, is_page=False, is_duplicate=True) is None


def test_a_condition_is_told_once_and_its_end_once() -> None:
    told: list[Condition] = []
    standing, key = Standing(), key_refused("binance", evidence("AuthenticationError", 401))
    standing.follow(told.append)

    assert standing.begin(key)
    assert not standing.begin(key)
    standing.end("key")
    standing.end("key")

    assert told == [key, over("key")]
    assert not standing.text("key")


def test_who_follows_late_is_told_what_stands() -> None:
    told: list[Condition] = []
    standing, key = Standing(), key_refused("binance", evidence("AuthenticationError", 401))
    standing.begin(key)

    standing.follow(told.append)

    assert told == [key]


def test_what_ends_while_it_is_told_to_who_begins_to_follow_is_told_as_over_after_it() -> None:
    """Told the other way round it would stand for ever in front of whoever listens."""
    standing, told = Standing(), list[Condition]()
    standing.begin(key_refused("binance", evidence("AuthenticationError")))
    (name,) = standing.all
    ends = threading.Thread(target=standing.end, args=(name,))

    def listen(condition: Condition) -> None:
        if not told:
            ends.start()
            ends.join(0.05)  # it would have ended by then
        told.append(condition)

    standing.follow(listen)
    ends.join(20)

    assert [bool(one.text) for one in told] == [True, False]
    assert standing.all == {}
