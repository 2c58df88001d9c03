"""`audit` holds the ledger and the summary against the journal, both ways.

Each fault is planted with a right checksum.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messages.codec import to_msgpack
from messages.ids import OrderKey, Symbol, TradeId, VenueOrderId
from messages.orders import Fill, OrderReport
from messages.values import OrderState
from persistence.frames import Frame
from persistence.journal import segments
from tests.cli.audit_journal.journals import Change, checks, is_filled, rewrite
from tests.cli.conftest import Ask
from tests.cli.runs import differing, edit

LAST = "(SELECT max(order_key) FROM orders)"


def changing(**fields: Any) -> Change:
    """Change the first report of a filled order."""
    done = False

    def change(frame: Frame, message: Any) -> Frame:
        nonlocal done
        if done or not is_filled(message):
            return frame
        done = True
        made = {name: f(message.report) if callable(f) else f for name, f in fields.items()}
        report = msgspec.structs.replace(message.report, **made)
        altered = msgspec.structs.replace(message, report=report)
        return frame._replace(payload=to_msgpack(altered))

    return change


def first_fill(**fields: Any) -> Callable[[OrderReport], tuple[Fill, ...]]:
    return lambda report: (msgspec.structs.replace(report.fills[0], **fields), *report.fills[1:])


@pytest.mark.slow
def test_a_run_with_a_journal_agrees_and_everything_is_covered(run: Path, ask: Ask) -> None:
    found = checks(ask("audit", run))

    executions = len(ask("trades", "--run-dir", run))
    assert executions > 10
    assert found["reports"]["checked"] == executions
    assert found["journal"]["checked"] > executions  # and the summary
    assert (found["journal"]["note"], found["reports"]["note"]) == ("", "")


@pytest.mark.parametrize(
    ("statements", "caught"),
    [
        ((f"DELETE FROM fills WHERE order_key = {LAST}",), {"journal"}),
        ((f"UPDATE fills SET quantity = '9' WHERE order_key = {LAST}",), {"journal"}),
        ((f"UPDATE fills SET trade_id = 'x' WHERE order_key = {LAST}",), {"journal", "reports"}),
        (
            (
                "INSERT INTO fills SELECT symbol, 'more', order_key, price, quantity, fee,"
                f" fee_currency, liquidity, ts_event_ns FROM fills WHERE order_key = {LAST}",
            ),
            {"reports"},
        ),
        ((f"UPDATE orders SET state = 'canceled' WHERE order_key = {LAST}",), {"journal"}),
        ((f"UPDATE orders SET filled_quantity = '0' WHERE order_key = {LAST}",), {"journal"}),
        ((f"DELETE FROM orders WHERE order_key = {LAST}",), {"journal"}),
    ],
)
def test_what_the_ledger_lost_or_invented_is_caught(
    run: Path, ask: Ask, statements: tuple[str, ...], caught: set[str]
) -> None:
    edit(run / "ledger.db", *statements)

    assert caught <= differing(ask("audit", run, code=1))


@pytest.mark.parametrize(
    ("fields", "caught"),
    [
        ({"client_order_id": "wkOther"}, {"journal", "reports"}),
        ({"symbol": Symbol("XRP/USDT")}, {"journal"}),
        ({"venue_order_id": VenueOrderId("other")}, {"journal"}),
        ({"state": OrderState.REJECTED}, {"journal"}),
        ({"filled_quantity": Decimal(10**6)}, {"journal"}),
        ({"fills": first_fill(quantity=Decimal(7))}, {"journal"}),
        ({"fills": first_fill(price=Decimal(7))}, {"journal"}),
        ({"fills": first_fill(trade_id=TradeId("x"))}, {"journal", "reports"}),
        ({"fills": ()}, {"reports"}),
    ],
)
def test_a_report_that_was_altered_with_a_right_checksum_is_caught(
    run: Path, ask: Ask, fields: dict[str, Any], caught: set[str]
) -> None:
    rewrite(run, changing(**fields))

    assert differing(ask("audit", run, code=1)) == caught


def test_a_report_that_was_taken_out_of_the_journal_is_caught(run: Path, ask: Ask) -> None:
    dropped: list[OrderKey] = []

    def change(frame: Frame, message: Any) -> Frame | None:
        if is_filled(message) and len(dropped) < 2:
            dropped.append(message.order_key)
            return None
        return frame

    rewrite(run, change)

    found = checks(ask("audit", run, code=1))
    assert found["reports"]["differences"] == 2
    assert all(any(key in text for text in found["reports"]["examples"]) for key in dropped)
    assert "filled orders of the summary" in found["journal"]["examples"][0]


def test_a_message_that_cannot_be_read_is_caught_and_covers_nothing(run: Path, ask: Ask) -> None:
    broken: list[OrderKey] = []

    def change(frame: Frame, message: Any) -> Frame:
        if is_filled(message) and not broken:
            broken.append(message.order_key)
            return frame._replace(payload=b"\xc1")
        return frame

    rewrite(run, change)

    found = checks(ask("audit", run, code=1))
    assert "cannot be read" in found["journal"]["examples"][0]
    assert found["journal"]["differences"] == 1
    assert found["reports"]["ok"]
    assert "does not cover" in found["reports"]["note"]


def test_a_summary_that_counts_other_fills_than_the_journal_is_caught(run: Path, ask: Ask) -> None:
    path = run / "metrics_summary.json"
    summary = json.loads(path.read_bytes())
    path.write_text(json.dumps({**summary, "filled": summary["filled"] + 1}))

    assert "journal" in differing(ask("audit", run, code=1))


def test_a_flipped_bit_is_a_fault_of_the_journal_itself(run: Path, ask: Ask) -> None:
    (path,) = segments(run / "journal")
    content = bytearray(path.read_bytes())
    content[content.rindex(b"SubmitDone")] ^= 1
    path.write_bytes(content)

    found = checks(ask("audit", run, code=1))
    assert found["reports"]["ok"]
    assert "checksum is wrong" in found["journal"]["examples"][0]


def test_many_reports_are_compared_a_part_at_a_time(
    run: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ask("audit", run)
    monkeypatch.setattr("ops.audit_journal._TOGETHER", 3)
    monkeypatch.setattr("ops.audit_journal._KEYS_KEPT", 2)
    monkeypatch.setattr("persistence.audited._PAGE", 4)

    assert ask("audit", run) == whole
