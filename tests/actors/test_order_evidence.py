"""Evidence is about one send: what was known before it proves nothing after it."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors.executor import ExecutorKept
from decisions.risk import RiskLimits
from messages.ids import NS_PER_S
from messages.lifecycle import HaltTrading
from messages.values import OrderState as S
from messages.values import Side
from tests.actors.order_path import BTC, OrderPath, fill, key_of


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor that has begun, on an empty ledger."""
    return OrderPath(tmp_path).start()


def test_an_absence_that_was_asked_for_before_the_last_send_proves_nothing(
    desk: OrderPath,
) -> None:
    """Two questions of one order are under way: another order's failed one had it asked twice."""
    desk.tell(desk.intent(1), desk.intent(2))
    desk.tell(desk.submitted(1, S.UNKNOWN), desk.submitted(2, S.UNKNOWN))
    first, other = desk.gateway.asked
    desk.tell(desk.answer(other, None, "no answer")).after(2)
    questions = [one for one in desk.gateway.asked if one.key == first.key]

    desk.tell(desk.answer(first, None))
    assert desk.sends(1) == 2, "it was proved absent"
    desk.tell(desk.submitted(1, S.UNKNOWN))
    for old in questions[1:]:
        desk.tell(desk.answer(old, None))
    desk.after(30)

    assert desk.sends(1) == 2
    assert desk.order(1).state is S.UNKNOWN


def test_an_absence_from_before_a_restart_proves_nothing_after_a_send(desk: OrderPath) -> None:
    desk.tell(desk.intent(1))
    failed = desk.submitted(1, S.NOT_SENT)
    desk.start()
    (question,) = desk.gateway.asked

    desk.tell(failed, desk.answer(question, None))
    sends = desk.sends(1)
    desk.tell(desk.submitted(1, S.ACCEPTED))

    assert sends == 2
    assert desk.order(1).state is S.ACCEPTED


def test_a_failed_send_that_is_told_twice_is_not_the_failure_of_the_next(desk: OrderPath) -> None:
    """A group that was handed back holds reports that were recorded already."""
    desk.tell(desk.intent(1))
    failed = desk.submitted(1, S.NOT_SENT)
    desk.start().tell(failed)
    desk.tell(desk.answer(desk.gateway.asked[-1], None))
    sends = desk.sends(1)
    desk.start().tell(failed)

    assert sends == 2
    assert desk.sends(1) == sends
    assert desk.order(1).state is S.SENT


def test_an_order_that_the_same_breath_shows_is_not_given_up_for_its_age(tmp_path: Path) -> None:
    desk = OrderPath(tmp_path, max_decision_age_ns=NS_PER_S).start()
    desk.tell(desk.intent(0)).after(5)

    desk.tell(desk.submitted(0, S.NOT_SENT), desk.report(0, S.ACCEPTED))

    assert (desk.order(0).state, desk.sends(0)) == (S.ACCEPTED, 1)


def test_a_void_answer_is_asked_for_again(desk: OrderPath) -> None:
    desk.tell(desk.intent(1)).start()
    (question,) = desk.gateway.asked
    desk.tell(desk.answer(question, None))
    desk.tell(desk.submitted(1, S.UNKNOWN))

    assert desk.sends(1) == 2
    assert len(desk.gateway.asked) == 2
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(1, S.FILLED, "1")))
    assert desk.order(1).state is S.FILLED


def test_an_order_that_the_stream_shows_is_not_sent_again(desk: OrderPath) -> None:
    """It was proved absent, and was there: whoever said otherwise, it is not sent again."""
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.NOT_SENT))
    assert desk.order(1).state is S.NOT_SENT

    desk.tell(desk.report(1, S.ACCEPTED)).after(30)

    assert desk.sends(1) == 1
    assert desk.order(1).state is S.ACCEPTED


def test_a_venue_that_is_away_is_asked_seldom_and_one_that_answers_often_again(
    desk: OrderPath,
) -> None:
    def rounds(seconds: int) -> int:
        before = len(desk.gateway.asked)
        for _ in range(seconds):
            desk.tell(desk.answer(desk.gateway.asked[-1], None, "no answer")).after(1.01)
        return len(desk.gateway.asked) - before

    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN))
    assert rounds(30) >= 29
    assert rounds(60) <= 13

    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(1, S.FILLED, "1")))
    desk.tell(desk.intent(2)).tell(desk.submitted(2, S.UNKNOWN))
    assert rounds(10) >= 9


def test_a_symbol_is_free_again_once_its_unknown_order_is_known_by_the_stream(
    desk: OrderPath,
) -> None:
    desk.tell(desk.intent(1))
    desk.tell(desk.submitted(1, S.UNKNOWN), desk.report(1, S.FILLED, "1"))
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(1, S.FILLED, "1")))

    desk.tell(desk.intent(2))

    assert desk.order(2).state is S.SENT, desk.order(2).state_reason


def test_reconciling_ends_when_the_stream_settles_the_last_order(desk: OrderPath) -> None:
    desk.tell(desk.intent(1)).start()
    desk.tell(desk.intent(2))
    desk.tell(desk.answer(desk.gateway.asked[-1], None, "no answer"))

    desk.tell(desk.report(1, S.FILLED, "1")).after(5)

    assert desk.order(2).state is S.SENT


def test_what_waited_for_reconciling_is_refused_by_name_when_trading_is_halted(
    desk: OrderPath,
) -> None:
    desk.tell(desk.intent(1)).start()
    desk.tell(desk.intent(2))
    desk.tell(HaltTrading(reason="a person", durable=True))

    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(1, S.FILLED, "1")))

    assert desk.order(2).state is S.REFUSED
    assert desk.order(2).state_reason == "halted: a person"


def test_what_waited_for_reconciling_is_a_dead_letter_when_the_process_ends(
    desk: OrderPath,
) -> None:
    desk.tell(desk.intent(1)).start()
    desk.tell(desk.intent(2))

    desk.stop()
    desk.runtime.close(desk.cell, "stopped")

    assert key_of(2) not in desk.orders()
    lost = [letter.message for letter in desk.runtime.dead_letters.ring]
    assert [m.order_key for m in lost if hasattr(m, "side")] == [key_of(2)]


def test_fewer_fills_than_known_move_nothing(desk: OrderPath) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.PARTIALLY_FILLED, "0.5"))

    desk.tell(desk.report(1, S.CANCELED, "0.3"))

    assert desk.order(1).state is S.PARTIALLY_FILLED
    assert desk.actor._desk._risk.exposure == desk.inside(lambda one: one._book.exposure())


def test_a_partial_fill_that_fills_nothing_more_harms_nobody(desk: OrderPath) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.ACCEPTED))

    desk.tell(desk.report(1, S.PARTIALLY_FILLED, "0"))

    assert desk.order(1).state is S.ACCEPTED


def test_an_accepted_order_that_the_venue_has_no_more_is_told_of(
    desk: OrderPath,
) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.ACCEPTED)).start()

    desk.tell(desk.answer(desk.gateway.asked[-1], None))

    assert desk.order(1).state is S.ACCEPTED
    assert key_of(1) in desk.cell.problem


def test_exposure_holds_what_will_be_sent_again(tmp_path: Path) -> None:
    limits = RiskLimits(max_position_notional=Decimal(100))
    desk = OrderPath(tmp_path, limits=limits).start()
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.NOT_SENT))

    desk.tell(desk.intent(2))
    desk.after(5)

    assert desk.sends(1) == 2
    assert desk.order(2).state is S.REFUSED


def test_a_stale_decision_in_the_same_group_makes_nothing_an_exit(tmp_path: Path) -> None:
    limits = RiskLimits(max_order_notional=Decimal(50))
    desk = OrderPath(tmp_path, limits=limits, max_decision_age_ns=10 * NS_PER_S).start()
    stale = desk.intent(1, Side.BUY, quantity=Decimal("0.5"))
    desk.after(11)

    desk.tell(stale, desk.intent(2, Side.SELL, quantity=Decimal("0.8")))

    assert desk.order(1).state is S.REFUSED
    assert desk.order(2).state is S.REFUSED


def test_an_order_thought_unsent_that_is_found_partly_filled_is_recorded_so(
    desk: OrderPath,
) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.NOT_SENT)).start()

    found = desk.report(1, S.PARTIALLY_FILLED, "0.4")
    desk.tell(desk.answer(desk.gateway.asked[-1], found))

    assert desk.order(1).state is S.PARTIALLY_FILLED


@pytest.mark.parametrize("last", [S.PARTIALLY_FILLED, S.FILLED])
def test_executions_that_are_told_after_the_order_is_are_counted_once(
    tmp_path: Path, last: S
) -> None:
    """As streams do: first how much of the order is filled, then each trade."""
    limits = RiskLimits(max_daily_loss={"USDT": Decimal(1_000)})
    desk = OrderPath(tmp_path, limits=limits).start()
    filled = "1" if last is S.FILLED else "0.5"
    desk.tell(desk.intent(1)).tell(desk.submitted(1, last, filled))
    told = desk.report(1, last, filled, (fill("t1", filled),))

    desk.tell(told, told)
    desk.tell(told)

    risk = desk.actor._desk._risk
    fills, exposure, note = desk.inside(
        lambda one: (one._book.fills_of(key_of(1)), one._book.exposure(), one._book.note("equity"))
    )
    assert [one.trade_id for one in fills] == ["t1"]
    assert risk.equity.holdings[BTC].quantity == Decimal(filled)
    assert risk.exposure == exposure
    assert note is not None
    assert msgspec.json.decode(note, type=type(risk.equity)) == risk.equity


def test_a_loss_limit_that_comes_later_knows_the_trades_from_before(tmp_path: Path) -> None:
    desk = OrderPath(tmp_path).start()
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.ACCEPTED))
    desk.tell(desk.report(1, S.FILLED, "1", (fill("t1", "1"),)))
    desk.stop()

    limits = RiskLimits(max_daily_loss={"USDT": Decimal(1_000)})
    limited = OrderPath(tmp_path, limits=limits).start()

    assert limited.actor._desk._risk.equity.holdings[BTC].quantity == 1


def test_a_loss_limit_that_is_taken_away_leaves_nothing_that_a_later_one_would_believe(
    tmp_path: Path,
) -> None:
    """What the limit had kept is of before: nobody goes on counting."""
    limits = RiskLimits(max_daily_loss={"USDT": Decimal(1_000)})
    limited = OrderPath(tmp_path, limits=limits).start()
    limited.tell(limited.intent(1)).tell(limited.submitted(1, S.ACCEPTED))
    limited.tell(limited.report(1, S.FILLED, "1", (fill("t1", "1"),)))
    limited.stop()

    without = OrderPath(tmp_path).start()

    assert not without.inside(lambda it: it._book.note("equity"))


class Life:
    """An incarnation of an executor."""

    def __init__(self, epoch: int) -> None:
        self.epoch, self.fenced = epoch, False


def test_an_incarnation_that_was_given_up_neither_adds_to_nor_empties_what_the_next_holds(
    desk: OrderPath,
) -> None:
    first, second, third = (desk.intent(number) for number in (1, 2, 3))
    kept = ExecutorKept()
    old, _ = kept.take(Life(1))
    assert kept.hold(old, None, [first])
    new, taken = kept.take(Life(2))
    assert taken == [first]
    assert kept.hold(new, None, [second])

    assert not kept.hold(old, None, [third])
    old.in_hand = []

    assert kept.take(Life(3))[1] == [second]


@pytest.mark.parametrize("is_fenced", [True, False])
def test_who_comes_back_from_a_start_that_took_too_long_takes_nothing_from_its_successor(
    desk: OrderPath, is_fenced: bool
) -> None:
    kept, late = ExecutorKept(), Life(1)
    late.fenced = is_fenced
    new, _ = kept.take(Life(2))
    assert kept.hold(new, None, [desk.intent(1)])

    assert kept.take(late)[1] == []
    assert kept.hold(new, None, [desk.intent(2)])


def test_who_waits_until_all_is_settled_says_what_the_venue_says_instead(desk: OrderPath) -> None:
    desk.tell(desk.intent(1)).start()
    desk.tell(desk.answer(desk.gateway.asked[-1], None, "no_answer: HTTP 500"))

    assert desk.cell.problem == (
        "1 orders to settle; the venue does not say what became of 1 order(s): no_answer: HTTP 500"
    )
    desk.after(1).tell(desk.answer(desk.gateway.asked[-1], None))
    assert desk.cell.problem == ""


def test_an_order_of_unknown_outcome_says_why_it_is_not_settled_until_it_is(
    desk: OrderPath,
) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN))
    desk.tell(desk.answer(desk.gateway.asked[-1], None, "no_answer: HTTP 500"))
    said = desk.cell.problem
    desk.tell(desk.submitted(1, S.FILLED, "1")).after(2)

    assert said.endswith("what became of 1 order(s): no_answer: HTTP 500")
    assert desk.cell.problem != said


def test_an_answer_that_follows_one_from_before_a_restart_is_taken(desk: OrderPath) -> None:
    """The venue tells of an end but once: an order that it then rests here would rest for good."""
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN))
    first = desk.gateway.asked[-1]
    desk.start()
    second = desk.gateway.asked[-1]
    assert second.epoch > first.epoch

    desk.tell(desk.answer(first, desk.report(1, S.ACCEPTED)))
    desk.tell(desk.answer(second, desk.report(1, S.FILLED, "1", (fill("t1"),))))

    assert desk.order(1).state is S.FILLED
    assert desk.inside(lambda it: it._book.exposure()) == {BTC: 1}
    assert desk.sends(1) == 1


def test_an_answer_from_before_a_restart_that_comes_last_takes_nothing_back(
    desk: OrderPath,
) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN))
    first = desk.gateway.asked[-1]
    desk.start()
    second = desk.gateway.asked[-1]

    half = desk.report(1, S.PARTIALLY_FILLED, "0.5", (fill("t1", "0.5"),))
    desk.tell(desk.answer(second, half))
    desk.tell(desk.answer(first, desk.report(1, S.ACCEPTED)))

    order = desk.order(1)
    assert (order.state, order.filled_quantity) == (S.PARTIALLY_FILLED, Decimal("0.5"))
