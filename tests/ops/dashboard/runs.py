"""Run directories as a dashboard may find them: written line by line."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from messages.ids import NS_PER_S

T0 = 1_790_000_000 * NS_PER_S
CONFIG = """
name = "made"
mode = "paper"
[feed]
type = "demo"
symbols = ["BTC/USDT"]
seed = 7
[venue]
type = "paper"
taker_fee_bps = "10"
[venue.balances]
USDT = "10000"
"""


def line(second: float, kind: str, **fields: Any) -> dict[str, Any]:
    return {"at_ns": T0 + int(second * NS_PER_S), "kind": kind, "schema": 2, **fields}


def said(second: float, kind: str, **message: Any) -> dict[str, Any]:
    return line(second, kind, message=message)


def encoded(*lines: Any) -> bytes:
    return b"".join(one if isinstance(one, bytes) else _encoded(one) for one in lines)


def _encoded(one: Any) -> bytes:
    return json.dumps(one, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def run_with(run_dir: Path, *lines: Any, config: str = CONFIG) -> Path:
    run_dir.mkdir(exist_ok=True)
    (run_dir / "config.effective.toml").write_text(config, encoding="utf-8")
    (run_dir / "metrics.ndjson").write_bytes(encoded(*lines))
    return run_dir


def recorded(run_dir: Path, minutes: Iterable[int], *lines: Any) -> Path:
    """Make the run of a recording that has candles of these minutes only."""
    run_dir.mkdir(exist_ok=True)
    path = run_dir.with_name("candles.csv")
    rows = [f"{T0 // 10**6 + m * 60_000},100,107,99,{100 + m % 7},1\n" for m in minutes]
    path.write_text("ts,open,high,low,close,volume\n" + "".join(rows), encoding="utf-8")
    replay = CONFIG.replace('"demo"', '"replay"') + f'[feed.path]\n"BTC/USDT" = "{path}"\n'
    progress = said(1, "feed", feed="feeds/feed:replay", delivered=len(rows), type="FeedReport")
    return run_with(run_dir, *LIFE[:1], progress, *lines, config=replay)


LIFE = [
    said(0, "supervision", child="metrics", event="started", epoch=1, supervisor="root"),
    said(1, "feed", feed="feeds/feed:demo", delivered=10, type="FeedReport"),
    said(2, "order", state="claimed", type="OrderUpdate", claim_latency_ns=2_000_000),
    line(2.5, "stage", stage="send", latency_ns=5_000_000),
    line(2.6, "message", actor="a", ended_ns=T0 + NS_PER_S, every=10, outcome="ok"),
    said(3, "order", state="refused", type="OrderUpdate", reason="cooldown: too early"),
    said(4, "supervision", child="x", event="exited", reason="crashed: boom", epoch=1),
    said(5, "supervision", child="x", event="restarted", reason="", epoch=2),
    line(6, "alert", rule="stale", key="feed", state="firing", sentence="The feed is stale."),
    line(
        7,
        "interval",
        actors={"a": {"processed": 5, "mailbox": 3}},
        since={"stages": {"ack": {"count": 2, "p50": 1, "p95": 2, "p99": 3_000_000, "max": 4}}},
    ),
    line(8, "alert", rule="stale", key="feed", state="recovered", sentence="It is back."),
]
