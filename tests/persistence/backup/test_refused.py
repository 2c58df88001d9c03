"""Where a copy is not put back, nothing has changed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from messages.errors import LedgerUnavailable
from persistence.backup import back_up, put_back
from persistence.ledger import read_orders
from tests.persistence.backup.copies import NOW, halt, halted, later


def test_a_ledger_that_is_there_is_not_replaced_unasked(filled: Path, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    later(filled, 7)
    with pytest.raises(LedgerUnavailable, match="--replace"):
        put_back(tmp_path / "copy", filled, halt, None)
    assert len([*read_orders(filled)]) == 4
    assert halted(filled) is None


def test_one_that_was_set_aside_is_not_written_over_by_the_next(
    filled: Path, tmp_path: Path
) -> None:
    back_up(filled, tmp_path / "copy", NOW, halt)
    put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")
    there = (tmp_path / "aside").read_bytes()
    with pytest.raises(LedgerUnavailable, match="cannot be written: File exists"):
        put_back(tmp_path / "copy", filled, halt, tmp_path / "aside")
    assert (tmp_path / "aside").read_bytes() == there


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
