"""Orders that moved at the venue, of which its stream has told nothing."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors.account_desk import UNTOLD_MAX
from messages.account import AcceptAccount
from messages.ids import ClientOrderId
from messages.lifecycle import ActorState
from messages.values import OrderState as S
from tests.actors.account_path import Account, started
from tests.actors.order_path import fill, key_of


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return started(tmp_path)


def with_one_resting(tmp_path: Path) -> Account:
    """A run that halts on a difference, its baseline taken, with one order that rests."""
    account = Account(tmp_path, halts=True)
    account.start()
    account.says_twice()
    account.tell(account.intent(1))
    account.tell(account.submitted(1, S.ACCEPTED))
    account.next()
    return account


@pytest.mark.parametrize("filled", ["0.4", "1"])
def test_what_a_silent_stream_has_not_told_of_is_no_difference(tmp_path: Path, filled: str) -> None:
    """A resting order fills while the stream is away: the account shows it, and nobody tells."""
    account = with_one_resting(tmp_path)
    part = [account.report(1, S.PARTIALLY_FILLED, filled)] if filled != "1" else []
    usdt, btc = str(1000 - Decimal(filled) * 100), str(5 + Decimal(filled))

    account.says(shown=part, USDT=usdt, BTC=btc).after(3)
    account.says(shown=part, USDT=usdt, BTC=btc).after(3)

    assert account.cell.state is ActorState.RUNNING
    assert account.state == "same"
    assert account.view.latest["skipped"] == f"order {key_of(1)} has moved, and nobody told of it"
    account.tell(account.report(1, S.FILLED, "1", (fill("t1"),)))
    account.after(3).says(USDT="900", BTC="6")
    assert account.state == "same"
    assert account.cell.problem == ""


def test_an_order_that_the_venue_never_shows_again_is_told_and_not_waited_for_in_silence(
    tmp_path: Path,
) -> None:
    """Nothing of the account is compared for as long as that is so: a person must know."""
    account = with_one_resting(tmp_path)

    for _ in range(UNTOLD_MAX - 1):
        account.says(shown=[]).after(3)
    assert account.cell.problem == ""

    account.says(shown=[]).after(3)
    assert "the account cannot be compared: order" in account.cell.problem
    assert "`watchkeeper orders resolve`" in account.cell.problem

    account.says().after(3)
    assert account.state == "same"
    assert account.cell.problem == ""


def test_an_order_that_is_listed_under_the_venues_own_number_alone_has_not_moved(
    account: Account,
) -> None:
    account.tell(account.intent(1))
    account.tell(account.submitted(1, S.ACCEPTED))
    account.next()
    (resting,) = account.resting()
    nameless = msgspec.structs.replace(resting, client_order_id=ClientOrderId(""))

    account.says(shown=[nameless])

    assert account.state == "same"
    assert "skipped" not in account.view.latest


def test_what_an_order_filled_after_its_end_stands_beside_the_difference(account: Account) -> None:
    """The exchange told of its end too early, and the ledger holds to that; a person ends it."""
    account.tell(account.intent(0))
    account.tell(account.submitted(0, S.ACCEPTED))
    account.tell(account.report(0, S.CANCELED))
    account.tell(account.report(0, S.CANCELED, "0.5"))

    account.next().says_twice(USDT="950", BTC="5.5")

    told = account.view.latest["difference"]
    assert (
        f"; order {key_of(0)} is canceled with 0 filled here, and the venue says 0.5: find" in told
    )
    account.tell(AcceptAccount(reason="seen"))
    account.says_twice(USDT="950", BTC="5.5")
    assert account.state == "same"
    assert account.cell.problem == ""


def test_an_account_that_is_never_quiet_enough_to_be_compared_is_told(account: Account) -> None:
    account.tell(account.intent(1))
    account.tell(account.submitted(1, S.UNKNOWN))
    account.after(500)
    assert "cannot be compared" not in str(account.matters().get("account"))

    account.after(200)

    told = "the account cannot be compared: for 10 minutes 1 orders are under way"
    assert account.matters()["account"] == told
    account.tell(account.report(1, S.FILLED, "1", (fill("t1"),)))
    account.after(3).says(USDT="900", BTC="6")
    assert "account" not in account.matters()
