"""What `dashboard --serve` costs a bot that runs at full speed beside it.

Bot and dashboard are the real commands, each a process of its own. Windows of equal length come in
pairs: alone, then beside a dashboard that is started as the window begins, whose page is fetched
and whose stream is read until it ends. So its start and its first look at all the files, the
dearest, count in every pair; a dashboard that stays costs less. The reader draws nothing: where the
browser runs on the same machine, that comes on top.
"""

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
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
_MOST_SHARE = 5.0
"""Percent of one core."""


def run(options: Options) -> list[Result]:
    """Measure pairs in one run of one bot."""
    pairs, seconds = options.pick(4, 8), float(options.pick(8, 20))
    with scratch(options) as folder:
        run_dir = folder / "run"
        with _bot(folder, run_dir):
            time.sleep(_WARM_UP_S)
            found = [_pair(run_dir, seconds, number) for number in range(pairs)]
    alone, beside, shares = ([one[at] for one in found] for at in range(3))
    ratios = [two / one for one, two in zip(alone, beside, strict=True)]
    ratio = median(ratios)
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
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
            note=f"{pairs} pairs of {seconds:.0f} s, {spread}",
        ),
        Result(
            name="the dashboard's processor time once it is open, of one core",
            value=median(shares),
            unit="%",
            goal=f"< {_MOST_SHARE:.0f} %",
            met=median(shares) < _MOST_SHARE,
        ),
    ]


def _pair(run_dir: Path, seconds: float, number: int) -> tuple[float, float, float]:
    """Give the bot's messages/s alone and beside, and what the dashboard took in percent."""
    if number % 2:  # the bot's rate drifts as its files grow
        beside, share = _beside(run_dir, seconds)
        alone = _rate(run_dir, seconds)
    else:
        alone = _rate(run_dir, seconds)
        beside, share = _beside(run_dir, seconds)
    say(f"alone {alone:,.0f} messages/s, beside {beside:,.0f}, dashboard {share:.1f} % of a core")
    return alone, beside, share


def _beside(run_dir: Path, seconds: float) -> tuple[float, float]:
    begun, before = time.monotonic(), _handled(run_dir)
    with _open_page(run_dir) as pid:
        opened, used = time.monotonic(), _processor_s(pid)
        time.sleep(max(begun + seconds - opened, 0.5))
        ended, after = time.monotonic(), _handled(run_dir)
        share = (_processor_s(pid) - used) / (ended - opened) * 100
    return (after - before) / (ended - begun), share


def _rate(run_dir: Path, seconds: float) -> float:
    begun, before = time.monotonic(), _handled(run_dir)
    time.sleep(seconds)
    return (_handled(run_dir) - before) / (time.monotonic() - begun)


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
