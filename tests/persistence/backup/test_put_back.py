"""A copy that is put back is the ledger; the former one is set aside, whatever state it is in."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from messages.lineage import COPIED, UNKNOWN, copied_in, reason
from persistence.backup import back_up, put_back
from persistence.fence import take_writing
from persistence.ledger import read_orders
from tests.persistence.backup.copies import NOW, halt, halted, later, noted
from tests.persistence.conftest import ChildStarter


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


def test_what_a_killed_one_left_in_the_directory_goes(filled: Path, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    filled.with_name(".ledger.db.1.part").write_bytes(b"half")
    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")
    assert [one for one in filled.parent.iterdir() if one.name.startswith(".")] == []


def test_who_wrote_the_former_ledger_does_not_write_the_one_put_back(
    filled: Path, tmp_path: Path
) -> None:
    """A copy keeps the writer's number; the next live start takes the one after it."""
    writer = take_writing(filled)
    back_up(filled, tmp_path / "copy", NOW, halt)
    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")

    assert take_writing(filled) == writer + 1
