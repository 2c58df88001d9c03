"""Copies of a ledger: whole, of one moment, marked from their beginning."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from messages.errors import LedgerUnavailable
from messages.ids import NS_PER_S, TimestampNs
from messages.lineage import (
    ACCEPTED,
    COPIED,
    NEVER_NS,
    UNKNOWN,
    Accepted,
    Copied,
    copied_in,
    not_before_in,
    reason,
    text_of,
)
from messages.values import OrderState
from persistence.backup import accept_copy, back_up, put_back
from persistence.database import open_for_reading
from persistence.fence import take_writing
from persistence.ledger import SqliteLedger, read_orders
from tests.persistence.conftest import T0, ChildStarter, make_claim, make_step

NOW = TimestampNs(T0 + 5 * NS_PER_S)


def halt(copied: Copied) -> str:
    return f"halted: {reason(copied)}"


def halted(path: Path) -> str | None:
    return noted(path, None)


def noted(path: Path, name: str | None) -> str | None:
    ledger = SqliteLedger(path)
    try:
        return ledger.halt_reason() if name is None else ledger.note(name)
    finally:
        ledger.close()


@pytest.fixture
def filled(path: Path) -> Path:
    """A ledger of three orders, one of them on its way, that nobody has open."""
    ledger = SqliteLedger(path)
    ledger.claim([make_claim(number) for number in range(3)], T0)
    ledger.record([make_step(0, OrderState.SENT)])
    ledger.close()
    return path


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
        except BaseException as error:
            problems.append(error)

    SqliteLedger(path).close()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = []
        for number in range(10):
            copy = tmp_path / f"copy{number}"
            mark = back_up(path, copy, NOW, halt)
            orders = [*read_orders(copy)]
            assert mark.orders == len(orders)
            assert {one.state for one in orders[:-1]} <= {OrderState.SENT}
            sizes.append(len(orders))
        pause = threading.Event()
        for _ in range(3_000):  # an order that the last copy has may still be under way
            if written > sizes[-1] or problems:
                break
            pause.wait(0.01)
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


NO_FILES: dict[str, Callable[[Path], object]] = {
    "directory": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "link to nothing": lambda path: path.symlink_to("not-mounted"),
    "link to itself": lambda path: path.symlink_to(path),
    "device": lambda path: path.symlink_to(os.devnull),
}
SAID = {
    "directory": "is a directory, and no ledger",
    "pipe": "is a pipe, and no ledger",
    "link to nothing": "is a link to not-mounted, where nothing is: is its disk mounted",
    "link to itself": "cannot be reached",
    "device": "is a device, and no ledger",
}


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_is_neither_opened_nor_copied_nor_put_back_and_is_named(
    filled: Path, tmp_path: Path, kind: str
) -> None:
    """A link that leads nowhere above all: an empty ledger behind it would know no order."""
    thing = tmp_path / "thing"
    NO_FILES[kind](thing)

    with pytest.raises(LedgerUnavailable, match=SAID[kind]):
        SqliteLedger(thing)
    with pytest.raises(LedgerUnavailable, match=SAID[kind]):
        back_up(thing, tmp_path / "copy", NOW, halt)
    with pytest.raises(LedgerUnavailable, match="is there already"):
        back_up(filled, thing, NOW, halt)
    with pytest.raises(LedgerUnavailable, match=SAID[kind]):
        put_back(thing, filled, halt, tmp_path / "aside")
    back_up(filled, tmp_path / "copy", NOW, halt)
    with pytest.raises(LedgerUnavailable, match="--replace"):
        put_back(tmp_path / "copy", thing, halt, None)
    assert not (tmp_path / "not-mounted").exists()
    assert halted(filled) is None


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_no_file_is_not_set_aside_as_a_ledger(
    filled: Path, tmp_path: Path, kind: str
) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    NO_FILES[kind](tmp_path / "thing")
    with pytest.raises(LedgerUnavailable, match="move it away"):
        put_back(tmp_path / "copy", tmp_path / "thing", halt, tmp_path / "aside")
    assert not os.path.lexists(tmp_path / "aside")


def test_a_link_is_set_aside_as_one_and_the_ledger_behind_it_stays(
    filled: Path, tmp_path: Path
) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    link = tmp_path / "link.db"
    link.symlink_to(filled)
    with closing(SqliteLedger(filled)) as writer:
        writer.claim([make_claim(7)], T0)
        with pytest.raises(LedgerUnavailable, match="database is locked"):
            put_back(tmp_path / "copy", link, halt, tmp_path / "aside")
    put_back(tmp_path / "copy", link, halt, tmp_path / "aside")

    assert ((tmp_path / "aside").is_symlink(), link.is_symlink()) == (True, False)
    assert len([*read_orders(tmp_path / "aside")]) == len([*read_orders(filled)]) == 4
    assert len([*read_orders(link)]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("act", ["back_up(ledger, to, 1, str)", "put_back(ledger, to, str, None)"])
def test_a_full_disk_is_named_with_the_file_that_did_not_fit_and_leaves_nothing(
    filled: Path, tmp_path: Path, act: str
) -> None:
    """The ledger that was read is in order, and is not accused."""
    script = f"""
import pathlib, resource
from messages.errors import LedgerUnavailable
from persistence.backup import back_up, put_back
ledger, to = pathlib.Path({str(filled)!r}), pathlib.Path({str(tmp_path / "copy")!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    {act}
except LedgerUnavailable as error:
    print(error, end="")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith(f"{tmp_path / 'copy'} cannot be written: ")
    assert done.stdout.endswith("is the disk full?")
    assert [one.name for one in tmp_path.iterdir() if "copy" in one.name] == []
    assert halted(filled) is None


# ---------------------------------------------------------------- putting back


def later(path: Path, number: int) -> None:
    """Let the original go on after its copy was taken."""
    ledger = SqliteLedger(path)
    ledger.claim([make_claim(number)], T0)
    ledger.close()


def test_a_copy_that_is_put_back_is_the_ledger_and_still_a_copy(
    filled: Path, tmp_path: Path
) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    later(filled, 7)
    mark = put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")

    assert mark.orders == 3
    assert len([*read_orders(filled)]) == 3
    assert len([*read_orders(tmp_path / "aside")]) == 4, "nothing was deleted"
    assert copied_in(noted(filled, COPIED)) == mark
    assert (tmp_path / "copy").is_file()


def test_a_ledger_that_is_there_is_not_replaced_unasked(filled: Path, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    later(filled, 7)
    with pytest.raises(LedgerUnavailable, match="--replace"):
        put_back(tmp_path / "copy", filled, halt, None)
    assert len([*read_orders(filled)]) == 4
    assert halted(filled) is None


def test_the_log_of_the_former_ledger_is_not_taken_for_that_of_the_next(
    filled: Path, tmp_path: Path
) -> None:
    """What was committed and not copied into the file yet goes aside with it."""
    back_up(filled, tmp_path / "copy", NOW, halt)
    script = (
        "import sqlite3, os\n"
        f"c = sqlite3.connect({str(filled)!r}, isolation_level=None)\n"
        "c.execute('PRAGMA wal_autocheckpoint = 0')\n"
        "c.execute(\"INSERT INTO flags VALUES ('note:late', 'x')\")\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert filled.with_name("ledger.db-wal").stat().st_size > 0

    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")

    assert noted(tmp_path / "aside", "late") == "x"
    assert noted(filled, "late") is None


@pytest.mark.parametrize(
    "damaged", [b"", b"no ledger at all" * 400, None], ids=["empty", "header", "cut"]
)
def test_a_ledger_that_cannot_be_opened_goes_aside_as_it_is_with_its_log(
    filled: Path, tmp_path: Path, damaged: bytes | None
) -> None:
    """What a copy is put back for."""
    back_up(filled, tmp_path / "copy", NOW, halt)
    content = filled.read_bytes()[:3_000] if damaged is None else damaged
    filled.write_bytes(content)
    log = filled.with_name("ledger.db-wal")
    log.write_bytes(b"what was left of it")

    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")

    assert len([*read_orders(filled)]) == 3
    assert (tmp_path / "aside").read_bytes() == content
    assert (tmp_path / "aside-wal").read_bytes() == b"what was left of it"


def test_a_log_without_its_ledger_goes_aside_too(filled: Path, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    filled.unlink()
    log = filled.with_name("ledger.db-wal")
    log.write_bytes(b"what was left of it")

    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")

    assert len([*read_orders(filled)]) == 3
    assert (tmp_path / "aside-wal").read_bytes() == b"what was left of it"


def test_a_ledger_that_is_put_back_over_itself_is_marked_and_nothing_is_lost(
    filled: Path, tmp_path: Path
) -> None:
    by_another_name = tmp_path / "link"
    by_another_name.symlink_to(filled)
    for number, copy in enumerate((filled, by_another_name)):
        put_back(copy, filled, halt, tmp_path / f"aside{number}")

    assert len([*read_orders(filled)]) == 3
    assert copied_in(noted(filled, COPIED)) is not None
    assert noted(tmp_path / "aside0", COPIED) is None, "what was there, as it was"
    assert len([*read_orders(tmp_path / "aside0")]) == 3


def test_one_that_was_set_aside_is_not_written_over_by_the_next(
    filled: Path, tmp_path: Path
) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")
    there = (tmp_path / "aside").read_bytes()
    with pytest.raises(LedgerUnavailable, match="cannot be written: File exists"):
        put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")
    assert (tmp_path / "aside").read_bytes() == there


@pytest.mark.slow
def test_a_kill_before_the_copy_is_in_its_place_leaves_the_former_ledger(
    filled: Path, child: ChildStarter, tmp_path: Path
) -> None:
    """It is set aside by a second name, so it is in neither place alone at any moment."""
    back_up(filled, tmp_path / "copy", NOW, halt)
    later(filled, 7)
    script = f"""
import pathlib
import persistence.backup as backup
ledger.close()
backup._sync = lambda path: (print("here", flush=True), input())
place = pathlib.Path({str(tmp_path)!r})
backup.put_back(place / "copy", place / "ledger.db", str, place / "aside")
"""
    process = child(script)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGKILL)
    process.wait(30)

    assert len([*read_orders(filled)]) == 4
    assert noted(filled, COPIED) is None
    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside2")
    assert len([*read_orders(filled)]) == 3
    assert len([*read_orders(tmp_path / "aside2")]) == 4


def test_a_copy_by_other_means_gets_the_mark(filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "plain"
    copy.write_bytes(filled.read_bytes())
    other = tmp_path / "other" / "ledger.db"
    other.parent.mkdir()
    assert put_back(copy, other, halt, None) == UNKNOWN

    assert copied_in(noted(other, COPIED)) == UNKNOWN
    assert halted(other) == f"halted: {reason(UNKNOWN)}"


@pytest.mark.parametrize("content", [b"", b"no ledger at all" * 400])
def test_what_is_no_ledger_is_not_put_back(filled: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "copy").write_bytes(content)
    before = filled.read_bytes()
    with pytest.raises(LedgerUnavailable):
        put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")
    assert filled.read_bytes() == before
    assert not (tmp_path / "aside").exists()


@pytest.mark.parametrize("lacks", [1, 5_000, 40_000])
def test_a_copy_that_was_cut_on_its_way_is_not_put_back(
    filled: Path, tmp_path: Path, lacks: int
) -> None:
    """Also one that lacks a single byte, which SQLite reads as a zero and finds in order."""
    back_up(filled, tmp_path / "copy", NOW, halt)
    raw = (tmp_path / "copy").read_bytes()
    (tmp_path / "copy").write_bytes(raw[:-lacks])
    before = filled.read_bytes()
    with pytest.raises(
        LedgerUnavailable, match=f"was cut: it has {len(raw) - lacks} of {len(raw)}"
    ):
        put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")
    assert filled.read_bytes() == before
    assert not (tmp_path / "aside").exists()


def test_what_a_killed_one_left_in_the_directory_goes(filled: Path, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    filled.with_name(".ledger.db.1.part").write_bytes(b"half")
    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")
    assert [one for one in filled.parent.iterdir() if one.name.startswith(".")] == []


def test_a_copy_of_a_newer_version_is_refused_and_nothing_changes(
    filled: Path, tmp_path: Path
) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    with closing(sqlite3.connect(tmp_path / "copy", isolation_level=None)) as newer:
        newer.execute("INSERT INTO schema_migration (name, applied) VALUES ('9999_new', '')")
    with pytest.raises(LedgerUnavailable, match="newer version"):
        put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")
    assert halted(filled) is None
    assert not (tmp_path / "aside").exists()


def test_who_wrote_the_former_ledger_does_not_write_the_one_put_back(
    filled: Path, tmp_path: Path
) -> None:
    """A copy keeps the writer's number; the next live start takes the one after it."""
    writer = take_writing(filled)
    back_up(filled, tmp_path / "copy", NOW, halt)
    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")

    assert take_writing(filled) == writer + 1


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
    back_up(filled, tmp_path / "copy", NOW, halt)
    (tmp_path / "copy").chmod(0o400)
    open_for_reading(tmp_path / "copy").close()
