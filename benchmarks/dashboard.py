"""A dashboard of a million metric lines: how long to write, how large, how long to open."""

import random
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import Options, Result, median, say, scratch
from messages.ids import NS_PER_MS, NS_PER_S
from ops.dashboard.command import DashboardOptions, model_of
from ops.dashboard.page import embedded, page

_T0 = 1_790_000_000 * NS_PER_S
_STAGES = ("feed", "strategy", "risk", "claim", "send", "ack", "fill")
_ACTORS = ("feeds/feed:demo", "execution/strategies/a", "execution/executor", "metrics")
_CONFIG = """
name = "a-million-lines"
mode = "paper"
[feed]
type = "demo"
symbols = ["BTC/USDT"]
seed = 7
[venue]
type = "paper"
[venue.balances]
USDT = "10000"
"""
_EVENTS = 200_000
_OPENINGS = 5


def run(options: Options) -> list[Result]:
    """Generate a run directory, write its page, open it if there is a browser."""
    count = options.pick(100_000, 1_000_000)
    with scratch(options) as folder:
        say(f"writing {count:,} metric lines")
        _generate(folder, count)
        began, began_cpu = time.perf_counter(), time.process_time()
        model = model_of(DashboardOptions(runs=(folder,)))
        read = time.perf_counter() - began
        text = page(model)
        wrote, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        path = folder / "dashboard.html"
        path.write_text(text, encoding="utf-8")
        name = f"dashboard of {count:,} lines, {_EVENTS:,} candles"
        return [
            Result(name=f"{name}: read", value=read, unit="s"),
            Result(name=f"{name}: written", value=wrote, unit="s"),
            Result(name=f"{name}: processor time", value=cpu, unit="s", goal="10 s", met=cpu < 10),
            Result(name="page without data", value=_bare(text, model) / 1e3, unit="kB", goal="500"),
            Result(name="page", value=len(text) / 1e3, unit="kB"),
            *_opened(path),
        ]


def _bare(text: str, model: dict[str, Any]) -> int:
    return len(text) - len(embedded(model))


def _generate(folder: Path, count: int) -> None:
    chance = random.Random(7)
    (folder / "config.effective.toml").write_text(_CONFIG, encoding="utf-8")
    encode = msgspec.json.Encoder(order="sorted").encode
    with (folder / "metrics.ndjson").open("wb", buffering=1 << 20) as file:
        for number in range(count):
            file.write(encode(_line(number, count, chance)) + b"\n")


def _line(number: int, count: int, chance: random.Random) -> dict[str, Any]:
    at_ns = _T0 + number * 50 * NS_PER_MS
    whole: dict[str, Any] = {"schema": 2, "at_ns": at_ns, "trace_id": f"{number:032x}"}
    latency_ns = int(chance.lognormvariate(13, 1))
    kind = number % 10
    if number % 1_000 == 0:
        done = {"delivered": number * _EVENTS // count, "feed": "feeds/feed:demo"}
        return {**whole, "kind": "feed", "message": {**done, "type": "FeedReport"}}
    if number % 1_000 == 1:
        actors = {path: {"processed": number, "mailbox": number % 97} for path in _ACTORS}
        return {**whole, "kind": "interval", "actors": actors}
    if kind < 6:
        return {
            **whole,
            "kind": "message",
            "actor": _ACTORS[number % 4],
            "type": "OrderIntent",
            "enqueued_ns": at_ns - 2 * latency_ns,
            "started_ns": at_ns - latency_ns,
            "ended_ns": at_ns,
            "outcome": "ok",
            "reason": "",
            "every": 1,
        }
    if kind < 9:
        stage = _STAGES[number % 7]
        fields = {"client_order_id": f"wk{number:022d}", "symbol": "BTC/USDT", "reason": ""}
        return {**whole, **fields, "kind": "stage", "stage": stage, "latency_ns": latency_ns}
    order = {"type": "OrderUpdate", "state": "claimed", "order_key": f"{number:032x}"}
    return {**whole, "kind": "order", "message": {**order, "claim_latency_ns": latency_ns}}


def _opened(path: Path) -> list[Result]:
    chromium = shutil.which("chromium")
    name = "page drawn in Chromium"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return [Result(name=name, note="playwright is not installed")]
    if chromium is None:
        return [Result(name=name, note="there is no chromium")]
    with sync_playwright() as driver:
        taken = [_open(driver.chromium, chromium, path) for _ in range(_OPENINGS)]
    took, script = (median([one[at] for one in taken]) for at in range(2))
    slowest = max(one[0] for one in taken)
    return [
        Result(
            name=f"{name}, median of {_OPENINGS} new browsers",
            value=took * 1e3,
            unit="ms",
            goal="2 s",
            met=took < 2,
            note=f"the slowest {slowest * 1e3:,.0f} ms",
        ),
        Result(name=f"{name}: of it our scripts", value=script * 1e3, unit="ms"),
    ]


def _open(chromium: Any, executable: str, path: Path) -> tuple[float, float]:
    """Give how long until all is drawn, and how long scripts ran until then, in seconds."""
    browser = chromium.launch(executable_path=executable, args=["--no-sandbox"])
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    tools = opened.context.new_cdp_session(opened)
    tools.send("Performance.enable")
    began = time.perf_counter()
    opened.goto(path.as_uri())
    opened.wait_for_selector("html[data-ready=yes]")
    took = time.perf_counter() - began
    metrics = {m["name"]: m["value"] for m in tools.send("Performance.getMetrics")["metrics"]}
    browser.close()
    return took, float(metrics["ScriptDuration"])
