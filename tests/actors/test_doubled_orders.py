"""One request that has become two orders: the second is nobody's, and a person is told."""

from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors.doubled_orders import DOUBLED, DoubledOrders
from actors.late_fills import LATE_FILLS
from messages.account import AcceptAccount
from messages.errors import LedgerUnavailable
from messages.ids import VenueOrderId
from messages.orders import Fill, OrderReport
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger, read_fills
from persistence.memory_ledger import MemoryLedger
from tests.actors.account_path import Account, started
from tests.actors.order_path import Asked, fill, key_of


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return started(tmp_path)


def second(
    account: Account, state: S = S.FILLED, filled: str = "1", fills: tuple[Fill, ...] = ()
) -> OrderReport:
    """What the venue says of the other order under the id of the first."""
    report = account.report(1, state, filled, fills)
    return msgspec.structs.replace(report, venue_order_id=VenueOrderId("v1-again"))


def trades(account: Account) -> list[str]:
    """What has executed of the order, as the ledger has it."""
    return [one.trade_id for one in read_fills(account.path, key_of(1))]


def bought_twice(account: Account) -> Account:
    account.bought(1, "t1")
    account.tell(second(account, fills=(fill("t2"),)))
    return account


def test_it_is_told_with_both_names_and_what_to_do(account: Account) -> None:
    bought_twice(account)

    problem = account.cell.problem
    assert f"order {key_of(1)} is at the venue 2 times: as v1," in problem
    assert "and as v1-again" in problem
    assert "what the second has bought is in no position here" in problem
    assert 'watchkeeper account --accept "WHY"' in problem
    assert account.matters() == {"doubled": problem}


def test_its_executions_are_never_the_first_ones(account: Account) -> None:
    """Booked with both, the order would have more executed than filled, and nothing compares."""
    account.tell(account.intent(1))
    account.tell(account.submitted(1, S.ACCEPTED))
    account.tell(account.report(1, S.FILLED, "1"))  # its execution is told of later
    account.tell(second(account, fills=(fill("t2"),)))
    account.tell(account.report(1, S.FILLED, "1", (fill("t1"),)))

    assert trades(account) == ["t1"]
    assert account.order(1).filled_quantity == Decimal(1)
    assert account.order(1).venue_order_id == "v1"


def test_both_within_one_commit_are_told_apart(account: Account) -> None:
    account.tell(account.intent(1))

    account.tell(
        account.report(1, S.PARTIALLY_FILLED, "0.4", (fill("t1", "0.4"),)),
        second(account, fills=(fill("t2"),)),
    )

    assert account.order(1).state is S.PARTIALLY_FILLED
    assert trades(account) == ["t1"]
    assert "is at the venue 2 times" in account.cell.problem


def test_the_account_is_compared_on_and_says_why_it_differs(account: Account) -> None:
    bought_twice(account)
    account.next()

    account.says_twice(USDT="800", BTC="7")

    difference = str(account.view.latest["difference"])
    assert account.state == "differs"
    assert "holds 1 BTC more" in difference
    assert f"order {key_of(1)} is at the venue 2 times" in difference


def test_a_question_whose_answer_is_about_the_other_moves_nothing(account: Account) -> None:
    account.tell(account.intent(1))
    account.tell(account.submitted(1, S.ACCEPTED))
    question = Asked(account.actor.ctx.epoch, key_of(1), account.gateway.sent[0].order)

    account.tell(account.answer(question, second(account)))

    assert account.order(1).state is S.ACCEPTED
    assert "is at the venue 2 times" in account.cell.problem


def test_an_unknown_order_is_settled_by_what_the_venue_shows_and_its_namesakes_are_told(
    account: Account,
) -> None:
    account.tell(account.intent(1))
    account.tell(account.submitted(1, S.UNKNOWN))
    question = account.gateway.asked.pop()
    found = account.report(1, S.FILLED, "1", (fill("t1"),))
    both = msgspec.structs.replace(found, namesakes=(VenueOrderId("v1-again"),))

    account.tell(account.answer(question, both))

    assert account.order(1).state is S.FILLED
    assert "and as v1-again" in account.cell.problem


def test_what_is_said_again_is_told_once(account: Account) -> None:
    bought_twice(account)
    before = account.cell.problem
    account.tell(second(account))

    assert account.cell.problem == before


def test_it_is_told_by_the_next_process_too_and_ends_with_a_persons_word(tmp_path: Path) -> None:
    before = bought_twice(started(tmp_path))
    before.stop()

    after = Account(tmp_path)
    after.start()
    assert "is at the venue 2 times" in after.cell.problem

    after.tell(AcceptAccount(reason="sold by hand"))
    assert "at the venue 2 times" not in after.cell.problem


def test_a_report_without_the_venues_name_is_about_the_order_that_is_known(
    account: Account,
) -> None:
    account.bought(1, "t1")
    nameless = msgspec.structs.replace(account.report(1, S.FILLED, "1"), venue_order_id=None)
    account.tell(nameless)

    assert account.cell.problem == ""


def test_what_a_person_has_accepted_is_told_again_only_with_yet_another(account: Account) -> None:
    bought_twice(account)
    account.tell(AcceptAccount(reason="sold by hand"))
    account.tell(second(account))
    assert "doubled" not in account.matters()

    third = msgspec.structs.replace(second(account), venue_order_id=VenueOrderId("v1-yet-again"))
    account.tell(third)

    assert "at the venue 3 times" in account.matters()["doubled"]


@pytest.mark.parametrize("note", ["not json", "{}", "null", '[{"order_key": 1}]'])
def test_a_note_that_cannot_be_read_keeps_no_run_from_starting(tmp_path: Path, note: str) -> None:
    before = started(tmp_path)
    before.stop()
    with closing(SqliteLedger(before.path)) as ledger:
        ledger.write((), (), 0, {DOUBLED: note, LATE_FILLS: note})

    after = Account(tmp_path)
    after.start()

    assert "cannot be read from the ledger" in after.matters()["doubled"]
    assert "cannot be read from the ledger" in after.matters()["filled_late"]


def test_an_order_that_the_venue_has_named_is_asked_for_by_that_name_too(tmp_path: Path) -> None:
    """By ours alone the venue may tell of the other one for ever, and nothing would settle it."""
    before = started(tmp_path)
    before.tell(before.intent(1))
    before.tell(before.submitted(1, S.ACCEPTED))
    before.stop()

    after = Account(tmp_path)
    after.start()

    assert [asked.order.venue_order_id for asked in after.gateway.asked] == ["v1"]


def test_what_could_not_be_written_down_is_written_when_it_is_seen_again(account: Account) -> None:
    """A note that was only in memory would be gone with the process, and nobody told anew."""
    notes: dict[str, str] = {}

    def keep(new: Mapping[str, str]) -> None:
        if not notes:
            notes["failed"] = "once"
            raise LedgerUnavailable("no room")
        notes.update(new)

    account.bought(1, "t1")
    found = DoubledOrders(account.actor.ctx, MemoryLedger(), keep)
    with pytest.raises(LedgerUnavailable):
        found.saw(account.order(1), second(account))

    found.saw(account.order(1), second(account))

    assert "v1-again" in notes[DOUBLED]
