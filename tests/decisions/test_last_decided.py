"""After which decision a stop has acted: the last that was taken, in the order of its strategy."""

import msgspec

from decisions.last_decided import LastDecided
from messages.ids import OrderKey, StrategyId
from messages.orders import OrderIntent
from tests.decisions.risk_orders import BTC, intent

PLACE = (StrategyId("one"), BTC)
REST = f"the rest of {'0' * 32}: out"


def decided(key: str, second: float = 1) -> OrderIntent:
    return intent(key=key, second=second)


def test_it_is_the_newest_that_was_claimed_and_nobodys_where_none_was() -> None:
    last = LastDecided()
    assert last.of(PLACE) is None

    last.claimed(decided("1"))
    last.claimed(decided("2"))

    assert last.of(PLACE) == "2"


def test_one_that_has_waited_for_its_entry_is_older_than_what_was_decided_after_it() -> None:
    """Of one moment too: the clock does not tell them apart."""
    last = LastDecided()
    last.waits(decided("1"))
    last.claimed(decided("2"))
    last.waits(decided("1"))
    last.claimed(decided("1"))

    assert last.of(PLACE) == "2"


def test_while_it_waits_it_was_taken_all_the_same() -> None:
    last = LastDecided()
    last.claimed(decided("1"))
    last.waits(decided("2"))

    assert last.of(PLACE) == "2"


def test_what_was_decided_before_and_is_claimed_late_is_not_the_newest() -> None:
    last = LastDecided()
    last.claimed(decided("2", second=2))
    last.claimed(decided("1", second=1))

    assert last.of(PLACE) == "2"


def test_what_follows_an_exit_is_no_decision_though_it_may_have_to_wait() -> None:
    last = LastDecided()
    last.claimed(decided("1"))
    last.claimed(msgspec.structs.replace(decided("2"), reason=REST))
    last.waits(msgspec.structs.replace(decided("3"), reason=REST))

    assert last.of(PLACE) == OrderKey("1")


def test_one_that_was_refused_and_is_decided_anew_waits_no_more() -> None:
    last = LastDecided()
    last.waits(decided("1"))
    last.claimed(decided("2"))
    last.refused(OrderKey("1"))
    last.claimed(decided("1", second=3))

    assert last.of(PLACE) == "1"
