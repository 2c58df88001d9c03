"""What a journal does not cover is never a fault: what was torn, rotated away, killed or full."""

import os
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from messages.codec import to_msgpack
from messages.ids import EXECUTOR
from messages.lifecycle import TimerFired
from messages.outside import Origin
from messages.values import OrderState
from persistence.frames import Frame, lost_frame
from persistence.journal import segments
from tests.cli.audit_journal.journals import (
    answer,
    checks,
    ended_in_order,
    filled,
    is_filled,
    journal_of,
    rewrite,
)
from tests.cli.conftest import Ask
from tests.cli.runs import book, differing, fill


def test_without_a_journal_nothing_is_covered_and_nothing_is_wrong(run: Path, ask: Ask) -> None:
    shutil.rmtree(run / "journal")

    found = checks(ask("audit", run))
    assert "there is no journal" in found["journal"]["note"]
    assert found["reports"]["checked"] == 0


def test_what_came_after_a_torn_tail_is_not_covered(run: Path, ask: Ask) -> None:
    (path,) = segments(run / "journal")
    content = path.read_bytes()
    os.truncate(path, content.rindex(b"SubmitDone") + 5)

    found = checks(ask("audit", run))
    assert "does not cover" in found["reports"]["note"]
    assert found["reports"]["checked"] > 0


def test_what_was_rotated_away_is_not_covered(run: Path, ask: Ask) -> None:
    seen = 0

    def second_half(frame: Frame, message: Any) -> Frame | None:
        nonlocal seen
        seen += is_filled(message)
        return frame if seen > 5 else None

    rewrite(run, second_half, number=7)

    found = checks(ask("audit", run))
    assert "does not cover" in found["reports"]["note"]
    assert found["reports"]["checked"] > 0


def test_what_a_full_disk_did_not_take_is_not_covered(run: Path, ask: Ask) -> None:
    since, seen = list[int](), 0

    def change(frame: Frame, message: Any) -> Frame | None:
        nonlocal seen
        seen += is_filled(message)
        if 3 <= seen < 6:
            since.append(frame.at_ns)
            return None
        if since and seen == 6:
            seen = 100
            return lost_frame(len(since), since[0], frame.at_ns)
        return frame

    rewrite(run, change)

    found = checks(ask("audit", run))
    assert "does not cover" in found["reports"]["note"]


def test_what_a_killed_process_had_in_hand_is_no_fault_what_came_before_is(
    tmp_path: Path, ask: Ask
) -> None:
    """The ledger is behind by the last answer; then a later step shows that it was lost."""
    with book(tmp_path) as ledger:
        first, second = ledger.claim(1), ledger.claim(2)
        ledger.step(first, OrderState.FILLED, fill("t1", "2"))
        taken_ns = ledger.tick()
    journal_of(tmp_path, answer(2, taken_ns, fill("t2", "2")))

    found = checks(ask("audit", tmp_path))
    assert "in hand" in found["journal"]["note"]

    with book(tmp_path) as ledger:
        ledger._now_ns = taken_ns
        ledger.step(second, OrderState.CANCELED)
    assert differing(ask("audit", tmp_path, code=1)) == {"journal"}


@pytest.mark.parametrize("is_orderly", [True, False])
def test_an_execution_without_a_report_is_a_fault_where_none_can_have_come_later(
    tmp_path: Path, ask: Ask, is_orderly: bool
) -> None:
    with book(tmp_path) as ledger:
        at_ns = filled(ledger, 1, fill("t1", "1"), fill("t2", "1"))
    told = answer(1, at_ns, fill("t1", "1"), filled_quantity=Decimal(2))
    timer = Frame(Origin.TIMER, at_ns + 5, EXECUTOR, to_msgpack(TimerFired(name="x")))
    journal_of(tmp_path, told, timer, ends_ns=at_ns + 9 if is_orderly else None)

    rows = ask("audit", tmp_path, code=int(is_orderly))
    assert differing(rows) == ({"reports"} if is_orderly else set())


def test_an_execution_that_came_alone_when_no_journal_was_kept_is_no_fault(
    tmp_path: Path, ask: Ask
) -> None:
    """The second process kept none: it took an execution that was owed, and no order moved."""
    with book(tmp_path) as ledger:
        at_ns = filled(ledger, 1, fill("t1", "1"), fill("t2", "1"))
    told = answer(1, at_ns, fill("t1", "1"), filled_quantity=Decimal(2))
    journal_of(tmp_path, told, ends_ns=at_ns + 9)
    assert differing(ask("audit", tmp_path, code=1)) == {"reports"}

    ended_in_order(tmp_path, at_ns + 20)
    found = checks(ask("audit", tmp_path))
    assert "does not cover" in found["reports"]["note"]


def test_an_execution_that_came_alone_into_the_tail_that_a_kill_lost_is_no_fault(
    tmp_path: Path, ask: Ask
) -> None:
    """A second process took it and was killed; a third one ended in order and moved no order."""
    with book(tmp_path) as ledger:
        at_ns = filled(ledger, 1, fill("t1", "1"), fill("t2", "1"))
    told = answer(1, at_ns, fill("t1", "1"), filled_quantity=Decimal(2))
    journal_of(tmp_path, told, ends_ns=at_ns + 9)
    journal_of(tmp_path, begun_ns=at_ns + 20)
    journal_of(tmp_path, begun_ns=at_ns + 40, ends_ns=at_ns + 60)

    found = checks(ask("audit", tmp_path))
    assert "does not cover" in found["reports"]["note"]
