import os
from pathlib import Path

import pytest

from ops.page_files import write_page


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
