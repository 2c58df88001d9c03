"""What the journal costs: an actor, for each message; a run as fast as possible; the disk."""

import statistics
import time
from decimal import Decimal
from pathlib import Path

import strategies
from actors.thread_runtime import ThreadRuntime
from benchmarks.common import Options, Result, scratch, wait_for
from messages.ids import ActorPath, Epoch, Symbol, TimestampNs
from messages.market import FeedNews, Trade
from ops.config import demo_config
from ops.journal import Journal, journal_for
from ops.run_dir import RunDir
from ops.wiring import build

GOAL_US = 5.0
"""For an actor, each message; a loguru line costs five times as much."""
MARKET_NS = 1_700_000_000 * 10**9


def run(options: Options) -> list[Result]:
    """Measure one message at a time, then a whole run with and without."""
    count = options.pick(50_000, 200_000)
    with scratch(options) as folder:
        record_us, write_us, size = _one_by_one(folder, count)
        candles = options.pick(20_000, 100_000)
        pairs = [
            tuple(_whole(folder / f"{n}{when}", candles, when) for when in ("never", "always"))
            for n in range(3)
        ]
    without, with_it = (statistics.median(column) for column in zip(*pairs, strict=True))
    return [
        Result(
            name="journal: an actor pays for a message",
            value=record_us,
            unit="us",
            goal=f"below {GOAL_US:g}",
            met=record_us < GOAL_US,
        ),
        Result(name="journal: its thread pays for a message", value=write_us, unit="us"),
        Result(name="journal: a trade on disk", value=size, unit="bytes"),
        Result(
            name="journal: events of a run as fast as possible",
            value=with_it,
            unit="events/s",
            reference=without,
            against="the same without a journal",
        ),
    ]


def _trade(number: int) -> FeedNews:
    trade = Trade(
        symbol=Symbol("BTC/USDT"),
        price=Decimal("60000.12"),
        quantity=Decimal("0.00123"),
        aggressor_side=None,
        ts_event_ns=TimestampNs(MARKET_NS + number),
    )
    return FeedNews(epoch=Epoch(1), what=trade)


def _one_by_one(folder: Path, count: int) -> tuple[float, float, float]:
    config = demo_config({"run_dir": str(folder / "one"), "journal.when": "always"})
    news = [_trade(number) for number in range(count)]
    path = ActorPath("feeds/feed:ccxt")
    with RunDir(config.run_dir) as run_dir:
        journal = Journal(config.journal, run_dir, time.time_ns, keeps_batches=True)
        begun = time.perf_counter_ns()
        for message in news:
            journal.record(path, message, is_timer=False)
        recorded = time.perf_counter_ns()
        journal.start()
        journal.close()
        written = time.perf_counter_ns() - recorded
        size = sum(file.stat().st_size for file in run_dir.journal.iterdir())
    return (recorded - begun) / count / 1e3, written / count / 1e3, size / count


def _whole(run_path: Path, candles: int, when: str) -> float:
    given = {"run_dir": str(run_path), "feed.speed": 0, "feed.limit": candles, "journal.when": when}
    config = demo_config(given, strategies.check_params)
    runtime = ThreadRuntime(ttl_enforced=False)
    with RunDir(config.run_dir) as run_dir:
        journal = journal_for(config, run_dir, runtime.clock.utc_ns)
        if journal is not None:
            runtime.recorder = journal.record
            journal.start()
        system = build(config, run_dir, runtime)
        begun = time.perf_counter()
        assert not runtime.start(system.root, 60 * 10**9).problem
        life = system.root.life
        assert life is not None
        wait_for(life.gone.is_set)
        seconds = time.perf_counter() - begun
        if journal is not None:
            journal.close()
    return candles / seconds
