"""What an error says of a secret is told to nobody: not by health, a line or evidence."""

from typing import Any

import pytest

from actors.address import Address
from actors.error_text import MOST, MOST_OF_TRACE
from actors.hops import Hops, Nudge
from actors.paper_gateway import PaperGateway
from actors.step_runtime import StepRuntime
from exchanges.protocol import Trading
from messages.errors import VenueError
from messages.ids import Epoch, OrderKey, TimestampNs
from tests.actors.support import Note, Probe, Script
from tests.new_orders import market_buy

KEY = "key-0123456789"
FAULT = VenueError(f"it does not take {KEY}\nat all")
ORDER = market_buy()
TOLD = "VenueError: it does not take ***"


def clean(text: str) -> str:
    return text.replace(KEY, "***")


def test_what_a_cell_remembers_of_an_error_is_clean() -> None:
    runtime = StepRuntime()
    runtime.clean = clean
    runtime.note_hops(1)
    cell = runtime.populate("one", Probe, {"script": Script()})
    cell.remember_error(FAULT)

    assert cell.last_error == TOLD
    assert KEY not in cell.last_traceback
    assert "***" in cell.last_traceback
    assert cell.hops is not None
    assert cell.hops.clean is clean


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no file \udcff\ud83d"), "ValueError: no file \\udcff\\ud83d"),
        (Mute(), "Mute: (it cannot be told: RuntimeError)"),
        (ValueError("y" * 5_000_000), f"ValueError: {'y' * (MOST - 15)}..."),
        (ValueError(f"{'y' * (MOST - 20)} {KEY}"), f"ValueError: {'y' * (MOST - 20)} ***"[:MOST]),
    ],
)
def test_whatever_an_error_says_can_be_written_down(error: Exception, told: str) -> None:
    """Half of a character ended metrics, twice of which ended the run; megabytes, the disk."""
    runtime = StepRuntime()
    runtime.clean = clean
    cell = runtime.populate("one", Probe, {"script": Script()})
    hops = Hops(1, Nudge(), clean)
    cell.remember_error(error)
    hops.failed(Note(text="x"), 0, 1, 2, "error", error)

    (hop,) = hops.take()
    assert cell.last_error == hop.reason == told
    assert len(cell.last_traceback.encode()) <= MOST_OF_TRACE
    assert type(error).__name__ in cell.last_traceback or len(told) == MOST


def test_the_line_of_a_message_that_failed_is_clean() -> None:
    hops = Hops(1, Nudge(), clean)
    hops.failed(Note(text="x"), 0, 1, 2, "error", FAULT)

    assert [hop.reason for hop in hops.take()] == [TOLD]


def test_evidence_and_answers_of_a_venue_are_clean() -> None:
    told: list[Any] = []

    class Executor(Address[Any]):
        def __init__(self) -> None:
            pass

        def tell(self, message: Any) -> bool:
            told.append(message)
            return True

    def refuse() -> Trading:
        raise FAULT

    gateway = PaperGateway(
        refuse, lambda job: job(), lambda _: True, Executor(), lambda: TimestampNs(0)
    )
    gateway.clean = clean
    gateway.take_over(Epoch(1))
    key = OrderKey("k")
    gateway.submit(Epoch(1), key, ORDER, sent_at_ns=0, good_until_ns=None)
    gateway.find(Epoch(1), key, ORDER, sent_at_ns=0)
    gateway.cancel(Epoch(1), key, ORDER)
    gateway.list_open(Epoch(1), 1, [ORDER.symbol])

    assert len(told) == 5, "the venue failed, which is told first"
    assert KEY not in repr(told)
    assert repr(told).count("it does not take ***") == 6, "one is a reason and evidence"
