"""ccxt without the exchanges that nobody asked for, held against ccxt as it comes."""

import json
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

LEAN = "from exchanges.ccxt_client import import_ccxt; import_ccxt('binance')"
LOOK = """
import json, sys
import ccxt, ccxt.pro, ccxt.async_support
made = sum(name.startswith("ccxt.") for name in sys.modules)
told = {}
for one in (ccxt, ccxt.async_support, ccxt.pro):
    kinds = {name: getattr(one, name).__mro__ for name in one.exchanges}
    lines = {name: [f"{k.__module__}.{k.__qualname__}" for k in mro] for name, mro in kinds.items()}
    told[one.__name__] = [lines, all(hasattr(one, name) for name in getattr(one, "__all__", ()))]
print(json.dumps([made, told]))
"""


def looked(first: str) -> tuple[int, dict[str, Any]]:
    words = [sys.executable, "-c", f"{first}\n{LOOK}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    made, told = json.loads(done.stdout)
    return made, told


@pytest.mark.slow
def test_each_exchange_is_the_class_that_it_is_otherwise_in_all_three_packages() -> None:
    made, lean = looked(LEAN)
    all_of_them, plain = looked("")

    assert lean == plain
    assert all(has_all for _, has_all in plain.values())
    assert len(plain["ccxt.pro"][0]) > 50
    assert made < 40 < 200 < all_of_them


def run(text: str) -> list[str]:
    words = [sys.executable, "-c", f"{LEAN}\n{text}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90, check=True)
    return done.stdout.splitlines()


def test_an_exchange_stays_a_class_when_its_module_is_imported_by_another_or_by_name() -> None:
    """The import system puts the module into the package, where ccxt puts the class over it.

    It takes longer than a quarter of a second, and runs with each Python all the same: how one is
    imported is theirs.
    """
    text = """
import ccxt.pro
first = ccxt.pro.binanceus
import ccxt.pro.okx
import ccxt.async_support.kraken
from ccxt.pro.bybit import bybit
print(type(ccxt.pro.binance), type(ccxt.pro.okx), type(ccxt.async_support.kraken))
print(bybit is ccxt.pro.bybit)
"""
    assert run(text) == [" ".join(["<class 'type'>"] * 3), "True"]


@pytest.mark.slow
def test_what_is_no_exchange_is_missing_as_ever() -> None:
    text = """
import ccxt.pro
for name in ("nonesuch", "binance_", "exchange"):
    print(getattr(ccxt.pro, name, None))
try:
    ccxt.pro.nonesuch
except AttributeError as error:
    print(error)
"""
    assert run(text) == [*["None"] * 3, "module 'ccxt.pro' has no attribute 'nonesuch'"]


@pytest.mark.slow
def test_ccxt_that_was_there_before_is_left_as_it_is() -> None:
    text = "import sys, ccxt.pro\nprint(type(ccxt.pro).__name__, type(ccxt).__name__)"
    words = [sys.executable, "-c", f"import ccxt.pro\n{LEAN}\n{text}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90, check=True)

    assert done.stdout.split() == ["module", "module"]


def test_who_imports_on_another_thread_meanwhile_goes_through_a_list_that_does_not_move() -> None:
    """Of one that does it skips the next finder, and finds no module that is there."""
    told = run(
        dedent(
            """
            import sys
            from exchanges.ccxt_packages import without_exchanges
            before, held = sys.meta_path, [*sys.meta_path]
            for name in ("ccxt.pro", "never"):
                sys.modules.pop(name, None)
                with without_exchanges():
                    print(sys.meta_path is before, before == held, len(sys.meta_path) - len(held))
                    import ccxt.pro
            print(sys.meta_path == held)
            """
        )
    )

    assert told == ["False True 1", "False True 0", "True"]
