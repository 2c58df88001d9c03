"""What cannot be searched is a sentence that says why."""

import errno
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import cli
from research.optimise.columns import ColumnFile
from tests.cli.optimize.searching import LONG, RANGES, optimize
from tests.research.optimise.markets import write_candles, write_config

pytestmark = pytest.mark.slow
if find_spec("optuna") is None:
    pytest.skip("the extra `optimize` is not installed", allow_module_level=True)


@pytest.fixture
def plain(market: Path) -> Iterator[Path]:
    """Where a search is refused before it begins, and leaves nothing behind."""
    yield market
    assert not (market / "studies").exists()


def test_a_strategy_that_always_fails_ends_with_a_sentence(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (market / "bad.py").write_text(
        "import msgspec\n"
        "from strategies import Strategy\n"
        "class Params(msgspec.Struct):\n"
        "    n: int = 1\n"
        "class Bad(Strategy):\n"
        "    Params = Params\n"
        "    def __init__(self, *_):\n"
        "        pass\n"
        "    def on_candle(self, candle, position):\n"
        "        return 1 / 0\n"
    )
    write_config(market, "bad.py:Bad", "n = 1")

    code = cli.main(["optimize", "bot.toml", "--param", "n=1:500", "--trials", "30"])

    said = capsys.readouterr().err
    assert code == 2
    assert "all of 20 trials failed, the last because" in said
    assert "ZeroDivisionError" in said
    assert "bad.py:10" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--storage", "postgresql://me:secret@host/db"], "a password on the command line"),
        (["--storage", "postgresql://host/db?password=secret"], "a password on the command line"),
        (["--storage", "mysql://host/db"], "neither sqlite:///FILE.db nor postgresql://HOST/NAME"),
        (["--storage-env", "NO_SUCH"], "there is no such variable"),
        (["--storage", "sqlite:///a.db", "--storage-env", "X"], "take one"),
        (["--param", "fats=1:2"], "there is no such parameter"),
        (["--write", "nowhere/best.toml"], "no such folder"),
        (["--windows", "0", "--param", "fast=5"], "expected LOW:HIGH"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    plain: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code = cli.main(["optimize", "bot.toml", *words])

    told = capsys.readouterr()
    assert code == 2
    assert said in told.err
    assert told.err.count("\n") == 1
    assert "secret" not in told.err + told.out


def test_without_a_word_what_has_declared_bounds_is_searched_and_nothing_else(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (market / "boundless.py").write_text(
        "import msgspec\n"
        "from strategies import Strategy\n"
        "class Params(msgspec.Struct):\n"
        "    n: int = 1\n"
        "class Boundless(Strategy):\n"
        "    Params = Params\n"
        "    def __init__(self, *_):\n"
        "        pass\n"
        "    def on_candle(self, *_):\n"
        "        pass\n"
    )
    write_config(market, "boundless.py:Boundless", "n = 1")

    assert cli.main(["optimize", "bot.toml"]) == 2

    said = capsys.readouterr().err
    assert "no parameter has declared bounds at both ends: say what to search" in said
    write_config(market)
    few = ("--trials", "1", "--windows", "0", "--min-orders", "0", "--objective", "return")
    code, report, _ = optimize(capsys, *few, "--jobs", "1")
    assert (code, report["space"]) == (0, ["s.fast=1:10000", "s.slow=2:10000"])


def test_a_full_disk_is_a_sentence_that_names_the_place(
    plain: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ColumnFile, "_append", full)

    assert cli.main(["optimize", "bot.toml", *RANGES]) == 2
    assert "the market finds no room in" in capsys.readouterr().err


@pytest.mark.stress
@LONG[1]
def test_other_data_under_the_same_name_is_refused(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--trials", "2", "--windows", "0", *RANGES)
    assert optimize(capsys, *words)[0] == 0
    write_candles(market / "candles.csv", 3_000, seed=4)

    code, _, said = optimize(capsys, *words)

    assert code == 2
    assert "begun with other data: give this search a name of its own (--study NAME)" in said
