"""A strategy's file imports what lies beside it, hides nothing by it, and is known by it too."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from hashlib import blake2b
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

import strategies
from messages.errors import ConfigError
from messages.ids import Symbol
from messages.values import Instrument
from ops.fleet.bot_files import fingerprint
from ops.journal_head import code_hash
from strategies import siblings
from strategies.siblings import code_files, code_of

BTC = Instrument(symbol=Symbol("BTC/USDT"))
STRATEGY = """
{imports}
from strategies.protocol import Strategy

class Mine(Strategy):
    def __init__(self, params, symbol, order_notional, instrument):
        self.found = {found}

    def on_candle(self, candle, position):
        pass
"""


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(siblings, "_reached", {})
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def mine(folder: Path, imports: str, found: str = "None", **beside: str) -> str:
    """Write a strategy and files beside it, by their names; give its `uses`."""
    folder.mkdir(exist_ok=True)
    for name, text in beside.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "mine.py").write_text(STRATEGY.format(imports=imports, found=found))
    return f"{folder / 'mine.py'}:Mine"


def made(uses: str) -> object:
    built = strategies.build(uses, {}, BTC.symbol, Decimal(100), BTC)
    return getattr(built, "found")  # noqa: B009 - of a class that only its file knows


def test_a_strategy_imports_a_module_beside_it_and_that_one_another(tmp_path: Path) -> None:
    uses = mine(
        tmp_path,
        "from rsi_helpers import rsi",
        "rsi()",
        rsi_helpers="from more_helpers import SEVEN\ndef rsi():\n    return SEVEN\n",
        more_helpers="SEVEN = 7\n",
    )

    assert made(uses) == 7


def test_a_folder_beside_it_is_a_package(tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "rsi.py").write_text("EIGHT = 8\n")

    assert made(mine(tmp_path, "from kit.rsi import EIGHT", "EIGHT")) == 8
    assert code_files(tmp_path / "mine.py")[1:] == [tmp_path / "kit" / "rsi.py"]


def test_what_has_the_name_of_ours_or_of_the_standard_library_is_not_found(tmp_path: Path) -> None:
    uses = mine(
        tmp_path,
        "import colorsys, decisions",
        "print(colorsys.__file__, decisions.__file__)",
        colorsys="raise SystemExit",
        decisions="raise SystemExit",
    )
    code = f"import strategies; print(strategies.strategy_class({uses!r})({{}}, None, None, None))"

    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )

    found = [Path(one) for one in done.stderr.split()]
    assert [one.name for one in found] == ["colorsys.py", "__init__.py"]
    assert not any(one.is_relative_to(tmp_path) for one in found)
    assert code_files(tmp_path / "mine.py") == [tmp_path / "mine.py"]


class Hook(MetaPathFinder):
    """Finds one module, as what is installed for editing is found: after all of `sys.path`."""

    def __init__(self, name: str, file: Path) -> None:
        self.name, self.file = name, file

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return spec_from_file_location(fullname, self.file) if fullname == self.name else None


def test_what_a_finder_of_its_own_finds_is_not_hidden_either(tmp_path: Path) -> None:
    installed = tmp_path / "installed.py"
    installed.write_text("WHERE = 'installed'\n")
    sys.meta_path.append(Hook("edited_library", installed))
    folder = tmp_path / "own"

    found = made(
        mine(
            folder,
            "from edited_library import WHERE",
            "WHERE",
            edited_library="WHERE = 'beside'\n",
        )
    )

    assert found == "installed"


def test_two_folders_with_a_module_of_one_name_are_refused(tmp_path: Path) -> None:
    """One of them would trade by the other's."""
    first = mine(tmp_path / "a", "from same_helpers import ONE", "ONE", same_helpers="ONE = 1")
    other = mine(tmp_path / "b", "from same_helpers import ONE", "ONE", same_helpers="ONE = 2")
    alone = mine(tmp_path / "c", "", "3", same_helpers="ONE = 3")

    assert made(first) == 1
    with pytest.raises(ConfigError) as refused:
        strategies.check_params(other, {})
    assert made(alone) == 3, "it does not import its own"

    assert str(refused.value) == (
        f"{tmp_path}/b/mine.py imports same_helpers, and {tmp_path}/a has a module of that name"
        " too, which is taken for it in this process: call one of them otherwise"
    )


def test_what_a_module_beside_it_prints_goes_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "print('loaded')\ndef say():\n    print('said')\n"

    made(mine(tmp_path, "from talking_helpers import say", "say()", talking_helpers=text))

    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "loaded\nsaid\n")


def test_a_change_beside_it_is_a_change_of_its_code(tmp_path: Path) -> None:
    uses = mine(
        tmp_path, "from my_helpers import ONE", my_helpers="ONE = 1", not_imported="TWO = 2"
    )
    config = tmp_path / "bot.toml"
    config.write_text('[[strategy]]\nid = "m"\nuses = "mine.py:Mine"\n')

    def known_by() -> tuple[str, str]:
        return code_hash(uses), fingerprint(str(config))

    before = known_by()
    (tmp_path / "not_imported.py").write_text("TWO = 3")
    assert known_by() == before
    (tmp_path / "my_helpers.py").write_text("ONE = 4")
    now = known_by()

    assert "" not in before
    assert not set(now) & set(before)


def test_one_that_imports_nothing_beside_it_has_the_hash_that_it_always_had(tmp_path: Path) -> None:
    """Or each older journal would say that its code was changed."""
    uses = mine(tmp_path, "import math, msgspec")
    content = (tmp_path / "mine.py").read_bytes()

    assert code_of(tmp_path / "mine.py") == content
    assert code_hash(uses) == blake2b(content, digest_size=8).hexdigest()


@pytest.mark.parametrize(
    "content", [b"def (", b"\0", b"\xff", b"from . import x\nfrom .y import z"]
)
def test_what_is_no_python_imports_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    os.mkfifo(tmp_path / "pipe.py")

    assert code_files(path) == [path]
    assert code_files(tmp_path / "pipe.py") == [tmp_path / "pipe.py"]
