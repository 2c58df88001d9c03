"""Journals for `audit`: a run's, written anew with faults, and some made by hand."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from decisions.order_keys import client_order_id
from messages.codec import from_msgpack, to_msgpack
from messages.ids import TimestampNs
from messages.lifecycle import TimerFired
from messages.orders import Fill, LookupDone, OrderReport, SubmitDone
from messages.outside import Origin
from messages.values import OrderState
from persistence.frames import SEAL, Frame, packed, packed_header
from persistence.journal import JournalWriter, read_journal, read_segment, segments
from tests.cli.runs import CLOCK, Book, intent

EXECUTOR = "execution/executor"
Change = Callable[[Frame, Any], Frame | None]


def checks(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["check"]: row for row in rows}


def rewrite(run_dir: Path, change: Change, number: int = 1) -> None:
    """Write the only segment anew, each frame as `change` gives it, with right checksums."""
    (path,) = segments(run_dir / "journal")
    frames = [f for f in read_segment(path, seals=True) if isinstance(f, Frame)]
    kept = [
        made
        for frame in frames
        if (made := change(frame, None if frame.origin == SEAL else from_msgpack(frame.payload)))
    ]
    path.unlink()
    begun_ns = kept[0].at_ns - 1
    content = packed_header(number, begun_ns) + b"".join(map(packed, kept))
    path.with_name(f"{number:08}.wkj").write_bytes(content)


def is_filled(message: Any) -> bool:
    return isinstance(message, SubmitDone) and message.report.state is OrderState.FILLED


def orders_filled_as_they_came(run_dir: Path) -> int:
    frames = [one for one in read_journal(run_dir / "journal") if isinstance(one, Frame)]
    return sum(is_filled(from_msgpack(one.payload)) for one in frames)


def answer(number: int, at_ns: int, *fills: Fill, **changes: Any) -> Frame:
    """What the venue says of an order: all that it executed, and that it is filled."""
    wish = intent(number)
    fields: dict[str, Any] = {
        "client_order_id": client_order_id(wish.order_key),
        "symbol": wish.symbol,
        "state": OrderState.FILLED,
        "venue_order_id": None,
        "filled_quantity": sum((one.quantity for one in fills), start=Decimal(0)),
        "average_price": Decimal(100),
        "fills": fills,
        "reason": "",
        "evidence": "find",
        "ts_event_ns": TimestampNs(at_ns),
    } | changes
    report = OrderReport(**fields)
    done = LookupDone(order_key=wish.order_key, epoch=1, report=report, problem="")  # type: ignore[arg-type]  # a plain number does
    return Frame(Origin.VENUE, at_ns, EXECUTOR, to_msgpack(done))


def stream(frame: Frame) -> Frame:
    """The same, as the account's stream tells it."""
    found: Any = from_msgpack(frame.payload)
    return frame._replace(payload=to_msgpack(found.report))


def journal_of(
    run_dir: Path, *frames: Frame, begun_ns: int = CLOCK, ends_ns: int | None = None
) -> None:
    now_ns = begun_ns
    writer = JournalWriter(run_dir / "journal", lambda: now_ns)
    timer = Frame(Origin.TIMER, begun_ns, EXECUTOR, to_msgpack(TimerFired(name="x")))
    writer.write([timer, *frames])
    if ends_ns is not None:
        now_ns = ends_ns
        writer.seal()
        ended_in_order(run_dir, begun_ns - 1)
    writer.close()


def ended_in_order(run_dir: Path, started_ns: int) -> None:
    status = {"started_at_ns": started_ns, "ended": {"exit_code": 0}}
    (run_dir / "status.json").write_text(json.dumps(status))


def filled(ledger: Book, number: int, *fills: Fill) -> int:
    """Claim and fill an order; give the moment of its last step."""
    key = ledger.claim(number)
    ledger.step(key, OrderState.FILLED, *fills)
    return ledger.tick() - 1
