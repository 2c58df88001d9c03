"""The end of an order, and another in its place, under attack: overtaken, halted, killed."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.cancel_desk import CANCELS, PAUSES_NS
from decisions.order_keys import client_order_id
from decisions.resolving import WAIT_NS
from messages.errors import LedgerLost, LedgerUnavailable
from messages.halting import CancelOrder, ResolveOrder, ResumeTrading
from messages.ids import NS_PER_S, ActorPath, OrderKey
from messages.lifecycle import ActorState, HaltTrading, InjectCrash
from messages.market import MarketBatch
from messages.orders import OrderUpdate
from messages.stops import StopState
from messages.values import OrderState as S
from messages.values import Protection
from persistence.ledger import SqliteLedger
from tests.actors.order_path import HandGateway, OrderPath, fill, key_of
from tests.actors.test_cancel_desk import (
    AGE_NS,
    OPEN,
    canceled,
    cancels,
    ending,
    found,
    limit,
    replacing,
)

PERSON = "a person says so"


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor on a live market that has one order open, of 1 BTC at 100."""
    return with_one(OrderPath(tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS))


def with_one(made: OrderPath) -> OrderPath:
    made.start().tell(limit(made, 1))
    return made.tell(made.submitted(1, S.ACCEPTED))


def told(desk: OrderPath, number: int) -> list[S]:
    """What its strategy was told of an order since the last look."""
    found, mailbox = [], desk.runtime.cell("strategy").mailbox
    assert desk.cell.life is not None
    while (envelope := mailbox.poll(desk.cell.life)) is not None:
        if isinstance(envelope.message, OrderUpdate):
            found.append(envelope.message)
    return [one.state for one in found if one.order_key == key_of(number)]


# ------------------------------------------------------------ overtaken


@pytest.mark.parametrize("state", [S.FILLED, S.CANCELED])
def test_the_end_of_the_first_may_come_with_the_wish_to_replace_it(
    desk: OrderPath, state: S
) -> None:
    """It is judged by the ledger of before, and nobody tells of the end once more."""
    desk.tell(desk.report(1, state, "1" if state is S.FILLED else "0.4"), replacing(desk))

    assert desk.order(2).state is (S.REFUSED if state is S.FILLED else S.SENT)
    assert not desk.actor._cancels.waits


def test_a_cancel_and_a_replacement_in_one_breath_end_it_once_and_replace_it(
    desk: OrderPath,
) -> None:
    desk.tell(ending(desk), replacing(desk), ending(desk))
    assert cancels(desk) == 1

    canceled(desk, desk.report(1, S.CANCELED))

    assert desk.sends(2) == 1


def test_questions_of_others_do_not_repeat_a_cancel_that_is_under_way(desk: OrderPath) -> None:
    desk.tell(ending(desk))
    desk.tell(CancelOrder(request="test", order_key=key_of(1)))
    canceled(desk, None, "OutcomeUnknown: it timed out")
    found(desk, desk.report(1, S.ACCEPTED)).after(0.5)
    desk.tell(CancelOrder(request="more", order_key=key_of(1)))
    before = cancels(desk)
    desk.after(60)

    assert cancels(desk) == before + 1, "its own second one, which is not answered"


def test_one_that_the_venue_has_no_more_is_a_difference_and_what_waited_is_refused(
    desk: OrderPath,
) -> None:
    desk.tell(replacing(desk))
    canceled(desk, None, "OutcomeUnknown: the venue shows no order to cancel")

    found(desk, None).after(60)

    assert desk.order(2).state is S.REFUSED
    assert desk.sends(2) == 0
    assert not desk.actor._cancels.waits
    assert "has no such order" in (desk.cell.problem or "")


def test_one_that_was_replaced_is_not_replaced_once_more_after_both_have_ended(
    desk: OrderPath,
) -> None:
    """Else two orders would be for what one has not filled."""
    desk.tell(replacing(desk))
    canceled(desk, desk.report(1, S.CANCELED)).tell(desk.submitted(2, S.FILLED, "1"))

    desk.tell(replacing(desk, 3, quantity=Decimal("0.1")))
    desk.start().tell(replacing(desk, 4, quantity=Decimal("0.1")))

    assert (desk.sends(3), desk.sends(4)) == (0, 0)
    assert desk.order(3).state is desk.order(4).state is S.REFUSED


def test_of_two_for_the_place_of_one_that_has_ended_one_is_sent(desk: OrderPath) -> None:
    desk.tell(desk.report(1, S.CANCELED))

    desk.tell(
        replacing(desk, 2, quantity=Decimal("0.1")), replacing(desk, 3, quantity=Decimal("0.1"))
    )

    assert (desk.sends(2), desk.sends(3)) == (1, 0)
    assert "takes the place" in desk.order(3).state_reason


# ------------------------------------------------------------ people


def test_what_waited_when_trading_was_halted_is_refused_and_not_sent_when_it_goes_on(
    desk: OrderPath,
) -> None:
    desk.tell(replacing(desk))
    desk.tell(HaltTrading(reason=PERSON, durable=True))
    assert "halted" in desk.order(2).state_reason
    desk.tell(ResumeTrading(request="test", despite_open=True))
    assert desk.cell.state is not ActorState.HALTED

    canceled(desk, desk.report(1, S.CANCELED))

    assert desk.order(1).state is S.CANCELED
    assert (desk.order(2).state, desk.sends(2)) == (S.REFUSED, 0)


def test_who_resolves_in_vain_does_not_let_an_ended_order_be_sent_again(tmp_path: Path) -> None:
    desk = OrderPath(tmp_path).start()
    desk.tell(limit(desk, 3, quantity=Decimal("0.1"))).tell(desk.submitted(3, S.UNKNOWN))
    desk.tell(ending(desk, 3)).after(WAIT_NS / NS_PER_S)
    desk.tell(
        ResolveOrder(
            request="test",
            order_key=key_of(3),
            to=S.REFUSED,
            evidence="a guess",
            filled_quantity=None,
            price=None,
            unasked=False,
        )
    )
    found(desk, None, "OutcomeUnknown: it timed out").after(6)

    found(desk, None).after(60)

    assert (desk.order(3).state, desk.sends(3)) == (S.REFUSED, 1)


def test_a_persons_word_on_the_first_is_its_end(desk: OrderPath) -> None:
    desk.tell(replacing(desk))
    canceled(desk, None, "OutcomeUnknown: it timed out")
    desk.tell(
        ResolveOrder(
            request="test",
            order_key=key_of(1),
            to=S.CANCELED,
            evidence="the venue's own page",
            filled_quantity=Decimal("0.5"),
            price=Decimal(100),
            unasked=True,
        )
    )
    assert desk.sends(2) == 0

    found(desk, None, "OutcomeUnknown: NetworkError")

    assert (desk.order(1).filled_quantity, desk.order(2).quantity) == (Decimal("0.5"),) * 2
    assert desk.sends(2) == 1


# ------------------------------------------------------------ deaths


class Dying(SqliteLedger):
    """Fails at the commit that `dies` says, before or after it has written."""

    commits = 0
    dies: tuple[int, bool] | None = None
    error: type[LedgerUnavailable] = LedgerUnavailable

    def _commit(self, writes: Any) -> None:
        Dying.commits += 1
        number, after = Dying.dies or (0, False)
        if number == Dying.commits and not after:
            raise Dying.error("test")
        super()._commit(writes)
        if number == Dying.commits and after:
            raise Dying.error("test")


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OrderPath:
    path = tmp_path / "ledger.db"
    monkeypatch.setattr(Dying, "dies", None)
    made = OrderPath(
        tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS, open_ledger=lambda: Dying(path)
    )
    return with_one(made)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 6))
def test_a_commit_that_fails_loses_neither_the_end_nor_the_second(
    mortal: OrderPath, number: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another order moves in the commit of the first's end, as it may at any time."""
    desk = mortal
    desk.tell(limit(desk, 3, "50", quantity=Decimal("0.1")))
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (number, after))
    intent = replacing(desk)
    for messages in (
        (intent, ending(desk, 3)),
        (desk.submitted(3, S.NOT_SENT), desk.report(1, S.CANCELED, "0.4")),
        (intent,),
    ):
        desk.tell(*messages)
        revive(desk)
    for _ in range(3):
        asked, desk.gateway.asked[:] = desk.gateway.asked[:], []
        for one in asked:
            ended = desk.report(1, S.CANCELED, "0.4") if one.key == key_of(1) else None
            desk.tell(desk.answer(one, ended))
            revive(desk)
        desk.tell(intent, ending(desk, 3)).after(2)
        desk.tell(desk.submitted(3, S.NOT_SENT))
        revive(desk)

    assert desk.order(1).state is S.CANCELED
    assert (desk.order(2).quantity, desk.order(3).state) == (Decimal("0.6"), S.REFUSED)
    assert {one.order.quantity for one in desk.gateway.sent if one.key == key_of(2)} <= {
        Decimal("0.6")
    }


def revive(desk: OrderPath) -> None:
    life = desk.cell.life
    if life is None or life.gone.is_set():
        desk.start()


def test_what_waits_for_its_claim_outlives_a_commit_of_another_order(
    desk: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note of what waits is written with each commit: also between the end and the claim."""
    desk.tell(limit(desk, 3, "50", quantity=Decimal("0.1")), replacing(desk))
    with monkeypatch.context() as patch:
        patch.setattr(type(desk.actor), "_when_settled", lambda _: None)
        canceled(desk, desk.report(1, S.CANCELED))
        desk.tell(desk.submitted(3, S.ACCEPTED), ending(desk, 3))
    assert key_of(2) not in desk.orders()

    desk.start()
    for asked in desk.gateway.asked[-1:]:
        desk.tell(desk.answer(asked, desk.report(3, S.ACCEPTED)))
    desk.after(1)

    assert desk.sends(2) == 1


def test_a_strategy_is_told_of_a_step_whose_telling_an_executor_did_not_survive(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold the order for open, and what is left of it for its position, for ever."""
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, True))
    mortal.tell(mortal.report(1, S.CANCELED, "0.4"))
    assert S.CANCELED not in told(mortal, 1)

    revive(mortal)

    assert told(mortal, 1) == [S.CANCELED]
    mortal.start()
    assert told(mortal, 1) == []


def test_a_ledger_that_is_away_while_the_wish_is_written_is_waited_for(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "error", LedgerLost)
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, False))
    mortal.tell(replacing(mortal))
    assert cancels(mortal) == 0
    mortal.tell(CancelOrder(request="test", order_key=key_of(7)))
    assert mortal.cell.state is ActorState.RECONCILING, "whoever asks for something meanwhile"

    mortal.after(2)
    revive(mortal)
    found(mortal, mortal.report(1, S.ACCEPTED)).after(3)
    canceled(mortal, mortal.report(1, S.CANCELED, "0.3"))

    assert mortal.gateway.sent[-1].order.quantity == Decimal("0.7")


def test_the_answer_to_a_cancel_of_an_executor_that_died_counts(desk: OrderPath) -> None:
    desk.tell(replacing(desk)).start()

    canceled(desk, desk.report(1, S.CANCELED, "0.2"))
    assert desk.sends(2) == 1
    for asked in desk.gateway.asked:
        desk.tell(desk.answer(asked, desk.report(1, S.CANCELED, "0.2")))

    assert desk.sends(2) == 1
    assert desk.order(2).quantity == Decimal("0.8")


def test_a_wish_while_all_is_asked_for_waits_and_is_one(desk: OrderPath) -> None:
    desk.start().tell(replacing(desk), ending(desk), replacing(desk))
    assert cancels(desk) == 0

    found(desk, desk.report(1, S.PARTIALLY_FILLED, "0.5"))
    assert (cancels(desk), desk.sends(2)) == (1, 0)
    canceled(desk, desk.report(1, S.CANCELED, "0.5"))

    assert (cancels(desk), desk.sends(2)) == (1, 1)


def test_a_new_process_may_replace_what_the_one_before_was_replacing(
    desk: OrderPath, tmp_path: Path
) -> None:
    desk.tell(replacing(desk))
    later = OrderPath(tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS).start()
    found(later, later.report(1, S.ACCEPTED))
    assert later.order(2).state is S.REFUSED

    later.tell(replacing(later, 3))
    canceled(later, later.report(1, S.CANCELED))

    assert (later.sends(2), later.sends(3)) == (0, 1)


def test_a_note_that_cannot_be_read_is_a_difference_and_nothing_is_sent(
    desk: OrderPath, tmp_path: Path
) -> None:
    desk.tell(replacing(desk))
    desk.actor._book.write((), (), 1, {CANCELS: '[{"order_key": 5}]'})

    later = OrderPath(tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS).start()
    found(later, later.report(1, S.ACCEPTED))

    assert "cannot be read" in (later.cell.problem or "")
    assert later.sends(2) == 0
    assert later.cell.state is ActorState.RUNNING


def test_what_is_over_is_not_remembered(desk: OrderPath) -> None:
    desk.tell(replacing(desk))
    canceled(desk, desk.report(1, S.CANCELED))

    assert not desk.kept.replacing
    assert not desk.actor._desk.unwanted
    assert not desk.actor._cancels._wishes
    assert not desk.kept.telling


# ------------------------------------------------------------ stops


def test_what_the_first_filled_stays_protected_beside_what_the_second_fills(
    desk: OrderPath,
) -> None:
    stop = Protection(stop_loss=Decimal(90), take_profit=None, trailing=None)
    desk.tell(desk.report(1, S.CANCELED))
    desk.tell(limit(desk, 4, protection=stop)).tell(desk.submitted(4, S.ACCEPTED))
    desk.tell(replacing(desk, 5, 4, protection=stop))
    canceled(desk, desk.report(4, S.CANCELED, "0.4", (fill("a", "0.4"),)))
    assert protected(desk) == {key_of(4): Decimal("0.4"), key_of(5): Decimal(0)}

    desk.tell(desk.submitted(5, S.PARTIALLY_FILLED, "0.1"))

    there = {key_of(4): Decimal("0.4"), key_of(5): Decimal("0.1")}
    assert protected(desk) == there
    assert protected(desk.start()) == there
    found(desk, desk.report(5, S.CANCELED, "0.1"))
    assert protected(desk) == there


def protected(desk: OrderPath) -> dict[OrderKey, Decimal]:
    book = desk.actor._stops.book
    assert all(stop.state is StopState.ARMED for stop in book.stops.values())
    return {key: book.protected(stop) for key, stop in book.stops.items()}


# ------------------------------------------------------------ a market that waits


class Showing(HandGateway):
    """Writes down what it is shown of the market."""

    shown: list[int]

    def market(self, batch: MarketBatch, done: Any) -> None:
        self.__dict__.setdefault("shown", []).append(batch.first_index)
        super().market(batch, done)


def test_a_market_that_waits_does_not_pass_a_wish_that_waits_until_all_is_settled(
    tmp_path: Path,
) -> None:
    """After a crash: else it would be chance what the first fills until it is ended."""
    desk = with_one(OrderPath(tmp_path, make_gateway=Showing))
    desk.tell(InjectCrash(reason="test"))
    revive(desk)
    batch = MarketBatch(feed=ActorPath("feed"), first_index=7, events=(), is_history=False)

    desk.tell(ending(desk), batch)
    assert "shown" not in desk.gateway.__dict__
    found(desk, desk.report(1, S.ACCEPTED))
    assert "shown" not in desk.gateway.__dict__
    canceled(desk, desk.report(1, S.CANCELED))

    assert desk.gateway.__dict__["shown"] == [7]


def test_one_that_cannot_be_ended_holds_a_market_up_no_longer_than_it_is_tried(
    tmp_path: Path,
) -> None:
    desk = with_one(OrderPath(tmp_path, make_gateway=Showing))
    batch = MarketBatch(feed=ActorPath("feed"), first_index=7, events=(), is_history=False)
    desk.tell(ending(desk), batch)
    for _ in PAUSES_NS:
        canceled(desk, None, "OutcomeUnknown: it timed out")
        found(desk, desk.report(1, S.ACCEPTED)).after(60)

    assert desk.gateway.__dict__["shown"] == [7]


def test_a_send_is_only_ever_of_what_is_left(desk: OrderPath) -> None:
    """The name at the venue is the decision's own, whatever of it is sent."""
    desk.tell(replacing(desk))
    canceled(desk, desk.report(1, S.CANCELED, "0.4"))
    desk.tell(desk.submitted(2, S.NOT_SENT)).after(2)

    sent = [one.order for one in desk.gateway.sent if one.key == key_of(2)]
    assert [one.quantity for one in sent] == [Decimal("0.6")] * 2
    assert {one.client_order_id for one in sent} == {client_order_id(key_of(2))}


# ------------------------------------------------------------ a decision that is nobody's any more


def test_a_decision_that_struck_its_executor_is_told_to_have_come_to_nothing(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or its strategy would hold the first for replaced, and never touch it again."""
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, False))
    mortal.tell(replacing(mortal))
    told(mortal, 2)

    revive(mortal)

    assert told(mortal, 2) == [S.REFUSED]
    assert key_of(2) not in mortal.orders()
    assert told(mortal.start(), 2) == []


@pytest.mark.parametrize("replaces", [True, False])
def test_one_that_was_durable_by_then_is_not(
    mortal: OrderPath, replaces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, True))
    mortal.tell(replacing(mortal) if replaces else limit(mortal, 2, quantity=Decimal("0.1")))

    revive(mortal)

    assert S.REFUSED not in told(mortal, 2)


def test_nor_is_one_that_waits_for_the_ledger_to_come_back(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "error", LedgerLost)
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, False))
    mortal.tell(replacing(mortal)).after(2)

    revive(mortal)
    found(mortal, mortal.report(1, S.ACCEPTED)).after(1)

    assert told(mortal, 2) == []
    assert mortal.actor._cancels.has(key_of(2))
