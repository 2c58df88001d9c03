import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import cli
from messages.errors import ConfigError
from ops.page_files import Wanted, check_replaceable, write_page
from research.backtest.files import DAYS, table_of_days


def test_a_page_that_could_not_be_written_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    write_page(path, "old")
    monkeypatch.setattr("os.fsync", lambda _: Path("/dev/full").write_bytes(b"x"))

    with pytest.raises(OSError, match="No space left on device") as caught:
        write_page(path, "new")

    assert caught.value.filename == str(path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("page.html", "old")]


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_page(Path("/dev/full"), "page")


def test_a_page_behind_a_link_is_replaced_where_it_is(tmp_path: Path) -> None:
    """As /dev/stdout is a link, which root would have replaced by a page."""
    (tmp_path / "public").mkdir()
    page, link = tmp_path / "public" / "page.html", tmp_path / "page.html"
    page.write_text("old")
    link.symlink_to(page)

    write_page(link, "new")

    assert link.is_symlink()
    assert page.read_text() == "new"


def test_a_device_that_leads_to_a_file_is_written_to(tmp_path: Path) -> None:
    """`report --html /dev/stdout > page.html`: nothing is made in /dev."""
    with (tmp_path / "page.html").open("w") as file:
        inode = os.fstat(file.fileno()).st_ino
        write_page(Path(f"/dev/fd/{file.fileno()}"), "new")

    assert (tmp_path / "page.html").read_text() == "new"
    assert (tmp_path / "page.html").stat().st_ino == inode


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_who_may_read_a_page_may_read_the_next_one_and_nobody_else(
    tmp_path: Path, mode: int
) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")
    page.chmod(mode)

    write_page(page, "new")

    assert page.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("beginning", [b"SQLite format 3\0", b"ts,open,high", b"name = ", b"<!d"])
def test_a_file_that_is_no_page_is_not_to_be_replaced_by_one(
    tmp_path: Path, beginning: bytes
) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(beginning)

    with pytest.raises(ConfigError, match=r"--html .*ledger\.db: there is such a file already"):
        check_replaceable(Wanted("--html", file))


@pytest.mark.parametrize("text", ["daylight saving, 2024", "days\n1\n"])
def test_a_table_begins_with_its_columns_and_not_with_a_word_like_the_first(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(text)

    with pytest.raises(ConfigError, match="no table of days of ours"):
        check_replaceable(Wanted("--equity", file, "table of days", DAYS.encode()))


def test_a_table_of_days_may_be_replaced_by_the_next(tmp_path: Path) -> None:
    file = tmp_path / "days.csv"
    file.write_text(table_of_days({"USDT": {1: 2.0}}))

    check_replaceable(Wanted("--equity", file, "table of days", DAYS.encode()))


def test_a_page_an_empty_file_and_what_is_no_file_may_take_a_page(tmp_path: Path) -> None:
    page, empty, pipe = (tmp_path / name for name in ("page.html", "empty", "pipe"))
    page.write_text("<!doctype html>\n<html>")
    empty.touch()
    os.mkfifo(pipe)

    for path in (page, empty, pipe, tmp_path / "new", Path("-"), Path("/dev/null"), None):
        check_replaceable(Wanted("--html", path))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="this machine has none")
def test_a_file_in_shared_memory_is_a_file_and_no_device() -> None:
    """A run directory may be there: its ledger was overwritten by a page."""
    with TemporaryDirectory(dir="/dev/shm") as folder:
        ledger, page = Path(folder) / "ledger.db", Path(folder) / "page.html"
        ledger.write_bytes(b"SQLite format 3\0")
        with pytest.raises(ConfigError, match="which is no page of ours"):
            check_replaceable(Wanted("--html", ledger))
        page.write_text("<!doctype html>old")
        before = page.stat().st_ino
        write_page(page, "<!doctype html>new")

        assert page.stat().st_ino != before, "it was written over in its place"


def test_a_place_that_cannot_take_a_file_is_told_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "none" / "x.html", tmp_path / "file" / "x.html"):
        with pytest.raises(ConfigError, match=r"--html .*: (no such file or|is a) directory"):
            check_replaceable(Wanted("--html", place))


def test_the_page_of_a_fleet_takes_the_place_of_no_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('name = "desk"\n[[bot]]\nid = "a"\nconfig = "a.toml"\n')

    assert cli.main(["orchestrate", "page", str(fleet), "--out", str(fleet)]) == 2

    assert "there is such a file already, which is no page of ours" in capsys.readouterr().err
    assert fleet.read_text().startswith("name")


def test_two_results_never_have_one_name(tmp_path: Path) -> None:
    again = tmp_path / "folder" / ".." / "days.csv"

    with pytest.raises(ConfigError, match=r"--equity .*: --trades goes there: name another one"):
        check_replaceable(
            Wanted("--trades", tmp_path / "days.csv", "table of trades", b"number"),
            Wanted("--equity", again, "table of days", b"day"),
        )
    check_replaceable(Wanted("--trades", Path("/dev/stdout")), Wanted("--html", Path("-")))
