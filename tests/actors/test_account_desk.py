"""When a reading of the account proves something: the venue answers by hand, in virtual time."""

from pathlib import Path

import pytest

from messages.halting import ResumeTrading
from messages.lifecycle import ActorState, HaltTrading
from messages.values import OrderState as S
from messages.values import Side
from tests.actors.account_path import Account, started, stream
from tests.actors.order_path import fill
from tests.actors.support import Lines


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return started(tmp_path)


def test_the_account_is_asked_at_once_and_then_every_interval(account: Account) -> None:
    assert account.gateway.accounts == []
    account.after(59)
    assert account.gateway.accounts == []

    account.after(2)

    assert account.gateway.accounts == [account.cell.epoch]


def test_a_stream_that_is_not_live_and_a_question_without_an_answer_are_a_venue_that_is_away(
    account: Account,
) -> None:
    assert account.view.latest["away"] == ""
    assert account.view.latest["interval_s"] == 60
    assert account.view.latest["read_at_ns"] > 0

    account.tell(stream("backoff", "no route"))
    assert account.view.latest["away"] == "venue stream backoff: no route"
    account.tell(stream("live"))
    assert account.view.latest["away"] == ""

    account.says("OutcomeUnknown: no answer")
    assert account.view.latest["away"] == "OutcomeUnknown: no answer"
    account.after(3)
    account.says()
    assert account.view.latest["away"] == ""


def test_a_stream_that_connects_for_the_first_time_is_no_warning(
    account: Account, lines: Lines
) -> None:
    account.tell(stream("connecting"))
    account.tell(stream("connecting", "no route"))

    assert ("INFO", "venue stream connecting") in lines
    assert ("WARNING", "venue stream connecting: no route") in lines


def test_an_execution_that_comes_while_the_venue_is_asked_voids_the_reading(
    account: Account,
) -> None:
    account.next()
    account.bought(1, "t1")

    account.says(USDT="1000", BTC="5")

    assert account.view.latest["skipped"] == "an execution came meanwhile"
    account.after(3)
    account.says(USDT="900", BTC="6")
    assert account.state == "same"


def test_an_execution_that_is_told_after_the_balance_shows_it_is_no_difference(
    account: Account,
) -> None:
    """A resting order fills; the balance is read before the stream tells."""
    account.tell(account.intent(1))
    account.tell(account.submitted(1, S.ACCEPTED))
    account.next()
    account.says(USDT="900", BTC="6")
    account.tell(account.report(1, S.FILLED, "1", (fill("t1"),)))
    account.after(3)

    account.says(USDT="900", BTC="6")

    assert account.state == "same"
    assert account.cell.problem == ""


def test_nobody_is_asked_while_an_order_is_under_way(account: Account) -> None:
    account.tell(account.intent(1))

    account.next()

    assert account.gateway.accounts == []
    assert account.view.latest["skipped"] == "1 orders are under way"


def test_an_order_that_was_sent_while_the_venue_is_asked_voids_the_reading(
    account: Account,
) -> None:
    account.next()
    account.tell(account.intent(1))

    account.says(USDT="900", BTC="6")

    assert account.view.latest["skipped"] == "1 orders are under way"


def test_what_is_filled_without_its_executions_is_waited_for(account: Account) -> None:
    account.tell(account.intent(1))
    account.tell(account.submitted(1, S.FILLED, "1"))
    account.next()
    assert account.view.latest["skipped"] == "not all executions of BTC/USDT are known"

    account.tell(account.report(1, S.FILLED, "1", (fill("t1"),)))
    account.after(3)

    account.says(USDT="900", BTC="6")
    assert account.state == "same"


def test_a_position_that_is_all_on_sale_is_compared_after_a_restart_too(account: Account) -> None:
    """It is no exposure: it was taken for one whose executions nobody knows, while that rests."""
    account.bought(1, "t1")
    account.tell(account.intent(2, Side.SELL))
    account.tell(account.submitted(2, S.ACCEPTED))
    account.start()
    account.tell(account.answer(account.gateway.asked[-1], account.report(2, S.ACCEPTED)))

    account.after(3)

    account.says(USDT="900", BTC="6")
    assert account.state == "same"


def test_a_difference_is_shown_when_it_is_seen_twice_and_goes_when_it_is_gone(
    account: Account,
) -> None:
    account.next()
    account.says(USDT="1500")
    assert account.cell.problem == ""
    account.after(3)
    account.says(USDT="1500")
    assert "500 USDT more" in account.cell.problem
    assert account.matters() == {"account": account.cell.problem}

    account.next()
    account.says()

    assert account.cell.problem == ""
    assert account.matters() == {}
    assert account.state == "same"


def test_a_difference_that_stays_is_logged_once_and_once_more_when_it_goes(
    account: Account, lines: Lines
) -> None:
    account.next()
    account.says_twice(USDT="1500")
    for _ in range(3):
        account.next()
        account.says(USDT="1500")
    account.next()
    account.says()

    told = [(level, text) for level, text in lines if text.startswith("the account: ")]
    assert [level for level, _ in told] == ["ERROR", "INFO"]


def test_a_question_that_failed_says_nothing(account: Account) -> None:
    account.next()
    account.says("OutcomeUnknown: no answer", USDT="0")

    assert account.state == "same"
    assert account.view.latest["skipped"] == "OutcomeUnknown: no answer"


def test_an_answer_to_the_incarnation_before_is_void(account: Account) -> None:
    account.next()
    late = account.read("it is of before")
    account.start()

    account.tell(late)
    account.says()

    assert "skipped" not in account.view.latest


def test_exits_and_entries_go_on_while_the_account_differs(account: Account) -> None:
    account.next()
    account.says_twice(USDT="1500")

    account.bought(1, "t1")
    account.tell(account.intent(2, Side.SELL))

    assert account.sends(1) == account.sends(2) == 1
    assert account.cell.state is ActorState.RUNNING


def test_a_difference_halts_once_where_that_is_asked_for(tmp_path: Path) -> None:
    account = Account(tmp_path, halts=True)
    account.start()
    account.says_twice()
    account.next()
    account.says_twice(USDT="1500")

    assert account.cell.state is ActorState.HALTED
    account.tell(account.intent(1))
    assert account.order(1).state is S.REFUSED


def test_nor_does_it_trade_once_the_halt_is_over_under_which_it_was_found(tmp_path: Path) -> None:
    account = Account(tmp_path, halts=True)
    account.start()
    account.says_twice()
    account.tell(HaltTrading(reason="the price looks wrong", durable=True, request="h"))
    account.next()
    account.says_twice(USDT="1500")

    account.tell(ResumeTrading(request="r", despite_open=True))

    answer = account.kept.board.answer("r")
    assert answer is not None
    assert (answer.ok, "the venue failed" in answer.text) == (False, True)
    account.tell(account.intent(1))
    assert account.order(1).state is S.REFUSED


def test_the_account_is_asked_when_the_stream_is_back(account: Account) -> None:
    account.tell(stream("live"))

    assert len(account.gateway.accounts) == 1
