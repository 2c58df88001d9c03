"""What `dashboard --serve` costs a bot that runs at full speed beside it.

Bot and dashboard are the real commands, each a process of its own. Both windows of a pair are of a
bot that was started anew and is as old: one alone, one beside a dashboard that is started as the
window begins, whose page is fetched and whose stream is read until it ends. So its start and its
first look, the dearest, count each time; a dashboard that stays costs less. The reader draws
nothing: where the browser runs on the same machine, that comes on top.
"""

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.common import Options, Result, median, say, scratch, wait_for
from ops.client import NoAnswer, ask

ROOT = Path(__file__).resolve().parent.parent
_CONFIG = """
name = "beside"
[feed]
type = "demo"
symbols = ["BTC/USDT"]
speed = 0
[[strategy]]
id = "sma-1"
uses = "sma_cross"
order_notional = "100"
[strategy.params]
fast = 5
slow = 15
"""
_WARM_UP_S = 3.0
_LEAST_RATIO = 0.95


def run(options: Options) -> list[Result]:
    """Measure pairs, every other one the other way round."""
    pairs, seconds = options.pick(4, 8), float(options.pick(8, 20))
    alone, beside, shares = list[float](), list[float](), list[float]()
    for number in range(pairs):
        for is_beside in (number % 2 == 1, number % 2 == 0):
            rate, share = _window(options, seconds, is_beside=is_beside)
            (beside if is_beside else alone).append(rate)
            shares += [share] * is_beside
        say(f"alone {alone[-1]:,.0f} messages/s, beside {beside[-1]:,.0f}")
    return _results(alone, beside, shares, seconds)


def _results(
    alone: list[float], beside: list[float], shares: list[float], seconds: float
) -> list[Result]:
    ratios = [two / one for one, two in zip(alone, beside, strict=True)]
    ratio = median(ratios)
    return [
        Result(
            name="bot beside `dashboard --serve`, started and open",
            value=median(beside),
            unit="messages/s",
            reference=median(alone),
            against="alone",
        ),
        Result(
            name="the same, median of the pairs' ratios",
            value=ratio * 100,
            unit="%",
            goal=f">= {_LEAST_RATIO:.0%}",
            met=ratio >= _LEAST_RATIO,
            note=f"{len(ratios)} pairs of {seconds:.0f} s, {min(ratios):.2f} to {max(ratios):.2f};"
            f" alone {min(alone):,.0f} to {max(alone):,.0f} messages/s",
        ),
        Result(
            name="the dashboard's processor time in it, start and first look too, of one core",
            value=median(shares),
            unit="%",
        ),
    ]


def _window(options: Options, seconds: float, *, is_beside: bool) -> tuple[float, float]:
    """Give a new bot's messages/s, and what the dashboard took in percent of a core."""
    with scratch(options) as folder, ExitStack() as stack:
        run_dir = folder / "run"
        stack.enter_context(_bot(folder, run_dir))
        time.sleep(_WARM_UP_S)
        begun, before, used = time.monotonic(), _handled(run_dir), 0.0
        if is_beside:
            server = stack.enter_context(_open_page(run_dir))
        time.sleep(max(begun + seconds - time.monotonic(), 0))
        ended, after = time.monotonic(), _handled(run_dir)
        if is_beside:
            used = _processor_s(server)
        return (after - before) / (ended - begun), used / (ended - begun) * 100


def _handled(run_dir: Path) -> int:
    """Give how many messages all actors have handled."""
    health = ask(run_dir / "control.sock", "health", timeout_s=30)
    return sum(int(actor["processed"]) for actor in health["actors"])


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _bot(folder: Path, run_dir: Path) -> Iterator[None]:
    config = folder / "bot.toml"
    config.write_text(_CONFIG, encoding="utf-8")
    with _process("start", str(config), "--run-dir", str(run_dir), stdout=subprocess.DEVNULL):
        wait_for(lambda: _answers(run_dir))
        yield


def _answers(run_dir: Path) -> bool:
    try:
        return bool(ask(run_dir / "control.sock", "health")["ready"])
    except NoAnswer:
        return False


@contextmanager
def _open_page(run_dir: Path) -> Iterator[int]:
    """Serve it, fetch the page and read its stream; give the process that serves."""
    with _process("dashboard", str(run_dir), "--serve", "--port", "0") as server:
        assert server.stdout is not None
        parts = urlsplit(server.stdout.readline().strip())
        host, port = str(parts.hostname), parts.port
        with closing(http.client.HTTPConnection(host, port, timeout=60)) as page:
            page.request("GET", "/")
            page.getresponse().read()
        with closing(http.client.HTTPConnection(host, port, timeout=60)) as stream:
            stream.request("GET", "/events")
            events = stream.getresponse()
            reader = threading.Thread(target=_read_all, args=(events,), daemon=True)
            reader.start()
            yield server.pid
            server.terminate()
            reader.join(30)


def _read_all(events: http.client.HTTPResponse) -> None:
    with suppress(OSError, http.client.HTTPException):
        while events.read1(1 << 16):
            pass


@contextmanager
def _process(*words: str, stdout: int = subprocess.PIPE) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
