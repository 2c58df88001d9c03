"""What is no ledger, or has no room, is named; it is neither copied nor put back."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from messages.errors import LedgerUnavailable
from persistence.backup import back_up, put_back
from persistence.ledger import SqliteLedger, read_orders
from tests.persistence.backup.copies import NOW, halt, halted
from tests.persistence.conftest import T0, make_claim

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
