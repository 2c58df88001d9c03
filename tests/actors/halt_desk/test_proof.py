"""The kill switch in the executor: durable first, then cancels, asks, and proves."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from decisions.halting import recover
from decisions.order_keys import client_order_id
from messages.halting import OpenListed
from messages.ids import ClientOrderId, TimestampNs, VenueOrderId
from messages.lifecycle import ActorState
from messages.orders import OrderReport
from messages.values import OrderState as S
from persistence.ledger import read_events
from tests.actors.halt_desk.halts import HALT, HALTING, PROVED, Venue, record_of, state_of
from tests.actors.order_path import BTC, OrderPath, key_of


def test_a_halt_is_on_disk_before_the_venue_is_asked_for_anything(
    desk: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    gateway = desk.gateway

    def list_open(*_: object) -> None:
        seen.append(record_of(desk))

    monkeypatch.setattr(gateway, "list_open", list_open)
    desk.tell(HALT)

    (text,) = seen
    record = recover(text, TimestampNs(0))[0].record
    assert record is not None
    assert record.reason == "the operator said so"


def test_what_is_open_is_canceled_and_the_proof_is_an_empty_list(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1), desk.intent(2))
    venue.accepts(1)
    venue.accepts(2, filled="0.25")

    desk.tell(HALT)
    assert desk.cell.problem == "halting: the venue is asked what is open: the operator said so"
    assert venue.works_once()
    assert desk.cell.problem == "halting: 2 orders to be closed: the operator said so"
    venue.works()

    assert state_of(desk) == PROVED
    assert (desk.order(1).state, desk.order(2).state) == (S.CANCELED, S.CANCELED)
    assert desk.order(2).filled_quantity == Decimal("0.25")
    assert desk.actor._desk._risk.exposure == {BTC: Decimal("0.25")}
    assert desk.cell.state is ActorState.HALTED
    assert desk.cell.problem.startswith("proved: nothing open at ")
    assert [e.evidence for e in read_events(desk.path, key_of(1))][-1] == "test"


def test_what_the_ledger_knows_is_canceled_though_the_venue_lists_nothing(
    desk: OrderPath, venue: Venue
) -> None:
    """One symbol that could not be asked for left the orders of all others open."""
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(HALT)
    epoch, question, _ = desk.gateway.listed[0]

    desk.tell(OpenListed(question=question, epoch=epoch, reports=(), problem="no such market"))

    assert [one.key for one in desk.gateway.canceled] == [key_of(1)]
    assert state_of(desk) == HALTING


def test_and_so_is_what_ended_here_and_is_open_by_the_part_that_it_did_list(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(desk.report(1, S.CANCELED, "0"))
    desk.tell(HALT)
    epoch, question, _ = desk.gateway.listed[0]
    shown = (desk.report(1, S.ACCEPTED, "0"),)

    desk.tell(OpenListed(question=question, epoch=epoch, reports=shown, problem="no such market"))

    assert [one.key for one in desk.gateway.canceled] == [key_of(1)]


def test_the_list_is_asked_for_on_every_symbol_of_the_run_and_of_open_orders(
    desk: OrderPath, venue: Venue
) -> None:
    desk.gateway.symbols = ("ETH/USDT",)  # type: ignore[assignment]  # a played gateway
    desk.tell(desk.intent(1))
    venue.accepts(1)

    desk.tell(HALT)

    assert desk.gateway.listed[0][2] == ("ETH/USDT", "BTC/USDT")


def test_orders_of_others_are_seen_named_and_left_alone(desk: OrderPath, venue: Venue) -> None:
    other = desk.report(0, S.ACCEPTED)
    venue.foreign = (
        OrderReport(
            **{
                **{f: getattr(other, f) for f in OrderReport.__struct_fields__},
                "client_order_id": ClientOrderId("web_123"),
                "venue_order_id": VenueOrderId("V77"),
            }
        ),
    )
    desk.tell(HALT)
    venue.works()

    assert state_of(desk) == PROVED
    assert desk.kept.board.halt.foreign == ("BTC/USDT V77",)
    assert "1 orders of others were seen and left alone" in desk.cell.problem
    assert desk.gateway.canceled == []


def test_an_order_that_is_final_here_and_listed_there_is_ours_and_is_canceled(
    desk: OrderPath, venue: Venue
) -> None:
    """Absence that was proved and was wrong: the ledger refused it, and there it is."""
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.REJECTED))
    venue.takes(1)

    desk.tell(HALT)
    venue.works()

    assert [call.key for call in desk.gateway.canceled] == [key_of(1)]
    assert state_of(desk) == PROVED
    assert desk.order(1).state is S.REJECTED
    assert "is rejected with 0 filled here; at the venue it is open" in desk.actor._desk.difference


def test_so_is_one_whose_id_begins_as_its_exchange_wants_it(tmp_path: Path) -> None:
    """At Gate ids begin with t-: it was left alone as another's, and the halt called proved."""
    desk = OrderPath(tmp_path)
    desk.gateway.name_of = lambda key: ClientOrderId(f"t-{client_order_id(key)}")
    desk.start().tell(desk.intent(1))
    name = desk.order(1).client_order_id
    ended, shown = (
        msgspec.structs.replace(desk.report(1, state), client_order_id=name)
        for state in (S.REJECTED, S.ACCEPTED)
    )
    desk.tell(ended)
    assert desk.order(1).state is S.REJECTED
    desk.tell(HALT)
    epoch, question, _ = desk.gateway.listed[0]

    desk.tell(OpenListed(question=question, epoch=epoch, reports=(shown,), problem=""))

    assert [call.key for call in desk.gateway.canceled] == [key_of(1)]
    assert state_of(desk) == HALTING


def test_an_order_that_is_accepted_after_the_halt_is_canceled_too(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1)).tell(HALT)
    venue.accepts(1)
    venue.works()

    assert desk.order(1).state is S.CANCELED
    assert state_of(desk) == PROVED


def test_an_order_that_turns_up_after_the_proof_ends_it_and_is_canceled(
    desk: OrderPath, venue: Venue
) -> None:
    """The venue had said that it has none, and its stream tells of it."""
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN), HALT)
    venue.works()
    assert (state_of(desk), desk.order(1).state) == (PROVED, S.REFUSED)

    venue.takes(1)
    desk.tell(venue.open[1])
    assert state_of(desk) == HALTING
    venue.works()

    assert state_of(desk) == PROVED
    assert venue.open == {}
    assert [call.key for call in desk.gateway.canceled][-1] == key_of(1)


def test_a_send_that_never_left_is_refused_and_holds_up_no_proof(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1)).tell(HALT)
    assert desk.gateway.barred == "the operator said so"
    epoch, question, _ = desk.gateway.listed[0]
    desk.tell(OpenListed(question=question, epoch=epoch, reports=(), problem=""))

    desk.tell(desk.submitted(1, S.NOT_SENT))
    venue.works()

    assert desk.order(1).state is S.REFUSED
    assert desk.order(1).state_reason == "halted: the operator said so"
    assert desk.sends(1) == 1
    assert state_of(desk) == PROVED


def test_an_unknown_order_is_no_proof_until_it_is_settled(desk: OrderPath, venue: Venue) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN), HALT)
    first = desk.gateway.asked[0]
    desk.tell(desk.answer(first, None, "not seen yet"))
    epoch, question, _ = desk.gateway.listed[0]
    desk.tell(OpenListed(question=question, epoch=epoch, reports=(), problem=""))
    assert state_of(desk) == HALTING

    venue.takes(1)
    desk.after(2)
    venue.works()
    desk.after(2)
    venue.works()

    assert desk.order(1).state is S.CANCELED
    assert state_of(desk) == PROVED


def test_decisions_that_go_on_are_refused_each_under_its_key(desk: OrderPath, venue: Venue) -> None:
    desk.tell(HALT)
    venue.works()

    desk.tell(*(desk.intent(number) for number in range(1, 4)))

    assert {desk.order(n).state_reason for n in range(1, 4)} == {"halted: the operator said so"}
    assert desk.gateway.sent == []
    assert state_of(desk) == PROVED
