"""The first import of ccxt: the cycle collector keeps out of it, and is afterwards as it was."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SEEN = """
import gc, sys
passes = []
gc.callbacks.append(lambda phase, info: passes.append(phase))
if sys.argv[1] == "off":
    gc.disable()
from exchanges.ccxt_client import import_ccxt
passes.clear()
pro = import_ccxt()
print(len(passes), gc.isenabled(), "binance" in pro.exchanges)
kept = gc.get_freeze_count()
import_ccxt()
print(gc.get_freeze_count() == kept)
"""


@pytest.mark.parametrize(("how", "is_on"), [("on", True), ("off", False)])
def test_no_pass_is_made_and_only_what_the_import_made_is_left_out_of_later_ones(
    how: str, is_on: bool
) -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    words = [sys.executable, "-c", SEEN, how]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90, check=True)

    assert done.stdout.splitlines() == [f"0 {is_on} True", "True"]
