"""What `dashboard --serve` costs a bot that runs at full speed beside it.

Bot and dashboard are the real commands, each a process of its own, which ends with this one
however that ends. Both windows of a pair are of a bot that was started anew and is as old: one
alone, one beside a dashboard whose page was fetched before, and whose stream is read throughout.
What its start and its first look at the files take is given apart. The reader draws nothing: a
browser on the same machine comes on top.
"""

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

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
_WARM_UP_S = 6.0
_LEAST_RATIO = 0.95
_MOST_SHARE = 5.0


class _Window(msgspec.Struct, frozen=True, kw_only=True):
    """What one bot did, and what the dashboard took beside it."""

    rate: float
    """Messages a second."""
    thrift: float
    """Messages a second of the bot's own processor time: other work on the machine is not in it."""
    started_s: float
    """Processor time of the dashboard's start and first look."""
    share: float
    """Its processor time afterwards, in percent of one core."""


def run(options: Options) -> list[Result]:
    """Measure pairs, every other one the other way round."""
    if find_spec("uvicorn") is None or find_spec("starlette") is None:
        return [
            Result(name="dashboard beside", note="skipped: the extra `dashboard` is not installed")
        ]
    pairs, seconds = options.pick(4, 8), float(options.pick(8, 20))
    alone, beside = list[_Window](), list[_Window]()
    for number in range(pairs):
        for is_beside in (number % 2 == 1, number % 2 == 0):
            window = _window(options, seconds, is_beside=is_beside)
            (beside if is_beside else alone).append(window)
        say(f"alone {alone[-1].rate:,.0f} messages/s, beside {beside[-1].rate:,.0f}")
    share = median([one.share for one in beside])
    return [
        _compared("beside `dashboard --serve`, its page open", "rate", alone, beside),
        _compared("the same, per second of the bot's processor time", "thrift", alone, beside),
        Result(
            name="the dashboard's processor time, of one core",
            value=share,
            unit="%",
            goal=f"< {_MOST_SHARE:.0f} %",
            met=share < _MOST_SHARE,
        ),
        Result(
            name="its start and its first look, processor time",
            value=median([one.started_s for one in beside]) * 1e3,
            unit="ms",
        ),
    ]


def _compared(name: str, what: str, alone: list[_Window], beside: list[_Window]) -> Result:
    """Give the median of the pairs' ratios, which a slow drift of the machine does not move."""
    pairs = [
        (getattr(one, what), getattr(two, what)) for one, two in zip(alone, beside, strict=True)
    ]
    ratios = [two / one for one, two in pairs]
    rates = [one for one, _ in pairs]
    return Result(
        name=f"bot {name}",
        value=median(ratios) * 100,
        unit="% of alone",
        goal=f">= {_LEAST_RATIO:.0%}",
        met=median(ratios) >= _LEAST_RATIO,
        note=f"{len(ratios)} pairs, {min(ratios):.2f} to {max(ratios):.2f};"
        f" alone {min(rates):,.0f} to {max(rates):,.0f} messages/s",
    )


def _window(options: Options, seconds: float, *, is_beside: bool) -> _Window:
    with scratch(options) as folder, ExitStack() as stack:
        run_dir = folder / "run"
        bot = stack.enter_context(_bot(folder, run_dir))
        due = time.monotonic() + _WARM_UP_S
        server = stack.enter_context(_open_page(run_dir)) if is_beside else None
        time.sleep(max(due - time.monotonic(), 0))
        started_s = _processor_s(server)
        begun, before, used_s = time.monotonic(), _handled(run_dir), _processor_s(bot)
        time.sleep(seconds)
        took, handled = time.monotonic() - begun, _handled(run_dir) - before
        return _Window(
            rate=handled / took,
            thrift=handled / (_processor_s(bot) - used_s),
            started_s=started_s,
            share=(_processor_s(server) - started_s) / took * 100,
        )


def _handled(run_dir: Path) -> int:
    """Give how many messages all actors have handled."""
    health = ask(run_dir / "control.sock", "health", timeout_s=30)
    return sum(int(actor["processed"]) for actor in health["actors"])


def _processor_s(pid: int | None) -> float:
    """Give what a process has used of processors; 0 of none."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _bot(folder: Path, run_dir: Path) -> Iterator[int]:
    config = folder / "bot.toml"
    config.write_text(_CONFIG, encoding="utf-8")
    with _process(
        "start", str(config), "--run-dir", str(run_dir), stdout=subprocess.DEVNULL
    ) as bot:
        wait_for(lambda: _answers(run_dir))
        yield bot.pid


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
        [sys.executable, "-P", "-m", "benchmarks.lifeline", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
