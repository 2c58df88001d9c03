"""The process's side of `halt`, `resume`, `orders cancel`, `orders resolve` and `orders end-stop`.

A request is handed to the executor and named; who made it asks for the answer by that name,
since the control thread waits for nobody.
"""

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from actors.address import Address
from actors.operator_board import OperatorBoard
from messages.base import Message
from messages.halting import CancelOrder, EndStop, ResolveOrder, ResumeTrading
from messages.learning import learn
from messages.lifecycle import HaltTrading
from ops.control import Handler

_GONE = (
    "the executor has given up: stop the process and repeat the command; `halt` works without a"
    " process"
)


class OperatorControl:
    """Methods are called on the control thread; they only tell and read."""

    def __init__(self, executor: Address[Any], board: OperatorBoard) -> None:
        self._executor, self._board = executor, board

    def handlers(self) -> Mapping[str, Handler]:
        """Give the commands of the control socket."""
        return {
            "halt": lambda request: self._tell(HaltTrading, {"durable": True}, request, "reason"),
            "halt_state": lambda _: self._state(),
            "resume": lambda request: self._tell(ResumeTrading, {}, request, "despite_open"),
            "cancel_order": lambda request: self._tell(CancelOrder, {}, request, "order_key"),
            "resolve_order": lambda request: self._tell(
                ResolveOrder,
                {},
                request,
                *("order_key", "to", "filled_quantity", "price", "evidence", "unasked"),
            ),
            "end_stop": lambda request: self._tell(
                EndStop, {}, request, "order_key", "by", "reason"
            ),
            "operator_answer": self._answer,
        }

    def _tell(
        self, kind: type[Message], known: dict[str, Any], request: dict[str, Any], *names: str
    ) -> dict[str, Any]:
        """Tell the executor; what does not make a message is an error for whoever asked."""
        name = uuid.uuid4().hex
        fields = {**known, "request": name, "type": kind.__name__}
        fields |= {field: request.get(field) for field in names}
        learn(kind)
        message = msgspec.convert(fields, kind)
        if self._given_up() or not self._executor.tell(message):
            return {"error": self._given_up() or _GONE}
        return {"request": name}

    def _given_up(self) -> str:
        """Say that nobody is there who could do anything; empty when somebody is, or will be."""
        if not self._executor.is_out:
            return ""
        return f"{_GONE} (why: {self._executor.cell.problem})"

    def _state(self) -> dict[str, Any]:
        view: dict[str, Any] = msgspec.to_builtins(self._board.halt)
        return {**view, "given_up": self._given_up()}

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = self._board.answer(str(request.get("request")))
        if answer is None:
            return {"ok": None}
        found: dict[str, Any] = msgspec.to_builtins(answer)
        return found
