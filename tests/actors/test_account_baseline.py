"""What the account is compared with, and who says so."""

from pathlib import Path
from typing import Any

import pytest

from messages.account import AcceptAccount
from messages.lifecycle import ActorState
from persistence.ledger import SqliteLedger
from tests.actors.account_path import Account, started


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return started(tmp_path)


def test_what_a_person_accepts_is_the_baseline_after_two_like_readings_and_a_restart(
    account: Account,
) -> None:
    account.next()
    account.says_twice(USDT="1500")
    account.tell(AcceptAccount(reason="a deposit"))
    account.says_twice(USDT="1500")
    accepted: dict[str, Any] = account.view.latest

    assert (accepted["state"], accepted["baseline_why"]) == ("same", "a deposit")
    account.start()
    account.says(USDT="1500")
    assert account.view.latest["baseline_at_ns"] == accepted["baseline_at_ns"]
    assert account.state == "same"


def test_a_baseline_that_cannot_be_read_is_told_and_none_is_made_up(account: Account) -> None:
    ledger = SqliteLedger(account.path)
    ledger.write((), (), 0, {"account": "nonsense"})
    ledger.close()
    account.start().after(200)

    assert account.cell.state is ActorState.RUNNING
    assert "cannot be read from the ledger" in account.cell.problem
    assert account.gateway.accounts == []

    account.tell(AcceptAccount(reason="looked at it"))
    account.says_twice()
    assert account.cell.problem == ""
    assert account.state == "same"


def test_a_baseline_begins_while_what_the_run_does_not_trade_moves(tmp_path: Path) -> None:
    """Another bot trades other coins on the account: what it moves is not looked at."""
    account = Account(tmp_path)
    account.start()

    account.says(DOGE="100").after(3)
    account.says(DOGE="90")

    assert account.state == "same"
    assert account.view.latest["baseline_why"] == "the first start of this run directory"


def test_a_difference_that_changes_with_each_reading_is_told(tmp_path: Path) -> None:
    """Somebody else spends the same money all the time: no two readings are alike."""
    account = Account(tmp_path, halts=True)
    account.start()
    account.says_twice()
    account.next()

    for number in range(10):
        if account.gateway.accounts:
            account.says(USDT=str(900 - 10 * number)).after(3)

    assert account.state == "differs"
    assert "USDT less" in account.cell.problem
    assert account.cell.state is ActorState.HALTED


def test_a_baseline_begins_while_somebody_else_moves_the_same_money(tmp_path: Path) -> None:
    account = Account(tmp_path)
    account.start()

    for number in range(10):
        if account.gateway.accounts:
            account.says(USDT=str(1000 - 10 * number)).after(3)

    assert account.state == "same"


def test_what_is_accepted_after_many_unlike_readings_is_seen_twice_all_the_same(
    account: Account,
) -> None:
    account.next()
    for number in range(6):
        account.says(USDT=str(900 - 10 * number)).after(61)
    assert account.state == "differs"

    account.tell(AcceptAccount(reason="another bot"))
    account.says(USDT="500").after(3)
    assert account.state == "differs", "one reading is no baseline"
    account.says(USDT="500")

    assert account.state == "same"
