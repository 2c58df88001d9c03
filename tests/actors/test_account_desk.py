"""When a reading of the account proves something: the venue answers by hand, in virtual time."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from loguru import logger

from actors.account_desk import UNTOLD_MAX, AccountSettings, AccountView
from messages.account import AcceptAccount, AccountRead
from messages.ids import NS_PER_S, ClientOrderId, TimestampNs
from messages.lifecycle import ActorState
from messages.orders import OrderReport, VenueStream
from messages.values import OrderState as S
from messages.values import Side
from tests.actors.order_path import BTC, OrderPath, fill, key_of

NEVER_OLD_NS = 10**18
START = {"USDT": "1000", "BTC": "5"}


class Account(OrderPath):
    """An order path at a venue with an account; `says` answers the question that waits."""

    def __init__(self, folder: Path, *, halts: bool = False) -> None:
        self.view = AccountView()
        settings = AccountSettings(symbols=(BTC,), interval_ns=60 * NS_PER_S, halts=halts)
        super().__init__(folder, max_decision_age_ns=NEVER_OLD_NS, account=(settings, self.view))

    def says(
        self, problem: str = "", shown: Sequence[OrderReport] | None = None, **balances: str
    ) -> "Account":
        assert self.gateway.accounts, "nobody has asked"
        self.tell(self.read(problem, shown, **balances))
        return self

    def read(
        self, problem: str = "", shown: Sequence[OrderReport] | None = None, **balances: str
    ) -> AccountRead:
        """Give an answer; the open orders are `shown`, else as the ledger knows them."""
        held = {name: Decimal(amount) for name, amount in (START | balances).items()}
        epoch = self.gateway.accounts.pop(0)
        orders = self.resting() if shown is None else shown
        return AccountRead(epoch=epoch, balances=held, open_orders=tuple(orders), problem=problem)

    def resting(self) -> list[OrderReport]:
        """Give the orders that the ledger has resting at the venue."""
        return [
            self.report(number, entry.state, str(entry.filled_quantity))
            for number in range(10)
            if (entry := self.orders().get(key_of(number))) is not None
            and entry.state in (S.ACCEPTED, S.PARTIALLY_FILLED)
        ]

    def says_twice(self, **balances: str) -> "Account":
        self.says("", None, **balances).after(3)
        return self.says("", None, **balances)

    def next(self) -> "Account":
        self.after(61)
        return self

    def bought(self, number: int, name: str) -> "Account":
        """Buy one at a hundred, told of at once."""
        self.tell(self.intent(number))
        self.tell(self.submitted(number, S.ACCEPTED))
        self.tell(self.report(number, S.FILLED, "1", (fill(name),)))
        return self

    @property
    def state(self) -> str:
        return str(self.view.latest["state"])


def stream(phase: str, reason: str = "") -> VenueStream:
    """Give the stream's word of its phase."""
    return VenueStream(phase=phase, reason=reason, attempt=0, retry_in_ms=0, ts_ns=TimestampNs(1))


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """A started executor whose account was read twice: the baseline is there."""
    one = Account(tmp_path)
    one.start()
    one.says_twice()
    assert one.state == "same"
    return one


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


def test_a_stream_that_connects_for_the_first_time_is_no_warning(account: Account) -> None:
    said: list[tuple[str, str]] = []
    sink = logger.add(lambda m: said.append((m.record["level"].name, m.record["message"])))

    account.tell(stream("connecting"))
    account.tell(stream("connecting", "no route"))
    logger.remove(sink)

    assert ("INFO", "venue stream connecting") in said
    assert ("WARNING", "venue stream connecting: no route") in said


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

    account.next()
    account.says()

    assert account.cell.problem == ""
    assert account.state == "same"


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


def test_the_account_is_asked_when_the_stream_is_back(account: Account) -> None:
    account.tell(stream("live"))

    assert len(account.gateway.accounts) == 1


def test_a_baseline_that_cannot_be_read_is_told_and_none_is_made_up(account: Account) -> None:
    account.actor._desk.keep({"account": "nonsense"})
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
