"""`audit` holds the ledger and the summary against the journal, both ways.

Each fault is planted with a right checksum; what a journal does not cover is never a fault.
"""

import json
import os
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from decisions.order_keys import client_order_id
from messages.codec import from_msgpack, to_msgpack
from messages.ids import OrderKey, Symbol, TimestampNs, TradeId, VenueOrderId
from messages.lifecycle import TimerFired
from messages.orders import Fill, LookupDone, OrderReport, SubmitDone
from messages.outside import Origin
from messages.values import OrderState
from persistence.frames import SEAL, Frame, lost_frame, packed, packed_header
from persistence.journal import JournalWriter, read_segment, segments
from tests.cli.conftest import Ask
from tests.cli.runs import CLOCK, EXAMPLES, Book, book, command, differing, edit, fill, intent

EXECUTOR = "execution/executor"
LAST = "(SELECT max(order_key) FROM orders)"
Change = Callable[[Frame, Any], Frame | None]


@pytest.fixture(scope="module")
def journaled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two symbols with a journal, that ended in order. Not to be changed."""
    folder = tmp_path_factory.mktemp("journaled")
    config = (EXAMPLES / "two_symbols.toml").read_text()
    path = folder / "c.toml"
    path.write_text(config + '\n[journal]\nwhen = "always"\n')
    arguments = ("--run-dir", str(folder / "run"), "--max-events", "600", "--json")
    done = command("start", str(path), *arguments, cwd=EXAMPLES.parent)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def run(journaled: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    return Path(shutil.copytree(journaled, tmp_path / "run"))


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


# ------------------------------------------------------------------ what is not covered


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


def test_a_flipped_bit_is_a_fault_of_the_journal_itself(run: Path, ask: Ask) -> None:
    (path,) = segments(run / "journal")
    content = bytearray(path.read_bytes())
    content[content.rindex(b"SubmitDone")] ^= 1
    path.write_bytes(content)

    found = checks(ask("audit", run, code=1))
    assert found["reports"]["ok"]
    assert "checksum is wrong" in found["journal"]["examples"][0]


def killed(run_dir: Path) -> None:
    path = run_dir / "status.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "ended": None}))


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


# ------------------------------------------------------------------ a real exchange


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


def test_an_account_has_orders_of_others_too(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as ledger:
        at_ns = filled(ledger, 1, fill("t1", "2"))
    others = stream(answer(9, at_ns, fill("t9", "1"), client_order_id="theirs"))
    ours = stream(answer(1, at_ns, fill("t1", "2")))
    journal_of(tmp_path, others, ours, ends_ns=at_ns + 9)

    found = checks(ask("audit", tmp_path))
    assert (found["journal"]["checked"], found["reports"]["checked"]) == (1, 1)

    altered = stream(answer(1, at_ns, fill("t1", "1")))
    shutil.rmtree(tmp_path / "journal")
    journal_of(tmp_path, altered, ends_ns=at_ns + 9)
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


def test_what_a_person_settled_is_the_persons_word(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as ledger:
        key = ledger.claim(1)
        ledger.step(key, OrderState.UNKNOWN)
        ledger.step(key, OrderState.FILLED, fill("person-wk1", "2"))
        at_ns = ledger.tick()
    journal_of(tmp_path, answer(1, at_ns - 1, fill("t7", "2")), ends_ns=at_ns)
    assert differing(ask("audit", tmp_path, code=1)) == {"journal"}

    edit(
        tmp_path / "ledger.db",
        f"UPDATE order_events SET evidence = 'person: seen there' WHERE order_key = '{key}'"
        " AND to_state = 'filled'",
    )
    assert differing(ask("audit", tmp_path)) == set()


def test_two_words_for_one_end_agree(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as ledger:
        key = ledger.claim(1)
        ledger.step(key, OrderState.ACCEPTED)
        ledger.step(key, OrderState.CANCELED)
        at_ns = ledger.tick()
    journal_of(tmp_path, answer(1, at_ns - 1, state=OrderState.EXPIRED), ends_ns=at_ns)
    assert differing(ask("audit", tmp_path)) == set()

    shutil.rmtree(tmp_path / "journal")
    journal_of(tmp_path, answer(1, at_ns - 1, state=OrderState.REJECTED), ends_ns=at_ns)
    assert differing(ask("audit", tmp_path, code=1)) == {"journal"}


def test_what_was_refused_here_and_is_at_the_venue_is_caught(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as ledger:
        ledger.claim(1, refused="max_open_orders: 1")
        at_ns = ledger.tick()
    journal_of(tmp_path, answer(1, at_ns - 1, state=OrderState.ACCEPTED), ends_ns=at_ns)

    assert differing(ask("audit", tmp_path, code=1)) == {"journal"}


@pytest.mark.parametrize("told", [0, 1])
def test_an_order_that_an_earlier_process_filled_is_not_counted_again(
    tmp_path: Path, ask: Ask, told: int
) -> None:
    """It was asked for again, because executions were owed."""
    with book(tmp_path) as ledger:
        before_ns = filled(ledger, 1, fill("t1", "2"))
    begun_ns = before_ns + 100
    process = {"begun_ns": begun_ns, "ends_ns": begun_ns + 9}
    summary = {"started_at_ns": begun_ns, "filled": told}
    (tmp_path / "metrics_summary.json").write_text(json.dumps(summary))
    journal_of(tmp_path, answer(1, begun_ns + 5, fill("t1", "2")), **process)

    assert differing(ask("audit", tmp_path, code=told)) == ({"journal"} if told else set())


def test_many_reports_are_compared_a_part_at_a_time(
    run: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ask("audit", run)
    monkeypatch.setattr("ops.audit_journal._TOGETHER", 3)
    monkeypatch.setattr("ops.audit_journal._KEYS_KEPT", 2)
    monkeypatch.setattr("persistence.audited._PAGE", 4)

    assert ask("audit", run) == whole
