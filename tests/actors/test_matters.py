"""What a person must settle is told by kind, whatever else there is to say first."""

from decimal import Decimal
from pathlib import Path

import pytest

from decisions.risk import RiskLimits
from messages.ids import NS_PER_S, StrategyId
from messages.lifecycle import ActorState, HaltTrading
from messages.orders import VenueNotice
from messages.values import OrderState as S
from tests.actors.exit_path import leave
from tests.actors.order_path import key_of
from tests.actors.stopped_path import AGE_NS, Stopped


@pytest.fixture
def desk(tmp_path: Path) -> Stopped:
    limits = RiskLimits(allow_short=False)
    return Stopped(tmp_path, max_decision_age_ns=AGE_NS, limits=limits).start()


def late(desk: Stopped) -> None:
    """Ended with 0.3 filled, and then more was."""
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    desk.fills(0, "0.3", S.CANCELED)
    desk.fills(0, "0.5", S.CANCELED)


def failed_exit(desk: Stopped) -> None:
    desk.tell(desk.intent(1))
    desk.fills(1, "1", S.FILLED)
    leave(desk, 2)
    desk.fills(2, "0", S.REJECTED)


def test_two_of_them_are_told_where_health_has_words_for_one(desk: Stopped) -> None:
    late(desk)
    failed_exit(desk)

    matters = desk.matters()
    assert set(matters) == {"filled_late", "still_held"}
    assert matters["filled_late"] == desk.cell.problem
    assert f"its exit {key_of(2)} was rejected" in matters["still_held"]


def test_what_lasts_at_the_venue_is_one_each_since_it_began(desk: Stopped) -> None:
    desk.tell(VenueNotice(name="away", text="closed"))
    desk.after(5).tell(VenueNotice(name="symbol BTC/USDT", text="delisted"))
    desk.tell(VenueNotice(name="away", text="still closed"))

    away, symbol = desk.kept.board.matters
    assert (away.kind, away.problem) == ("venue away", "still closed")
    assert (symbol.kind, symbol.problem) == ("venue symbol BTC/USDT", "delisted")
    assert symbol.since_ns - away.since_ns == 5 * NS_PER_S

    desk.tell(VenueNotice(name="away", text=""))
    assert set(desk.matters()) == {"venue symbol BTC/USDT"}


def test_it_is_known_while_trading_is_halted_too(desk: Stopped) -> None:
    desk.tell(HaltTrading(reason="enough", durable=True))
    assert desk.cell.state is ActorState.HALTED

    desk.tell(VenueNotice(name="away", text="closed"))

    assert desk.matters() == {"venue away": "closed"}


def test_an_outcome_that_asking_may_settle_is_none(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    desk.start()

    assert "1 orders to settle" in desk.cell.problem
    assert desk.matters() == {}


def test_what_was_told_stands_while_another_incarnation_settles(desk: Stopped) -> None:
    late(desk)
    desk.tell(desk.intent(3, strategy_id=StrategyId("two"), quantity=Decimal(2)))

    desk.start()

    assert "orders to settle" in desk.cell.problem
    assert set(desk.matters()) == {"filled_late"}
