"""A person's own code before a run: whose limit holds, and what is left behind."""

import sys
import threading
from pathlib import Path

import pytest

from messages.errors import ConfigError
from messages.patience import Hung, Patience, is_watched
from ops import own_code
from ops.own_code import in_time
from strategies.from_file import class_from_file

HANGS = "import threading\nthreading.Event().wait()\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(own_code, "LIMIT_S", 0.05)
    path = tmp_path / "mine.py"
    path.write_text(HANGS)
    return path


def test_what_comes_back_is_given_and_nobody_looks_any_more() -> None:
    seen: list[bool] = []

    def work() -> int:
        seen.append(is_watched())
        return 7

    assert in_time(work, "x.py:X", "made", 1) == 7
    assert (seen, is_watched()) == ([True], False)


def test_what_it_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 // 0, "x.py:X", "made", 1)


def test_of_a_file_that_was_interrupted_nothing_is_left(file: Path) -> None:
    uses = f"{file}:Mine"
    before = set(sys.modules)

    with pytest.raises(ConfigError, match=r"within 0\.05 s as it was loaded \(mine\.py:2\)"):
        in_time(lambda: class_from_file(uses), uses, "loaded", 0)

    assert set(sys.modules) == before


def test_under_the_limit_of_a_backtest_that_one_holds(file: Path) -> None:
    uses, its_own = f"{file}:Mine", Patience(0.05)

    with its_own.watching(), pytest.raises(Hung):
        its_own.over(
            lambda: in_time(lambda: class_from_file(uses), uses, "loaded", 10), lambda: None
        )


def test_another_thread_is_not_interrupted(file: Path) -> None:
    """Python's signals are the main thread's: an actor is looked after by its supervisor."""
    given: list[int] = []
    thread = threading.Thread(target=lambda: given.append(in_time(lambda: 7, "x", "made", 1)))
    thread.start()
    thread.join()

    assert given == [7]
