"""The person of the crash rehearsal: orders a halt or a cancel, and believes only what is told.

Who gets no answer orders again, as anybody would. What is told is held against the exchange at
once: a halt that calls itself proved, or an order that is told to have ended, must be so.
"""

import time
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any

from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import Fault
from messages.ids import ClientOrderId, OrderKey
from ops.drill_life import Life
from ops.drill_traps import HALT_REASON

AGAIN_S = 3.0
"""After so long without an answer a person orders again."""
REFUSED_S = 0.5
"""And so long after an answer that was no."""


class Stage(StrEnum):
    """What the person waits for."""

    ORDERED = "ordered"
    """That it is halted and proved, or that the order has ended."""
    RESUMING = "resuming"
    """That trading goes on after a halt."""
    TRADING = "trading"
    """Nothing more: the market goes on."""


class Person(ABC):
    """Goes on over the lives of one case; `attend` is called again and again with the present one.

    `problems` is what was told and was not so.
    """

    def __init__(self, exchange: LocalExchange) -> None:
        self._exchange = exchange
        self.stage = Stage.ORDERED
        self.problems: list[str] = []
        self.last_text = ""
        """What was told last, for who asks why it never was settled."""
        self._number = 0
        self._asked: Life | None = None
        self._asked_at, self._command = 0.0, ""
        self._going_on: Life | None = None

    def attend(self, life: Life, *, goes_on: bool = True) -> None:
        """Hear what a life has to say, and order what is to be ordered.

        `goes_on`: whether the market may go on in this life, once it is time for that.
        """
        view = life.last("halt")
        if view is None:
            return  # it is only starting
        self._attend(life, view)
        if goes_on and self.stage is Stage.TRADING and self._going_on is not life:
            self._going_on = life
            life.say(command="go_on", number=0)

    @abstractmethod
    def _attend(self, life: Life, view: dict[str, Any]) -> None: ...

    def _order(self, life: Life, command: str, **facts: Any) -> None:
        """Order something of this life, if it is not under way."""
        if self._asked is life and self._command == command:
            answer, waited_s = self._answer(life), time.monotonic() - self._asked_at
            if waited_s < (AGAIN_S if answer is None else REFUSED_S):
                return
        self._number += 1
        self._asked, self._asked_at, self._command = life, time.monotonic(), command
        life.say(command=command, number=self._number, **facts)

    def _answer(self, life: Life) -> dict[str, Any] | None:
        """Give this life's answer to what it was ordered last."""
        return life.last("answer", number=self._number) if self._asked is life else None

    def _wrong(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    def _is_open(self, name: ClientOrderId | None = None) -> list[str]:
        return [
            order.client_order_id
            for order in self._exchange.orders()
            if order.is_open and name in (None, order.client_order_id)
        ]


class HaltingPerson(Person):
    """Wants trading halted, waits for the proof, then wants it to go on."""

    def __init__(self, exchange: LocalExchange) -> None:
        super().__init__(exchange)
        self._kept_ns: int | None = None
        """When it was told that the halt is on disk."""
        self._resumed_ns: int | None = None

    def _attend(self, life: Life, view: dict[str, Any]) -> None:
        self.last_text, state = view["text"], view["state"]
        if view["on_disk"] and self._kept_ns is None:
            self._kept_ns = self._exchange.clock.machine_ns()
        if state == "trading":
            self._while_trading(life)
        elif state == "halted_proved":
            self._check_proof()
            self.stage = Stage.RESUMING
            self._resumed_ns = self._resumed_ns or self._exchange.clock.machine_ns()
            self._order(life, "resume", despite_open=False)
        elif self.stage is Stage.TRADING:
            self.stage = Stage.RESUMING  # it is halted again: what dropped it died in the middle

    def _while_trading(self, life: Life) -> None:
        if self.stage is not Stage.ORDERED:
            self.stage = Stage.TRADING
        elif self._kept_ns is not None:
            self._wrong("the halt was on disk, and is lost")
        else:
            self._order(life, "halt", reason=HALT_REASON)

    def _check_proof(self) -> None:
        if still := self._is_open():
            self._wrong(f"the halt calls itself proved, and {', '.join(still)} is open")
        if any(
            request.fault == Fault.DELAYED_DELIVERY and request.engine == "not reached"
            for request in self._exchange.requests(operation="place")
        ):
            self._wrong("the halt calls itself proved, and an order is on its way")

    def left_while_halted(self) -> list[str]:
        """Give the orders that were sent between the halt's record and the word to resume."""
        if self._kept_ns is None or self._resumed_ns is None:
            return []
        return [
            f"{request.client_order_id}: sent while trading was halted"
            for request in self._exchange.requests(operation="place")
            if self._kept_ns < request.ts_received_ns < self._resumed_ns
        ]


class CancelingPerson(Person):
    """Wants one order canceled, and trading to go on."""

    def __init__(self, exchange: LocalExchange, key: OrderKey, name: ClientOrderId) -> None:
        super().__init__(exchange)
        self._key, self._name = key, name

    def _attend(self, life: Life, view: dict[str, Any]) -> None:
        del view
        if self.stage is not Stage.ORDERED:
            return
        answer = self._answer(life)
        if answer is None or not answer["ok"]:
            self.last_text = answer["text"] if answer else self.last_text
            self._order(life, "cancel_order", order_key=self._key)
            return
        self.last_text = answer["text"]
        if self._is_open(self._name):
            self._wrong(f"{self._name}: told that it ended ({answer['text']}), and it is open")
        self.stage = Stage.TRADING
