"""The parts of the rehearsal of cancels that need no process: its faults, and what it believes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")

import strategies
from decisions.drill_cancel import CANCEL_FAULTS, Kind
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import Fault, Plan
from exchanges.local.orders import OrderKind, Placement
from exchanges.local.settings import Settings
from messages.ids import ClientOrderId, OrderKey
from messages.values import Side
from ops.drill_cancel_faults import arm_placing, cancel_plans, disturb
from ops.drill_life import Life
from ops.drill_person import CancelingPerson, HaltingPerson, Stage
from ops.drill_resting import resting_config

NAME, KEY = ClientOrderId("wk1"), OrderKey("k1")
QUANTITY = Decimal("0.001")


class Told:
    """What a life says, put into its mouth; and what it is ordered."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.ordered: list[dict[str, Any]] = []

    def halt(self, state: str, *, on_disk: bool = True) -> None:
        self.heard.append({"event": "halt", "state": state, "on_disk": on_disk, "text": state})

    def answer(self, *, ok: bool) -> None:
        number = self.ordered[-1]["number"]
        self.heard.append({"event": "answer", "number": number, "ok": ok, "text": "so it is"})

    def last(self, event: str, **facts: Any) -> dict[str, Any] | None:
        wanted = {"event": event, **facts}.items()
        return next((said for said in reversed(self.heard) if wanted <= said.items()), None)

    def say(self, **facts: Any) -> None:
        self.ordered.append(facts)

    @property
    def commands(self) -> list[str]:
        return [order["command"] for order in self.ordered]


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    """One order rests."""
    one = LocalExchange(Settings(seed=13, speed=0))
    one.place(
        Placement(
            symbol="BTC/USDT",
            client_order_id=NAME,
            side=Side.BUY,
            kind=OrderKind.LIMIT,
            quantity=QUANTITY,
            price=Decimal(50_000),
        )
    )
    yield one
    one.close()


def attended(person: HaltingPerson | CancelingPerson, told: Told) -> None:
    person.attend(cast("Life", told))


def cancel(exchange: LocalExchange) -> None:
    exchange.cancel("BTC/USDT", order_id=None, client_order_id=NAME, cancel_id="c")


# ------------------------------------------------------------ faults


@pytest.mark.parametrize("fault", [f for f, kind in CANCEL_FAULTS.items() if kind is Kind.CANCEL])
def test_a_fault_of_the_cancel_strikes_that_of_the_target_once(fault: str) -> None:
    plans = cancel_plans(fault, NAME)

    assert len(plans) == (0 if fault == "none" else 1)
    assert all((p.operation, p.client_order_id, p.times) == ("cancel", NAME, 1) for p in plans)


@pytest.mark.parametrize("fault", list(CANCEL_FAULTS))
def test_every_fault_but_none_does_something(fault: str, exchange: LocalExchange) -> None:
    arm_placing(exchange, fault, NAME)
    disturb(exchange, fault, NAME, QUANTITY)

    assert bool(exchange.armed()) is (fault != "none")


def test_what_moves_unseen_moves(exchange: LocalExchange) -> None:
    disturb(exchange, "part_unseen", NAME, QUANTITY)

    assert [order.filled for order in exchange.orders()] == [QUANTITY / 2]


def test_the_strategy_of_the_rehearsal_can_be_made() -> None:
    (settings,) = resting_config().strategies

    assert strategies.check_params(settings.uses, settings.params) == []


# ------------------------------------------------------------ the person who halts


def test_a_person_halts_resumes_once_it_is_proved_and_lets_the_market_go_on(
    exchange: LocalExchange,
) -> None:
    person, told = HaltingPerson(exchange), Told()
    attended(person, told)
    assert told.commands == [], "it is only starting"

    told.halt("trading", on_disk=False)
    attended(person, told)
    attended(person, told)
    assert told.commands == ["halt"], "ordered once, while an answer may still come"

    cancel(exchange)
    told.halt("halting")
    told.halt("halted_proved")
    attended(person, told)
    told.halt("trading", on_disk=False)
    attended(person, told)

    assert told.commands == ["halt", "resume", "go_on"]
    assert (person.stage, person.problems) == (Stage.TRADING, [])


def test_where_the_process_is_to_be_started_again_the_market_waits_for_the_next_one(
    exchange: LocalExchange,
) -> None:
    person = CancelingPerson(exchange, KEY, NAME)
    told, then = Told(), Told()
    told.halt("trading", on_disk=False)
    attended(person, told)
    cancel(exchange)
    told.answer(ok=True)

    person.attend(cast("Life", told), goes_on=False)
    assert (person.stage, told.commands) == (Stage.TRADING, ["cancel_order"])

    then.halt("trading", on_disk=False)
    attended(person, then)
    assert then.commands == ["go_on"]


def test_a_halt_that_calls_itself_proved_while_an_order_is_open_is_told(
    exchange: LocalExchange,
) -> None:
    person, told = HaltingPerson(exchange), Told()
    told.halt("halted_proved")

    attended(person, told)

    assert person.problems == ["the halt calls itself proved, and wk1 is open"]


def test_a_halt_that_was_on_disk_and_is_gone_with_the_next_life_is_told(
    exchange: LocalExchange,
) -> None:
    person, first, second = HaltingPerson(exchange), Told(), Told()
    first.halt("halting")
    attended(person, first)
    second.halt("trading", on_disk=False)

    attended(person, second)

    assert person.problems == ["the halt was on disk, and is lost"]


def test_a_halt_that_died_before_it_was_kept_is_ordered_again(exchange: LocalExchange) -> None:
    person, first, second = HaltingPerson(exchange), Told(), Told()
    first.halt("trading", on_disk=False)
    attended(person, first)
    second.halt("trading", on_disk=False)

    attended(person, second)

    assert (first.commands, second.commands) == (["halt"], ["halt"])


# ------------------------------------------------------------ the person who cancels


def test_a_person_cancels_until_the_answer_is_yes(exchange: LocalExchange) -> None:
    person, told = CancelingPerson(exchange, KEY, NAME), Told()
    told.halt("trading", on_disk=False)
    attended(person, told)
    cancel(exchange)
    told.answer(ok=True)

    attended(person, told)

    assert told.commands == ["cancel_order", "go_on"]
    assert (person.stage, person.problems) == (Stage.TRADING, [])


def test_an_order_that_is_told_to_have_ended_and_is_open_is_told(exchange: LocalExchange) -> None:
    person, told = CancelingPerson(exchange, KEY, NAME), Told()
    told.halt("trading", on_disk=False)
    attended(person, told)
    told.answer(ok=True)

    attended(person, told)

    assert person.problems == ["wk1: told that it ended (so it is), and it is open"]


def test_an_order_on_its_way_is_no_proof_either(exchange: LocalExchange) -> None:
    cancel(exchange)
    log = exchange.log.begin(
        ts_ns=1,
        transport="rest",
        method="POST",
        path="/",
        operation="place",
        params={},
        client_order_id=NAME,
    )
    log.fault = Fault.DELAYED_DELIVERY
    person, told = HaltingPerson(exchange), Told()
    told.halt("halted_proved")

    attended(person, told)

    assert person.problems == ["the halt calls itself proved, and an order is on its way"]


def test_a_plan_for_the_placement_is_armed_before_the_start(exchange: LocalExchange) -> None:
    arm_placing(exchange, "place_late", NAME)

    assert [one.plan for one in exchange.armed()] == [
        Plan(fault=Fault.DELAYED_DELIVERY, client_order_id=NAME, delay_ms=1_500)
    ]
