"""The process's side of a person's requests: told to the executor, answered by name."""

from typing import Any

import msgspec
import pytest

from actors.operator_board import Answer, OperatorBoard
from actors.step_runtime import StepRuntime
from messages.halting import EndStop, ResolveOrder
from messages.ids import OrderKey
from messages.lifecycle import HaltTrading
from ops.operator_control import OperatorControl


class Process:
    def __init__(self) -> None:
        self.runtime, self.board = StepRuntime(), OperatorBoard()
        self.executor = self.runtime.address("execution/executor")
        self.handlers = OperatorControl(self.executor, self.board).handlers()

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        return self.handlers[command]({"command": command, **fields})

    def told(self) -> Any:
        envelope = self.executor.cell.mailbox._control[-1]
        return envelope.message


@pytest.fixture
def process() -> Process:
    """A process whose executor has not read its mail yet."""
    return Process()


def test_a_halt_is_told_and_its_answer_is_found_by_its_name(process: Process) -> None:
    request = process.ask("halt", reason="enough")["request"]

    assert process.told() == HaltTrading(reason="enough", durable=True, request=request)
    assert process.ask("operator_answer", request=request) == {"ok": None}
    process.board.tell(request, Answer(ok=True, text="done"))
    assert process.ask("operator_answer", request=request)["text"] == "done"


def test_money_comes_as_text_and_is_exact(process: Process) -> None:
    process.ask(
        "resolve_order",
        order_key="k",
        to="canceled",
        filled_quantity="0.10",
        price="100.5",
        evidence="seen",
        unasked=False,
    )

    told = process.told()
    assert isinstance(told, ResolveOrder)
    assert (str(told.filled_quantity), str(told.price)) == ("0.10", "100.5")


def test_the_end_of_a_stop_is_told_with_who_and_why(process: Process) -> None:
    request = process.ask("end_stop", order_key="k", by="ada", reason="dust")["request"]

    assert process.told() == EndStop(
        request=request, order_key=OrderKey("k"), by="ada", reason="dust"
    )


@pytest.mark.parametrize("fields", [{}, {"reason": 7}, {"reason": None}])
def test_what_makes_no_message_is_told_to_nobody(process: Process, fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        process.ask("halt", **fields)

    assert not process.executor.cell.mailbox.depth()


def test_an_executor_that_was_given_up_is_said_to_be(process: Process) -> None:
    process.executor.cell.problem = "disk full"
    process.executor.cell.mailbox.close("halted")

    said = process.ask("halt", reason="enough")["error"]

    assert "stop the process and repeat the command" in said
    assert "why: disk full" in said
    assert "has given up" in process.ask("halt_state")["given_up"]
