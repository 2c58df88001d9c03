"""A copy of a ledger: whole, of one moment, marked and halted from its beginning."""

import signal
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from messages.errors import LedgerUnavailable
from messages.ids import NS_PER_S, TimestampNs
from messages.lineage import (
    ACCEPTED,
    COPIED,
    NEVER_NS,
    UNKNOWN,
    Accepted,
    copied_in,
    not_before_in,
    text_of,
)
from messages.values import OrderState
from persistence.backup import accept_copy, back_up, put_back
from persistence.database import open_for_reading
from persistence.ledger import SqliteLedger, read_orders
from tests.persistence.backup.copies import NOW, halt, halted, noted
from tests.persistence.conftest import T0, ChildStarter, make_claim, make_step
from tests.waiting import until


def test_a_copy_is_one_private_file_with_everything_in_it_and_is_halted(
    filled: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    mark = back_up(filled, copy, NOW, halt)

    assert (mark.orders, mark.copied_at_ns, mark.run_dir) == (3, NOW, str(tmp_path))
    assert [*read_orders(copy)] == [*read_orders(filled)]
    assert mark.newest_key == [*read_orders(filled)][-1].order_key
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(("copy", "."))) == [
        "copy"
    ]
    assert halted(copy) == (
        "halted: this ledger is a copy of 2023-11-14 22:13:25 UTC:"
        " what was sent since then is not in it"
    )
    assert copied_in(noted(copy, COPIED)) == mark


def test_the_original_is_left_as_it_is(filled: Path, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)

    assert halted(filled) is None
    assert noted(filled, COPIED) is None


def test_a_halt_that_the_original_had_is_the_cause_and_stays(filled: Path, tmp_path: Path) -> None:
    ledger = SqliteLedger(filled)
    ledger.set_halt("a person said so")
    ledger.close()
    back_up(filled, tmp_path / "copy", NOW, halt)

    assert halted(tmp_path / "copy") == "a person said so"


@pytest.mark.slow
def test_copies_are_whole_while_somebody_writes_who_does_not_wait(
    path: Path, tmp_path: Path
) -> None:
    """In the original each order is sent in the commit after its claim, so a copy says which."""
    over = threading.Event()
    problems: list[BaseException] = []
    written = 0

    def write() -> None:
        nonlocal written
        try:
            ledger = SqliteLedger(path)
            while not over.is_set():
                ledger.claim([make_claim(written)], T0)
                ledger.record([make_step(written, OrderState.SENT)])
                written += 1
            ledger.close()
        except BaseException as error:  # noqa: BLE001 - the test looks at them
            problems.append(error)

    SqliteLedger(path).close()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = []
        until(lambda: written or problems)
        for number in range(10):
            copy = tmp_path / f"copy{number}"
            mark = back_up(path, copy, NOW, halt)
            orders = [*read_orders(copy)]
            assert mark.orders == len(orders)
            assert {one.state for one in orders[:-1]} <= {OrderState.SENT}
            sizes.append(len(orders))
        # An order that the last copy has may still be under way.
        until(lambda: written > sizes[-1] or problems)
    finally:
        over.set()
        writer.join(30)
    assert problems == []
    assert sizes == sorted(sizes)
    assert written > sizes[-1] >= 1


def test_no_file_is_overwritten(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(LedgerUnavailable, match="is there already"):
        back_up(filled, tmp_path / "copy", NOW, halt)
    assert (tmp_path / "copy").read_text() == "mine"


def test_a_place_that_takes_nothing_is_said(filled: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="cannot be written: No such file"):
        back_up(filled, tmp_path / "nowhere" / "copy", NOW, halt)


def test_a_damaged_ledger_is_not_copied(filled: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as broken:
        broken.execute("PRAGMA foreign_keys = OFF")
        broken.execute(
            "INSERT INTO fills VALUES ('BTC/USDT', 't', 'nobody', '1', '1', '0', 'BTC', 'taker', 1)"
        )
    with pytest.raises(LedgerUnavailable, match="fills of no order"):
        back_up(filled, tmp_path / "copy", NOW, halt)
    assert not (tmp_path / "copy").exists()
    assert not list(tmp_path.glob(".copy*"))


@pytest.mark.slow
def test_a_kill_in_the_middle_leaves_no_file_of_that_name(
    filled: Path, child: ChildStarter, tmp_path: Path
) -> None:
    """Stopped right before the name is given."""
    script = f"""
import os, pathlib
import persistence.backup as backup
backup._sync = lambda path: (print("here", flush=True), input())
backup.back_up(pathlib.Path({str(filled)!r}), pathlib.Path({str(tmp_path / "copy")!r}), 1, str)
"""
    process = child(script)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGKILL)
    process.wait(30)

    assert not (tmp_path / "copy").exists()
    back_up(filled, tmp_path / "copy", NOW, halt)
    assert len([*read_orders(tmp_path / "copy")]) == 3


def test_a_copy_of_a_copy_lacks_what_that_one_lacks_and_says_so(
    filled: Path, tmp_path: Path
) -> None:
    """Its own moment would send a person to the wrong part of the exchange's list."""
    first = back_up(filled, tmp_path / "copy", NOW, halt)
    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")

    again = back_up(filled, tmp_path / "copy2", TimestampNs(NOW + 60 * NS_PER_S), halt)

    assert again == first
    assert copied_in(noted(tmp_path / "copy2", COPIED)) == first


def test_a_persons_word_takes_the_mark_away_and_stays_for_ever(
    filled: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    back_up(filled, copy, NOW, halt)
    accepted = Accepted(
        copied_at_ns=NOW, accepted_at_ns=NOW, not_before_ns=TimestampNs(NOW + 1), evidence="seen"
    )
    with closing(SqliteLedger(copy)) as ledger:
        accept_copy(ledger, accepted)

    assert copied_in(noted(copy, COPIED)) is None
    assert not_before_in(noted(copy, ACCEPTED)) == NOW + 1
    assert "seen" in (noted(copy, ACCEPTED) or "")
    assert halted(copy) is not None, "the halt is another word's"


def test_a_mark_that_makes_no_sense_is_a_mark() -> None:
    assert copied_in(None) is None
    assert copied_in("{") == UNKNOWN
    assert copied_in(text_of(UNKNOWN)) == UNKNOWN
    assert not_before_in(None) == 0
    assert not_before_in("nonsense") == NEVER_NS


def test_the_reader_needs_no_right_to_write(filled: Path, tmp_path: Path) -> None:
    """It asks for none: root, whom no mode of a file stops, may be who runs this."""
    copy = tmp_path / "copy"
    back_up(filled, copy, NOW, halt)
    copy.chmod(0o400)

    with closing(open_for_reading(copy)):
        opened = [one.mode for one in psutil.Process().open_files() if one.path == str(copy)]

    assert opened == ["r"]
