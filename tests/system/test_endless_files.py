"""A strategy's file that never ends, or whose strategy is never made: what loads it says so.

Real processes, whose minute is a second. What is only slow passes.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

LIMIT_S = 90.0
A_SECOND = """
import sys
import ops.own_code
ops.own_code.LIMIT_S = float(sys.argv.pop(1))
import cli
sys.exit(cli.main(sys.argv[1:]))
"""
CONFIG = """
name = "endless"
run_dir = "{folder}/run"
[feed]
type = "demo"
limit = 50
[supervision]
hang_after_s = {hang_after_s}
[[strategy]]
id = "one"
uses = "mine.py:Mine"
[[strategy]]
id = "two"
uses = "mine.py:Mine"
"""
STRATEGY = """
import threading
import time
from strategies.protocol import Strategy

class Mine(Strategy):
    warmup_events = 0

    def __init__(self, params, symbol, order_notional, instrument):
        {constructor}

    def on_candle(self, candle, position):
        return ()
{loaded}
"""
LOOPS = "exec('while True: pass')"
CATCHES = "exec('while True:\\n try: time.sleep(9)\\n except BaseException: pass')"


def run(
    folder: Path,
    command: str,
    *,
    loaded: str = "",
    constructor: str = "pass",
    hang_after_s: int = 1,
    limit_s: float = 1.0,
) -> tuple[int, str]:
    """Give the exit code, and what stands on stderr."""
    (folder / "mine.py").write_text(STRATEGY.format(loaded=loaded, constructor=constructor))
    (folder / "c.toml").write_text(CONFIG.format(folder=folder, hang_after_s=hang_after_s))
    words = [sys.executable, "-P", "-c", A_SECOND, str(limit_s), command, str(folder / "c.toml")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done.returncode, done.stderr + (done.stdout if command == "doctor" else "")


@pytest.mark.parametrize("command", ["check", "start", "doctor", "drill", "publish"])
@pytest.mark.parametrize("loaded", [LOOPS, "threading.Event().wait()"])
def test_a_file_that_never_ends_is_named_with_its_line(
    command: str, loaded: str, tmp_path: Path
) -> None:
    code, said = run(tmp_path, command, loaded=loaded)

    assert code == 2, said
    who = f"strategy[0].uses: {tmp_path}/mine.py:Mine"
    assert f"{who} did not come back within 1 s as it was loaded (mine.py:14): " in said
    assert "end what goes on for ever there, or, if it is only slow" in said
    assert "set supervision.hang_after_s above 1" in said
    assert said.count("did not come back") == 1
    assert "Traceback" not in said
    assert not (tmp_path / "run" / "ledger.db").exists()


@pytest.mark.parametrize(("command", "who"), [("check", "strategy one: "), ("start", "")])
def test_a_strategy_that_is_never_made_is_named_with_its_line(
    command: str, who: str, tmp_path: Path
) -> None:
    code, said = run(tmp_path, command, constructor=LOOPS)

    assert code == 2, said
    assert f"{who}{tmp_path}/mine.py:Mine did not come back within 1 s as it was made" in said
    assert "(mine.py:10, in __init__)" in said
    assert "Traceback" not in said


def test_a_file_that_catches_what_interrupts_it_is_left_with_its_process(tmp_path: Path) -> None:
    code, said = run(tmp_path, "check", loaded=CATCHES, limit_s=0.2)

    assert code == 2
    assert f"{tmp_path}/mine.py:Mine (mine.py:14) does not come back within 1 s" in said
    assert "catches whatever interrupts it" in said


@pytest.mark.parametrize("command", ["check", "start"])
@pytest.mark.parametrize("way", ["loaded", "constructor"])
def test_what_is_only_slow_passes(command: str, way: str, tmp_path: Path) -> None:
    slow = {way: "time.sleep(1.5)"}

    code, said = run(tmp_path, command, limit_s=60, hang_after_s=10, **slow)

    assert (code, said) == (0, "")


def test_it_may_be_given_longer(tmp_path: Path) -> None:
    code, said = run(tmp_path, "check", loaded="time.sleep(2)", hang_after_s=60)

    assert (code, said) == (0, "")
