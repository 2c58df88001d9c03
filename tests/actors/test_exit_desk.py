"""What a strategy leaves by itself: never more than has filled, all of it in the end, or told."""

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from decisions.audit import key_problem
from decisions.order_keys import rest_key
from decisions.risk import RiskLimits
from messages.errors import LedgerUnavailable
from messages.ids import NS_PER_S, OrderKey, StrategyId
from messages.lifecycle import HaltTrading
from messages.values import Instrument, OrderType, Side, TimeInForce
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from tests.actors.order_path import BTC, OrderPath, key_of
from tests.actors.stopped_path import AGE_NS, AT_95, Stopped

SPOT, MARGIN = RiskLimits(allow_short=False), RiskLimits(allow_short=True)


@pytest.fixture
def desk(tmp_path: Path) -> Stopped:
    return path(tmp_path)


def path(folder: Path, limits: RiskLimits = SPOT, **more: Any) -> Stopped:
    return Stopped(folder, max_decision_age_ns=AGE_NS, limits=limits, **more).start()


def leave(desk: OrderPath, number: int = 1, quantity: str = "1", **changes: Any) -> None:
    fields = {"quantity": Decimal(quantity), "leaves": Decimal(quantity), "reason": "out"}
    desk.tell(desk.intent(number, side=Side.SELL, **{**fields, **changes}))


def sold(desk: Stopped) -> list[tuple[str, S]]:
    """In the order in which they were sent."""
    orders = desk.orders()
    sent = [one.key for one in desk.gateway.sent if orders[one.key].side is Side.SELL]
    return [(f"{orders[key].quantity.normalize():f}", orders[key].state) for key in sent]


# ---------------------------------------------------------------- while its entry fills


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


def test_one_that_waits_when_the_run_ends_in_order_is_in_the_ledger(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    leave(desk)

    desk.stop()

    assert desk.order(1).state is S.REFUSED
    assert "has not filled" in desk.order(1).state_reason


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


# ---------------------------------------------------------------- more entries and exits than one


def test_what_waits_is_not_sold_from_what_is_bought_after_it(desk: Stopped) -> None:
    """Its entry may never fill, and the later one would be left as soon as it is there."""
    desk.tell(desk.intent(0))
    leave(desk)
    desk.tell(desk.intent(2))

    desk.fills(2, "1", S.FILLED)
    assert sold(desk) == []
    desk.fills(0, "0", S.CANCELED)

    assert sold(desk) == []
    assert desk.order(1).state_reason.startswith("nothing_held: its entry has not filled")
    assert desk.actor.inspect()["leaving"] == []


def two_exits(desk: Stopped) -> None:
    """The rest of the first has nothing to sell, for the second has taken it."""
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.answers(S.FILLED, "0.3")
    desk.tell(desk.intent(2))
    leave(desk, 3)
    desk.fills(0, "0.5")


def test_what_two_exits_take_from_each_other_is_left_by_both_in_the_end(desk: Stopped) -> None:
    """Of a part that was sent for less than it was to leave the rest was forgotten."""
    two_exits(desk)
    desk.fills(2, "0.1")
    desk.fills(2, "1", S.FILLED)
    desk.fills(0, "1", S.FILLED)

    while answer_one(desk, Random(0), fails=False):
        pass

    assert could_be_sold(desk) == 2
    assert desk.actor.inspect()["leaving"] == []


def test_a_part_that_waits_is_to_leave_as_much_whichever_incarnation_looks(desk: Stopped) -> None:
    two_exits(desk)
    before = to_leave(desk)

    begin_anew(desk)
    begin_anew(desk)

    assert to_leave(desk) == before


def to_leave(desk: Stopped) -> Decimal:
    leaving = desk.actor.inspect()["leaving"]
    return sum((one["to_leave"] for one in leaving), start=Decimal(0))


class Failing(SqliteLedger):
    """Fails in the write that is next but so many, before it is on disk or after."""

    left, is_late = 0, False

    def write(self, *args: Any, **more: Any) -> Any:
        self.left -= 1
        if self.left:
            return super().write(*args, **more)
        if self.is_late:
            super().write(*args, **more)
        raise LedgerUnavailable("disk full")


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("brings", "then"), [("1", [("1", S.SENT)]), ("0", [])])
def test_what_waited_survives_the_commit_that_failed(
    tmp_path: Path, brings: str, then: list[tuple[str, S]], is_late: bool
) -> None:
    """It was in no row and waited no more, and nobody else would have left it."""
    where = tmp_path / "ledger.db"
    ledger = Failing(where)
    opened = iter([ledger])
    desk = path(tmp_path, open_ledger=lambda: next(opened, None) or SqliteLedger(where))
    desk.tell(desk.intent(0))
    leave(desk)
    ledger.left, ledger.is_late = 2, is_late

    desk.fills(0, brings, S.FILLED if brings != "0" else S.CANCELED)
    desk.start()
    for asked in desk.gateway.asked:
        if asked.key == key_of(1):
            desk.tell(desk.answer(asked, None))

    assert sold(desk) == then
    assert desk.order(1).state is (S.SENT if then else S.REFUSED)
    assert desk.actor.inspect()["leaving"] == []


# ---------------------------------------------------------------- more than one order takes


def with_most(desk: Stopped, most: str) -> None:
    desk.kept.instruments[BTC] = Instrument(symbol=BTC, max_market_quantity=Decimal(most))


def test_what_the_venue_does_not_take_in_one_order_follows_once_that_has_filled(
    desk: Stopped,
) -> None:
    """Its strategy counts all of it as left: nobody would come for the rest."""
    with_most(desk, "0.4")
    desk.tell(desk.intent(0))
    desk.fills(0, "1", S.FILLED)

    leave(desk)
    assert sold(desk) == [("0.4", S.SENT)]
    desk.answers(S.FILLED, "0.4").answers(S.FILLED, "0.4").answers(S.FILLED, "0.2")

    assert sold(desk) == [("0.4", S.FILLED), ("0.4", S.FILLED), ("0.2", S.FILLED)]
    assert {rest_key(key_of(1), part) for part in (1, 2)} < set(desk.orders())
    assert desk.cell.problem == ""


def test_each_part_is_sent_once_whichever_incarnation_sends_it(desk: Stopped) -> None:
    with_most(desk, "0.4")
    desk.tell(desk.intent(0))
    desk.fills(0, "1", S.FILLED)
    leave(desk)
    desk.answers(S.FILLED, "0.4")

    desk.start()
    first = rest_key(key_of(1), 1)
    asked = next(one for one in desk.gateway.asked if one.key == first)
    desk.tell(desk.answer(asked, answer_of(desk, first, S.FILLED, "0.4")))
    desk.answers(S.FILLED, "0.2")

    assert sorted(sold(desk)) == [("0.2", S.FILLED), ("0.4", S.FILLED), ("0.4", S.FILLED)]


def answer_of(desk: Stopped, key: OrderKey, state: S, filled: str) -> Any:
    report = desk.report(0, state, filled)
    return msgspec.structs.replace(
        report, client_order_id=desk.orders()[key].client_order_id, venue_order_id=None
    )


# ---------------------------------------------------------------- what fails is told


def test_what_a_failed_exit_leaves_held_is_a_warning_until_it_is_gone(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "1", S.FILLED)
    leave(desk)
    desk.answers(S.EXPIRED, "0.4", "found too little")

    assert "one counts as left and holds 0.6 BTC/USDT" in desk.cell.problem
    assert f"its exit {key_of(1)} was expired (found too little)" in desk.cell.problem
    assert f"watchkeeper explain {key_of(1)}" in desk.cell.problem
    leave(desk, 2, "0.6")
    desk.answers(S.FILLED, "0.6")

    assert desk.cell.problem == ""


def test_where_a_part_fails_the_rest_is_told_with_it(desk: Stopped) -> None:
    with_most(desk, "0.4")
    desk.tell(desk.intent(0))
    desk.fills(0, "1", S.FILLED)
    leave(desk)

    desk.answers(S.FILLED, "0.4").answers(S.REJECTED, reason="no")

    assert sold(desk) == [("0.4", S.FILLED), ("0.4", S.REJECTED)]
    assert "holds 0.6 BTC/USDT" in desk.cell.problem


@pytest.mark.parametrize("filled", ["0", "0.3"])
def test_what_a_limit_order_could_not_sell_at_once_is_told_as_it_fills(
    desk: Stopped, filled: str
) -> None:
    desk.tell(desk.intent(0))
    if filled != "0":
        desk.fills(0, filled)
    leave(
        desk,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(99),
        time_in_force=TimeInForce.IOC,
    )
    if filled != "0":
        desk.answers(S.FILLED, filled)
    assert desk.cell.problem == ""

    desk.fills(0, "1", S.FILLED)

    held = Decimal(1) - Decimal(filled)
    assert f"one counts as left and holds {held} BTC/USDT" in desk.cell.problem


def test_an_exit_that_a_halt_refuses_is_told_with_what_is_held(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    desk.tell(HaltTrading(reason="a person", durable=False, request="1"))

    leave(desk)

    assert desk.order(1).state_reason == "halted: a person"
    assert "holds 0.3 BTC/USDT" in desk.actor._exits.problem()


def test_a_halt_refuses_what_waits_and_what_is_to_follow(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.tell(desk.intent(2, strategy_id=StrategyId("two")))
    leave(desk, 3, strategy_id=StrategyId("two"))

    desk.tell(HaltTrading(reason="a person", durable=False, request="1"))
    desk.fills(1, "0.3", S.FILLED)
    desk.fills(0, "0.9", S.CANCELED)

    assert desk.order(3).state_reason == "halted: a person"
    assert sold(desk) == [("0.3", S.FILLED)]
    assert "holds 0.6 BTC/USDT" in desk.actor._exits.problem()


def test_an_exit_that_an_earlier_process_left_open_is_told_if_it_fails(tmp_path: Path) -> None:
    """The position that its strategy begins with counts it as filled."""
    before = path(tmp_path)
    before.tell(before.intent(0))
    before.fills(0, "1", S.FILLED)
    leave(before)
    before.stop()

    desk = Stopped(tmp_path, max_decision_age_ns=AGE_NS, limits=SPOT).start()
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(1, S.CANCELED)))

    assert "holds 1 BTC/USDT" in desk.cell.problem


def test_the_exit_of_a_stop_is_the_stops(desk: Stopped) -> None:
    """It is tried again by itself, and told of by itself."""
    desk.tell(desk.intent(0, protection=AT_95))
    desk.fills(0, "0.3")
    desk.price("94").answers(S.REJECTED, reason="no")

    assert "a stop of one on BTC/USDT acted" in desk.cell.problem
    assert desk.actor._exits.problem() == ""


def test_on_a_market_that_is_shown_again_open_orders_count_as_filled(tmp_path: Path) -> None:
    """There a decision comes to the same each time, however fast the venue is."""
    desk = Stopped(tmp_path).start()
    desk.tell(desk.intent(0))

    leave(desk)

    assert sold(desk) == [("1", S.SENT)]


def test_what_a_stop_protects_is_no_ones_to_look_after(desk: Stopped) -> None:
    desk.tell(desk.intent(0, protection=AT_95))
    desk.fills(0, "1", S.FILLED)

    leave(desk)
    desk.answers(S.REJECTED, reason="no")

    assert desk.cell.problem == ""
    desk.price("94")
    assert sold(desk)[1:] == [("1", S.SENT)]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_in_whatever_order_no_more_is_sold_than_was_bought(
    tmp_path: Path, seed: int
) -> None:
    """And all of it is, where no exit fails; the executor may begin anew at any moment."""
    chance = Random(seed)
    desk = path(tmp_path, chance.choice([SPOT, MARGIN]))
    with_most(desk, chance.choice(["0.3", "10"]))
    bought, fails, last = Decimal(0), seed % 4 == 0, False
    desk.tell(desk.intent(0))
    leaving = chance.randrange(6)
    for step in range(12):
        if step == leaving:
            leave(desk)
        if not last and chance.random() < 0.5:
            bought = min(bought + Decimal(chance.randint(1, 5)) / 10, Decimal(1))
            last = bought == 1 or chance.random() < 0.1
            state = S.FILLED if bought == 1 else S.CANCELED if last else S.PARTIALLY_FILLED
            desk.fills(0, f"{bought}", state)
        else:
            answer_one(desk, chance, fails=fails)
        if chance.random() < 0.1:
            begin_anew(desk)
        assert could_be_sold(desk) <= bought
    desk.fills(0, f"{bought}", S.CANCELED)
    while answer_one(desk, chance, fails=False):
        pass

    assert could_be_sold(desk) == bought or (fails and "counts as left" in desk.cell.problem)


def answer_one(desk: Stopped, chance: Random, *, fails: bool) -> bool:
    for call in reversed(desk.gateway.sent):
        order = desk.orders()[call.key]
        if order.side is Side.SELL and order.state in {S.SENT, S.ACCEPTED}:
            bad = fails and chance.random() < 0.3
            filled = "0" if bad else f"{order.quantity}"
            state = S.REJECTED if bad else S.FILLED
            desk.tell(answer_of(desk, call.key, state, filled))
            return True
    return False


def begin_anew(desk: Stopped) -> None:
    """Every order is asked for: it is at the venue, as it was."""
    seen = len(desk.gateway.asked)
    desk.start()
    for asked in desk.gateway.asked[seen:]:
        order = desk.orders()[asked.key]
        state = S.PARTIALLY_FILLED if order.filled_quantity else S.ACCEPTED
        report = answer_of(desk, asked.key, state, f"{order.filled_quantity}")
        desk.tell(desk.answer(asked, report))


def could_be_sold(desk: Stopped) -> Decimal:
    """What was sold, and what of open exits may yet be."""
    sales = [order for order in desk.orders().values() if order.side is Side.SELL]
    ended = {S.REJECTED, S.REFUSED}
    return sum((one.quantity for one in sales if one.state not in ended), start=Decimal(0))
