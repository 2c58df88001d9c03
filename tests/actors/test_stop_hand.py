"""A stop at a person's word: it ends, durably, and nothing is sold for it."""

from decimal import Decimal
from pathlib import Path

import pytest

from decisions.risk import RiskLimits
from messages.errors import LedgerLost
from messages.halting import EndStop
from messages.lifecycle import HaltTrading
from messages.orders import MarketRules
from messages.stops import StopState
from messages.values import Instrument
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from tests.actors.order_path import BTC, key_of
from tests.actors.stopped_path import AGE_NS, Stopped

RULES = Instrument(
    symbol=BTC,
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    min_notional=Decimal(500),
)


@pytest.fixture
def desk(tmp_path: Path) -> Stopped:
    made = Stopped(tmp_path, max_decision_age_ns=AGE_NS, limits=RiskLimits(allow_short=False))
    made.start()
    return made


def end(desk: Stopped, request: str = "e") -> tuple[bool, str]:
    wish = EndStop(request=request, order_key=key_of(0), by="ada", reason="I sell it myself")
    desk.tell(wish)
    told = desk.kept.board.answer(request)
    assert told is not None, "no answer yet"
    return told.ok, told.text


def test_an_armed_stop_ends_and_acts_no_more_also_after_a_restart(desk: Stopped) -> None:
    ok, text = end(desk.enter())
    desk.price("94").start()
    desk.price("90")

    stop = desk.only_stop
    assert ok
    assert text == f"the stop is done: {stop.why}"
    assert stop.why.startswith("ended by ada at ")
    assert stop.why.endswith(" UTC, 1 left to nobody: I sell it myself")
    assert (stop.state, stop.released) == (StopState.DONE, Decimal(1))
    assert [*stop.exits, *desk.exits] == []


def test_one_whose_exits_fail_ends_and_health_is_well_again(desk: Stopped) -> None:
    desk.enter().price("94").answers(S.REJECTED)
    assert "its exit failed 1 times" in desk.cell.problem

    ok, _ = end(desk)

    assert (ok, desk.cell.problem) == (True, "")
    desk.after(60)
    desk.price("93")
    assert [one.state for one in desk.exits] == [S.REJECTED]


def test_a_second_time_it_says_how_it_ended_and_writes_nothing(desk: Stopped) -> None:
    end(desk.enter())
    before = desk.only_stop

    ok, text = end(desk, "again")

    assert (ok, text) == (True, f"it had ended already: {before.why}")
    assert desk.only_stop == before


@pytest.mark.parametrize("state", [S.SENT, S.UNKNOWN, S.ACCEPTED])
def test_while_an_exit_may_be_out_it_does_not_end(desk: Stopped, state: S) -> None:
    desk.enter().price("94")
    if state is not S.SENT:
        desk.answers(state)

    ok, text = end(desk)

    assert not ok
    assert text.startswith(f"its exit {desk.exits[0].order_key} is open ({state}): end that first")
    assert desk.only_stop.state is StopState.ACTED
    desk.start()
    assert desk.only_stop.exits == (desk.exits[0].order_key,)


def test_while_the_entry_may_fill_it_does_not_end(desk: Stopped) -> None:
    ok, text = end(desk.enter(filled="0.4", state=S.PARTIALLY_FILLED))

    assert (ok, text.startswith(f"its entry {key_of(0)} is open")) == (False, True)


def test_under_a_halt_it_ends_too(desk: Stopped) -> None:
    desk.enter().tell(HaltTrading(reason="enough", durable=True))
    desk.price("94")
    assert desk.only_stop.state is StopState.ACTED

    ok, _ = end(desk)

    assert (ok, desk.only_stop.state, desk.exits) == (True, StopState.DONE, [])


def test_of_what_is_no_entry_it_says_so(desk: Stopped) -> None:
    ok, text = end(desk)

    assert (ok, text) == (False, f"no stop was declared with {key_of(0)}")


def test_what_cannot_be_written_has_not_ended_and_ends_once_the_ledger_is_back(
    tmp_path: Path,
) -> None:
    class Lost(SqliteLedger):
        is_away = False

        def write(self, *arguments: object) -> list[object]:  # type: ignore[override]  # a fault, whatever is given
            if Lost.is_away:
                raise LedgerLost("gone")
            return super().write(*arguments)  # type: ignore[arg-type,return-value]  # passed on as it is

    desk = Stopped(tmp_path, open_ledger=lambda: Lost(tmp_path / "ledger.db"))
    desk.start()
    desk.enter()
    Lost.is_away = True
    desk.tell(EndStop(request="e", order_key=key_of(0), by="ada", reason="why"))

    assert desk.kept.board.answer("e") is None
    assert desk.only_stop.state is StopState.ARMED
    Lost.is_away = False
    desk.after(2)
    desk.start()

    told = desk.kept.board.answer("e")
    assert told is not None
    assert told.ok
    assert [stop.state for stop in desk.stop_of.values()] == [StopState.DONE]


def test_health_says_that_what_is_left_is_too_little_and_how_to_end_it(desk: Stopped) -> None:
    desk.enter().tell(MarketRules(instrument=RULES))
    desk.price("94").answers(S.REJECTED, reason="Filter failure: NOTIONAL")

    assert desk.cell.problem.startswith(
        "a stop of one on BTC/USDT acted and its exit failed 1 times (the last: Filter failure:"
        " NOTIONAL); the venue never takes it, for 1 is worth 94 at 94, less than the 500 that it"
        f" takes: `watchkeeper orders end-stop {key_of(0)} --reason TEXT` ends the stop"
    )


def test_one_whose_exit_the_venue_never_takes_needs_a_person_at_once_until_it_is_ended(
    desk: Stopped,
) -> None:
    desk.enter().tell(MarketRules(instrument=RULES))
    desk.price("94").answers(S.REJECTED, reason="Filter failure: NOTIONAL")

    (stuck,) = desk.kept.board.stuck_stops
    assert stuck.problem == desk.cell.problem
    assert "the venue never takes it" in stuck.problem
    end(desk)
    assert desk.kept.board.stuck_stops == ()


def test_without_that_it_says_why_the_last_exit_failed(desk: Stopped) -> None:
    desk.enter().price("94").answers(S.REJECTED, reason="Account has insufficient balance")

    assert "failed 1 times (the last: Account has insufficient balance): look at it" in (
        desk.cell.problem
    )
