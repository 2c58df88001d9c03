"""`halt` of a living process, as far as the command itself is: what it says while it waits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import halt as command
from ops.operator_client import OperatorClient

HALTING = {"state": "halting", "text": "halting: 1 order to be closed: look", "given_up": ""}
TRADING = {"state": "trading", "text": "", "given_up": ""}


class Process:
    """Answers a halt, and shows one state after the other; the last one stays."""

    def __init__(self, *shown: dict[str, Any]) -> None:
        self._shown: Iterator[dict[str, Any]] = iter(shown)
        self._last = shown[-1]

    def ask(self, question: str, **_: Any) -> dict[str, Any]:
        if question == "halt":
            return {"request": "h"}
        if question == "operator_answer":
            return {"ok": True, "text": "halting"}
        assert question == "halt_state"
        return {"on_disk": True, "foreign": [], **next(self._shown, self._last)}


@pytest.mark.parametrize(
    ("shown", "timeout_s"), [((HALTING, TRADING), 60.0), ((TRADING,), 0.0)], ids=["seen", "unseen"]
)
def test_a_halt_that_somebody_ended_before_it_was_proved_is_said_to_be_over(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shown: tuple[dict[str, Any], ...],
    timeout_s: float,
) -> None:
    """It waited all the time there was, and said that nothing is sent meanwhile."""
    process = Process(*shown)
    monkeypatch.setattr(
        OperatorClient, "ask", lambda _, question, **fields: process.ask(question, **fields)
    )

    code = command.halt(Path("run"), "look", as_json=False, timeout_s=timeout_s)

    said = capsys.readouterr().err
    assert code == 1
    assert "trading goes on: somebody resumed it before the halt was proved" in said
    assert "nothing is sent" not in said
