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
