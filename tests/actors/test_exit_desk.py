"""What a strategy leaves by itself: never more than has filled, and all of it in the end."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from decisions.audit import key_problem
from decisions.order_keys import rest_key
from decisions.risk import RiskLimits
from messages.ids import NS_PER_S, StrategyId
from messages.values import Instrument, OrderType, TimeInForce
from messages.values import OrderState as S
from tests.actors.exit_path import (
    MARGIN,
    SPOT,
    leave,
    path,
    sold,
)
from tests.actors.order_path import BTC, key_of
from tests.actors.stopped_path import Stopped


@pytest.fixture
def desk(tmp_path: Path) -> Stopped:
    return path(tmp_path)


@pytest.mark.parametrize("limits", [SPOT, MARGIN], ids=["spot", "margin"])
def test_an_exit_sells_what_has_filled_and_then_what_fills_later(
    tmp_path: Path, limits: RiskLimits
) -> None:
    """Refused whole, its strategy took itself for flat; sent whole, it went short."""
    desk = path(tmp_path, limits)
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")

    leave(desk)
    assert sold(desk) == [("0.3", S.SENT)]
    desk.answers(S.FILLED, "0.3")
    assert sold(desk) == [("0.3", S.FILLED)]
    desk.fills(0, "0.8")
    desk.answers(S.FILLED, "0.5")
    desk.fills(0, "1", S.FILLED)
    desk.answers(S.FILLED, "0.2")

    assert sold(desk) == [("0.3", S.FILLED), ("0.5", S.FILLED), ("0.2", S.FILLED)]
    assert desk.cell.problem == ""


def test_an_audit_knows_the_exit_by_whose_moment_a_further_order_is_named(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.answers(S.FILLED, "0.3").after(5)
    desk.fills(0, "0.8")

    rest = desk.orders()[rest_key(key_of(1), 1)]
    told = msgspec.structs.replace(rest, reason=f"the rest of {key_of(2)}: out")
    assert key_problem(rest) is None
    assert key_problem(told) == "its key is of another moment"
    assert key_problem(msgspec.structs.replace(rest, reason="out")) is not None


def test_what_an_entry_never_fills_is_never_sold(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.answers(S.FILLED, "0.3")

    desk.fills(0, "0.4", S.CANCELED)
    desk.answers(S.FILLED, "0.1")

    assert sold(desk) == [("0.3", S.FILLED), ("0.1", S.FILLED)]
    assert desk.actor.inspect()["leaving"] == []
    assert desk.cell.problem == ""


def test_of_what_fills_while_a_part_is_under_way_the_next_part_takes_all(desk: Stopped) -> None:
    """One at a time: an exit whose outcome is unknown has no second one beside it."""
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.fills(0, "0.5")
    desk.fills(0, "1", S.FILLED)
    assert sold(desk) == [("0.3", S.SENT)]

    desk.answers(S.FILLED, "0.3")

    assert sold(desk) == [("0.3", S.FILLED), ("0.7", S.SENT)]


def test_what_follows_an_exit_is_not_taken_from_what_is_bought_after_it(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.answers(S.FILLED, "0.3")

    desk.tell(desk.intent(2))
    desk.fills(2, "1", S.FILLED)
    assert sold(desk) == [("0.3", S.FILLED)]
    desk.fills(0, "1", S.FILLED)

    assert sold(desk) == [("0.3", S.FILLED), ("0.7", S.SENT)]


def test_an_exit_of_which_nothing_has_filled_waits_for_its_entry(desk: Stopped) -> None:
    """Its answer is on its way: refused now, what it fills would stay held."""
    desk.tell(desk.intent(0))
    leave(desk)
    assert list(desk.orders()) == [key_of(0)]
    (waits,) = desk.actor.inspect()["leaving"]
    assert waits["order_key"] == key_of(1)

    desk.after(60)
    desk.fills(0, "1", S.FILLED)

    assert sold(desk) == [("1", S.SENT)]
    assert desk.order(1).decided_at_ns == desk.runtime.clock.utc_ns() - 60 * NS_PER_S


def test_it_waits_until_what_has_filled_is_enough_for_the_venue(desk: Stopped) -> None:
    """With the first crumb it was refused for good, and all that came then stayed held."""
    desk.kept.instruments[BTC] = Instrument(symbol=BTC, min_quantity=Decimal("0.1"))
    desk.tell(desk.intent(0))
    leave(desk)

    desk.fills(0, "0.05")
    assert key_of(1) not in desk.orders()
    desk.fills(0, "0.3")

    assert sold(desk) == [("0.3", S.SENT)]
    assert desk.cell.problem == ""


def test_what_never_becomes_enough_is_told(desk: Stopped) -> None:
    desk.kept.instruments[BTC] = Instrument(symbol=BTC, min_quantity=Decimal("0.1"))
    desk.tell(desk.intent(0))
    leave(desk)
    desk.tell(desk.intent(2))
    desk.fills(2, "1", S.FILLED)

    desk.fills(0, "0.05")
    desk.fills(0, "0.05", S.CANCELED)

    assert desk.order(1).state_reason.startswith("min_quantity")
    assert "one counts as left and holds 0.05 BTC/USDT" in desk.cell.problem


def test_one_whose_entry_brings_nothing_is_refused_in_the_end(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    leave(desk)

    desk.tell(desk.report(0, S.REJECTED))

    assert desk.order(1).state is S.REFUSED
    assert desk.order(1).state_reason.startswith("nothing_held")
    assert desk.cell.problem == ""


def test_a_waiting_exit_outlives_its_executor_and_is_sent_once(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    leave(desk)

    desk.start()
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(0, S.FILLED, "1")))

    assert sold(desk) == [("1", S.SENT)]


@pytest.mark.parametrize("seconds", [0, 3_600])
def test_one_that_waits_when_the_run_ends_in_order_is_in_the_ledger(
    desk: Stopped, seconds: int
) -> None:
    """However long it has waited, that is not why nothing comes of it."""
    desk.tell(desk.intent(0))
    leave(desk)
    desk.after(seconds)

    desk.stop()

    assert desk.order(1).state is S.REFUSED
    assert "has not filled" in desk.order(1).state_reason


def test_nothing_is_sent_as_a_run_ends_that_does_not_know_yet_what_is_open(desk: Stopped) -> None:
    """As no decision is before all is settled: the next run's strategy decides by what it holds."""
    desk.tell(desk.intent(0), desk.intent(2, strategy_id=StrategyId("two")))
    leave(desk)
    desk.start()
    desk.fills(0, "0.4")

    desk.stop()

    assert desk.order(1).state is S.REFUSED
    assert sold(desk) == []


def test_so_it_is_where_its_strategy_lives_on_and_what_fills_then_is_told(desk: Stopped) -> None:
    """A branch that gave up is ended in order, and a person may start it again."""
    desk.tell(desk.intent(0))
    leave(desk)
    desk.stop()

    desk.start()
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(0, S.FILLED, "1")))

    assert "counts as left and holds 1 BTC/USDT" in desk.cell.problem


def test_so_is_what_its_entry_had_filled_by_the_end(desk: Stopped) -> None:
    desk.tell(desk.intent(0), desk.intent(2, strategy_id=StrategyId("two")))
    leave(desk)
    desk.start()
    desk.fills(0, "1", S.FILLED)
    desk.stop()

    desk.start()
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(2, S.FILLED, "1")))

    assert "one counts as left and holds 1 BTC/USDT" in desk.cell.problem
    assert desk.matters() == {"still_held": desk.cell.problem}


def test_a_limit_order_that_rests_is_refused_before_it_is_another_strategys_coins(
    desk: Stopped,
) -> None:
    desk.tell(desk.intent(0, strategy_id=StrategyId("two")))
    desk.fills(0, "1", S.FILLED)
    desk.tell(desk.intent(1))

    leave(desk, 2, order_type=OrderType.LIMIT, limit_price=Decimal(110))

    assert desk.order(2).state_reason.startswith("no_position")


def test_an_exit_never_sells_what_another_strategy_holds(desk: Stopped) -> None:
    desk.tell(desk.intent(0, strategy_id=StrategyId("two")))
    desk.fills(0, "1", S.FILLED)
    desk.tell(desk.intent(1))

    leave(desk, 2)
    assert sold(desk) == []
    desk.fills(1, "1", S.FILLED)

    assert sold(desk) == [("1", S.SENT)]


def test_one_that_must_trade_at_once_or_not_at_all_sells_what_has_filled(tmp_path: Path) -> None:
    desk = path(tmp_path, MARGIN)
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")

    leave(
        desk,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(99),
        time_in_force=TimeInForce.IOC,
    )

    assert sold(desk) == [("0.3", S.SENT)]


def test_a_strategy_that_manages_its_orders_is_told_and_nothing_follows(tmp_path: Path) -> None:
    """What was not sent is in its position again once the exit has ended; it decides anew."""
    desk = path(tmp_path, managed=[StrategyId("one")])
    desk.tell(desk.intent(0))
    leave(desk, 1)
    desk.fills(0, "0.3")
    leave(desk, 2)
    desk.answers(S.FILLED, "0.3")
    desk.fills(0, "1", S.FILLED)

    assert desk.order(1).state is S.REFUSED
    assert sold(desk) == [("0.3", S.FILLED)]
    assert desk.cell.problem == ""


def test_on_a_market_that_is_shown_again_open_orders_count_as_filled(tmp_path: Path) -> None:
    """There a decision comes to the same each time, however fast the venue is."""
    desk = Stopped(tmp_path).start()
    desk.tell(desk.intent(0))

    leave(desk)

    assert sold(desk) == [("1", S.SENT)]
