"""New code that never comes back: the replay ends all the same, and names the event."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import cli
from decisions.strategy import StrategyRun
from messages.errors import ConfigError
from messages.orders import OrderIntent
from messages.patience import Patience
from research.replay.code import Otherwise
from research.replay.found import HUNG, Divergence, Findings
from research.replay.line import BEHIND_A_HANG
from research.replay.replaying import Replay
from tests.replay.runs import FILE, ONE, STRATEGY, config_of, messages, run

pytestmark = pytest.mark.slow
LIMIT_S = 0.1
CLOCK = "WATCHKEEPER_TEST_CLOCK_S"
"""What time it is for the replay's patience. A machine that is busy makes nothing hang."""
HANGS = f"__import__('os').environ['{CLOCK}'] = 'runs'; "
AT_42 = "        if self.seen == 42:\n            "
"""Where the run decided something."""
WAYS = {
    "loops": "exec('while True: pass')",
    "waits": "threading.Event().wait()",
    "catches what it can": "exec('while True:\\n try: time.sleep(9)\\n except Exception: pass')",
}
ON_CANDLE = "        return self.wave() if"


def clock_s() -> float:
    told = os.environ[CLOCK]
    return time.monotonic() if told == "runs" else float(told)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands still until something hangs."""
    monkeypatch.setenv(CLOCK, "0")


@pytest.fixture(scope="module")
def a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("hangs") / "run"
    run(config_of(run_dir, "Waves", batch=16))
    return run_dir


def new_code(folder: Path, old: str, new: str) -> Path:
    """Another version of the strategies' file."""
    text = FILE.read_text()
    assert old in text
    path = folder / FILE.name
    path.write_text(text.replace(old, new, 1))
    return path


def replayed_by(run_dir: Path, code: Path) -> tuple[Findings, list[Divergence]]:
    divergences: list[Divergence] = []
    otherwise = Otherwise(code_from=Path(f"{code}:Waves"))
    work = Replay(run_dir / "journal", otherwise, divergences.append, Patience(LIMIT_S, clock_s))
    work.run(lambda _: None)
    return work.findings, divergences


@pytest.mark.parametrize("way", WAYS)
def test_the_event_is_named_and_what_came_before_it_is_compared(
    a_run: Path, tmp_path: Path, way: str
) -> None:
    code = new_code(tmp_path, ON_CANDLE, f"{AT_42}{HANGS}{WAYS[way]}\n{ON_CANDLE}")

    findings, divergences = replayed_by(a_run, code)

    (found,) = divergences
    assert (found.kind, found.who) == (HUNG, "one")
    assert found.event.startswith("the candle of BTC/USDT that closed at")
    assert found.event.endswith("(event 41)")
    assert found.place.startswith("message ")
    assert found.replayed.startswith("did not come back within 0.1 s (replayed_strategies.py:")
    assert (found.state["seen"], "position BTC/USDT" in found.state) == ("42", True)
    assert (found.recorded.endswith(": the 42th"), found.order_key is None) == (True, False)
    decided = [intent for _, _, intent in messages(a_run, OrderIntent, STRATEGY)]
    (place,) = (n for n, intent in enumerate(decided) if intent.order_key == found.order_key)
    compared = findings.strategies[ONE]
    assert compared.same == compared.decisions == place > 0
    assert compared.events == 41
    assert findings.not_compared == {BEHIND_A_HANG: len(decided) - place}
    assert findings.judged.total() == len(decided)


def test_what_is_said_of_it_is_not_interrupted_however_long_that_takes(
    a_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that is busy the next look came while its line was being found."""
    line_of, over = StrategyRun.line_of, threading.Event()

    def slow(run: StrategyRun, error: BaseException) -> str:
        over.wait(5 * LIMIT_S)
        return line_of(run, error)

    monkeypatch.setattr(StrategyRun, "line_of", slow)
    code = new_code(tmp_path, ON_CANDLE, f"{AT_42}{HANGS}{WAYS['loops']}\n{ON_CANDLE}")

    _, (found,) = replayed_by(a_run, code)

    assert (found.kind, found.who) == (HUNG, "one")


def test_one_that_hangs_as_it_is_made_is_named_too(a_run: Path, tmp_path: Path) -> None:
    code = new_code(
        tmp_path, "        self.seen = 0\n", f"        {HANGS}threading.Event().wait()\n"
    )

    findings, (found,) = replayed_by(a_run, code)

    assert (found.kind, found.event) == (HUNG, "MarketBatch")
    assert "while it was made" in found.replayed
    assert findings.not_compared == {BEHIND_A_HANG: len(messages(a_run, OrderIntent, STRATEGY))}


def test_one_that_hangs_in_what_it_is_told_of_its_orders_is_named_too(
    a_run: Path, tmp_path: Path
) -> None:
    told = (
        f"    def on_update(self, update: OrderUpdate) -> None:\n        {HANGS}time.sleep(99)\n\n"
    )
    code = new_code(
        tmp_path, "    def wave(self) -> Target:", f"{told}    def wave(self) -> Target:"
    )

    _, (found,) = replayed_by(a_run, code)

    assert (found.kind, found.event) == (HUNG, "OrderUpdate")
    assert "in on_update" in found.replayed


def test_a_file_that_hangs_as_it_is_loaded_is_one_sentence(a_run: Path, tmp_path: Path) -> None:
    code = new_code(tmp_path, "STEP = ", f"{HANGS}time.sleep(99)\nSTEP = ")

    with pytest.raises(ConfigError, match=r"loading it did not end within 0\.1 s: .*\.py:1"):
        replayed_by(a_run, code)


def test_slow_is_not_hung(a_run: Path, tmp_path: Path) -> None:
    """It is each event that has the limit, not a batch of them."""
    takes = f"__import__('os').environ['{CLOCK}'] = str(self.seen * {0.6 * LIMIT_S})"
    slow = f"        {takes}; time.sleep(0.03 * (self.seen < 12))\n"
    code = new_code(tmp_path, ON_CANDLE, f"{slow}{ON_CANDLE}")

    findings, divergences = replayed_by(a_run, code)

    assert divergences == []
    assert findings.strategies[ONE].events == 120


def test_how_long_is_long_is_said_on_the_command_line(
    a_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = new_code(tmp_path, ON_CANDLE, f"{AT_42}while True: pass\n{ON_CANDLE}")

    words = ["replay", str(a_run), "--code-from", f"{code}:Waves", "--event-limit-s", "0.3"]
    assert cli.main(words) == 1

    said = capsys.readouterr().out
    assert "1 divergences (1 hung); " in said
    assert "    replayed  did not come back within 0.3 s" in said


def test_whose_timer_it_was_gets_it_back() -> None:
    before = signal.getsignal(signal.SIGALRM)
    left_s, _ = signal.setitimer(signal.ITIMER_REAL, 50)
    try:
        with Patience(LIMIT_S).watching():
            assert signal.getitimer(signal.ITIMER_REAL)[0] <= LIMIT_S
        assert 49 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
        assert signal.getsignal(signal.SIGALRM) is before
    finally:
        signal.setitimer(signal.ITIMER_REAL, left_s)


IN_A_PROCESS = f"""
import os, sys, time
from pathlib import Path
from research.replay.code import Otherwise
from messages.patience import Patience
from research.replay.replaying import Replay
patience = Patience({LIMIT_S}, lambda: time.monotonic() * (os.environ["{CLOCK}"] == "runs"))
otherwise = Otherwise(code_from=Path(sys.argv[2]))
Replay(Path(sys.argv[1]), otherwise, print, patience).run(lambda _: None)
"""


def test_code_that_catches_whatever_interrupts_it_ends_with_its_process(
    a_run: Path, tmp_path: Path
) -> None:
    swallowing = "exec('while True:\\n try: time.sleep(9)\\n except BaseException: pass')"
    code = new_code(tmp_path, ON_CANDLE, f"{AT_42}{HANGS}{swallowing}\n{ON_CANDLE}")

    ended = subprocess.run(
        [sys.executable, "-P", "-c", IN_A_PROCESS, a_run / "journal", f"{code}:Waves"],
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 1
    (sentence,) = [line for line in ended.stderr.splitlines() if line.startswith("watchkeeper:")]
    assert "strategy one, message" in sentence
    assert "the candle of BTC/USDT that closed at" in sentence
    assert "(event 41): does not come back within 0.1 s" in sentence
    assert "Traceback" not in ended.stderr
