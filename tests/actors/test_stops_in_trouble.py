"""What goes wrong around a stop for hours, over restarts, and where nobody looks."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from decisions.risk import RiskLimits
from messages.errors import LedgerLost
from messages.ids import NS_PER_S, StrategyId, Symbol, TimestampNs
from messages.market import Trade
from messages.stops import StopActed, StopState
from messages.values import OrderState as S
from messages.values import OrderType, Side
from persistence.ledger import SqliteLedger
from tests.actors.order_path import BTC, Planted, fill, key_of
from tests.actors.stopped_path import AGE_NS, AT_95, Stopped
from tests.actors.test_stop_desk import told

FREE = RiskLimits(allow_short=False)


class Strategy:
    """An address that writes down what it is told of stops."""

    def __init__(self) -> None:
        self.told: list[StopActed] = []
        self.is_out = False

    def tell(self, message: Any, *_: Any) -> bool:
        if isinstance(message, StopActed):
            self.told.append(message)
        return True


class Told(Stopped):
    """Keeps what a strategy would be told of its stops."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder, max_decision_age_ns=AGE_NS, limits=FREE, **settings)
        self.strategy = Strategy()
        self.told = self.strategy.told
        self.cell.arguments["strategies"] = {StrategyId("one"): self.strategy}

    @property
    def position(self) -> Decimal:
        """Of a strategy that entered once, as `StrategyRun.stop_acted` counts."""
        by_key = {one.order_key: one.change for one in self.told}
        return sum(by_key.values(), start=Decimal(1))


@pytest.fixture
def desk(tmp_path: Path) -> Told:
    made = Told(tmp_path)
    made.start()
    return made


# ---------------------------------------------------------------- an exit fails for hours


def test_an_exit_that_fails_for_hours_is_not_tried_at_each_price(desk: Told) -> None:
    desk.enter().price("94")
    for _ in range(9):
        desk.answers(S.REJECTED).after(64 * 60).price("94")
    count = len(desk.exits)
    desk.answers(S.REJECTED).price("94").price("93").price("94")

    assert (count, len(desk.exits)) == (10, 10)


def test_health_is_well_again_once_the_last_stop_has_left(desk: Told) -> None:
    desk.enter().price("94").answers(S.REJECTED)
    assert "its exit failed 1 times" in desk.cell.problem
    desk.after(60).price("94").answers(S.FILLED, "1")

    assert (desk.only_stop.state, desk.cell.problem) == (StopState.DONE, "")


# ---------------------------------------------------------------- a clock jumps


@pytest.mark.parametrize("price", ["99", "94"])
def test_an_event_of_next_year_blinds_no_stop(desk: Told, price: str) -> None:
    desk.enter().price("99")
    far = TimestampNs(desk.runtime.clock.utc_ns() + 365 * 86_400 * NS_PER_S)
    event = Trade(
        symbol=BTC,
        price=Decimal(price),
        quantity=Decimal(1),
        aggressor_side=None,
        ts_event_ns=far,
    )
    desk.tell(event)
    if desk.exits:
        desk.answers(S.REJECTED)
    desk.after(61).price("90")

    assert told(desk.exits)[-1] == (Side.SELL, "1", S.SENT)
    assert all(order.decided_at_ns < far for order in desk.exits)


def test_nor_does_an_entry_that_was_decided_or_filled_next_year(desk: Told) -> None:
    far = TimestampNs(desk.runtime.clock.utc_ns() + 365 * 86_400 * NS_PER_S)
    desk.tell(desk.intent(0, decided_at_ns=far, protection=AT_95))
    desk.tell(desk.intent(1, protection=AT_95))
    desk.fills(0, "1", S.FILLED)
    late = msgspec.structs.replace(fill("late"), ts_event_ns=far)
    desk.tell(desk.report(1, S.FILLED, "1", (late,)))
    desk.price("96").price("94")

    assert told(desk.exits) == [(Side.SELL, "1", S.SENT)] * 2


# ---------------------------------------------------------------- what a strategy is told


def test_an_exit_after_a_failed_one_is_told_once_over_a_restart_of_the_executor(
    desk: Told,
) -> None:
    desk.enter().price("94").answers(S.REJECTED)
    desk.start()
    desk.after(120).price("93").answers(S.REJECTED)
    desk.start()
    desk.after(300).price("93").answers(S.FILLED, "1")

    assert [one.change for one in desk.told] == [-1, 0, 0]


def test_a_strategy_that_began_with_what_is_held_hears_of_the_next_exit(
    desk: Told, tmp_path: Path
) -> None:
    desk.enter().price("94").answers(S.REJECTED)
    desk.stop()
    again = Told(tmp_path, start_ns=desk.runtime.clock.utc_ns() + 120 * NS_PER_S)
    again.start()
    again.price("93")

    assert [one.change for one in again.told] == [-1]


def test_an_exit_whose_commit_nobody_answered_is_told_of_by_the_next_incarnation(
    tmp_path: Path,
) -> None:
    loses: list[str] = []

    class Losing(SqliteLedger):
        def _commit(self, writes: Any) -> None:
            super()._commit(writes)
            if loses:
                raise LedgerLost(loses.pop())

    desk = Told(tmp_path, open_ledger=lambda: Losing(tmp_path / "ledger.db"))
    desk.start()
    desk.enter()
    loses.append("the answer is lost, and the commit is not")
    desk.price("94")
    assert (told(desk.exits), desk.told) == ([(Side.SELL, "1", S.SENT)], [])
    desk.after(2)
    desk.start()
    desk.start()

    assert desk.position == 0
    assert [one.order_key for one in desk.told] == [desk.exits[0].order_key]


def test_a_strategy_that_was_given_up_is_told_once_a_person_has_revived_it(desk: Told) -> None:
    desk.enter()
    desk.strategy.is_out = True
    desk.price("94").answers(S.FILLED, "1")
    desk.start()
    desk.price("93")
    assert (desk.only_stop.state, desk.told) == (StopState.DONE, [])
    desk.strategy.is_out = False
    desk.price("92").price("91")

    assert [one.change for one in desk.told] == [-1]


# ---------------------------------------------------------------- where nobody looks


def test_an_order_that_cannot_be_settled_leaves_other_symbols_protected(desk: Told) -> None:
    desk.enter().tell(desk.intent(1, symbol=Symbol("GONE/USDT")))
    desk.answers(S.UNKNOWN)
    desk.start()
    desk.price("94")

    assert [(one.symbol, one.state) for one in desk.exits] == [(BTC, S.SENT)]
    assert desk.order(1).state is S.UNKNOWN


def test_nothing_acts_while_its_own_entry_is_to_be_settled(desk: Told) -> None:
    desk.enter(filled="0.4", state=S.PARTIALLY_FILLED)
    desk.start()
    desk.price("94")

    assert desk.exits == []


def test_health_says_which_stop_nobody_shows_the_market_to(desk: Told) -> None:
    desk.enter()
    desk.gateway.symbols = (Symbol("ETH/USDT"),)
    desk.start()

    assert "a stop of one on BTC/USDT cannot act" in desk.cell.problem
    desk.gateway.symbols = (BTC,)
    desk.start()
    assert desk.cell.problem == ""


def stuck(desk: Told) -> list[str]:
    return [one.problem for one in desk.kept.board.stuck_stops]


def test_a_stop_that_nobody_shows_the_market_to_needs_a_person(desk: Told) -> None:
    desk.enter()
    desk.gateway.symbols = (Symbol("ETH/USDT"),)
    desk.start()

    (found,) = desk.kept.board.stuck_stops
    assert (found.entry_key, found.symbol) == (key_of(0), BTC)
    assert "cannot act" in found.problem
    desk.gateway.symbols = (BTC,)
    desk.start()
    assert stuck(desk) == []


def test_so_does_one_whose_exits_fail_again_and_again_until_one_is_filled(desk: Told) -> None:
    desk.enter().price("94").answers(S.REJECTED).after(60).price("94").answers(S.REJECTED)
    assert stuck(desk) == []

    desk.after(120).price("94").answers(S.REJECTED)
    assert "its exit failed 3 times" in stuck(desk)[0]
    desk.start()
    assert len(stuck(desk)) == 1, "the next incarnation knows it too"

    desk.after(240).price("94").answers(S.FILLED, "1")
    assert stuck(desk) == []


def test_health_says_that_an_order_stands_in_a_stops_way(desk: Told) -> None:
    resting = desk.intent(
        1, Side.SELL, order_type=OrderType.LIMIT, limit_price=Decimal(130), leaves=Decimal(1)
    )
    desk.enter().tell(resting)
    desk.tell(desk.submitted(1, S.ACCEPTED)).price("94")
    assert desk.exits == []
    assert "stands in another open order" in desk.cell.problem

    desk.fills(1, "0", S.CANCELED)
    assert desk.cell.problem == ""
    desk.price("94")
    assert told(desk.exits) == [(Side.SELL, "1", S.SENT)]


def test_a_strategy_is_told_which_of_its_decisions_was_taken_before_its_stop_acted(
    desk: Told,
) -> None:
    """What it decides meanwhile is judged later, and counts on what the stop has left."""
    desk.enter()
    desk.tell(desk.intent(1))
    desk.price("94")
    desk.tell(desk.intent(2))

    assert [one.after for one in desk.told] == [key_of(1)]


def test_and_so_it_is_by_the_executors_next_incarnation(desk: Told) -> None:
    """Its strategy has decided more meanwhile: of that the stop had left nothing, it thought."""
    desk.enter()
    desk.tell(desk.intent(1))
    desk.fills(1, "1", S.FILLED)
    desk.start()
    desk.price("94")

    assert [one.after for one in desk.told] == [key_of(1)]


def test_of_one_moment_an_exit_that_waited_was_taken_before_what_came_after_it(desk: Told) -> None:
    desk.enter(filled="0", state=S.SENT)
    desk.tell(desk.intent(1, side=Side.SELL, leaves=Decimal(1)), desk.intent(2, protection=AT_95))
    assert key_of(1) not in desk.orders(), "it waits for the first entry"
    desk.fills(0, "1", S.FILLED)
    desk.fills(2, "1", S.FILLED)

    desk.price("94")

    assert [one.after for one in desk.told] == [key_of(2)]


def test_or_by_one_that_tells_it_for_the_one_before(tmp_path: Path) -> None:
    strikes: list[str] = []

    class Struck(SqliteLedger):
        def _commit(self, writes: Any) -> None:
            super()._commit(writes)
            if strikes:
                raise Planted(strikes.pop())

    desk = Told(tmp_path, open_ledger=lambda: Struck(tmp_path / "ledger.db"))
    desk.start()
    desk.enter()
    strikes.append("between the commit and what is told of it")
    desk.price("94")
    assert desk.told == []
    desk.start()

    assert [one.after for one in desk.told] == [key_of(0)]


def test_what_follows_an_exit_is_no_decision_of_its_own(desk: Told) -> None:
    """Its strategy does not know the key; the exit came before what was bought meanwhile."""
    desk.enter(filled="0.5", state=S.PARTIALLY_FILLED)
    desk.tell(desk.intent(1, side=Side.SELL, leaves=Decimal(1)))
    desk.tell(desk.intent(2, protection=AT_95))
    desk.fills(2, "1", S.FILLED)
    desk.fills(0, "1", S.FILLED)
    desk.fills(1, "0.5", S.FILLED)
    assert desk.exits[-1].reason.startswith("the rest of")

    desk.price("94")

    assert {one.after for one in desk.told} == {key_of(2)}


def test_an_exit_while_its_entry_fills_leaves_nothing_that_a_stop_is_yet_to_leave(
    desk: Told,
) -> None:
    """Its strategy counts both as left: one of them was left by nobody, and told by nobody."""
    desk.enter()
    desk.price("94").answers(S.REJECTED)
    desk.tell(desk.intent(1))
    desk.tell(desk.intent(2, side=Side.SELL, leaves=Decimal(1)))
    assert key_of(2) not in desk.orders(), "it waits for the second entry"

    desk.fills(1, "1", S.FILLED)
    assert desk.order(2).state is S.SENT
    desk.after(60).price("94")

    assert told(desk.exits) == [(Side.SELL, "1", S.REJECTED), (Side.SELL, "1", S.SENT)]
