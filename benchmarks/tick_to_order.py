"""From a tick to a durable claim and to the gateway, on live threads, at 1,000 ticks a second.

Every second tick is traded, so an order comes each 2 ms and costs two commits: CLAIMED with
SENT, and FILLED. Both spans begin just before `tell(tick)`, and have the same goals:

* *claim*: until the transaction that holds the claim has returned from its flush;
* *hand-over*: until the order stands in the gateway's queue.

The executor has every limit of `[risk]`, none of which refuses, and is shown each tick; metrics
gather and a journal is kept; the same is measured with the ledger alone beside it. Each is measured
as the threads fall, and with all of them on one CPU (`runtime.one_cpu`).
"""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import structs

from benchmarks.common import (
    STANDS_S,
    Options,
    Result,
    fdatasync_us,
    median,
    one_cpu,
    percentile,
    say,
    scratch,
)
from benchmarks.live import live, tick
from benchmarks.safety import LEDGER_ALONE, WHOLE, Safety

PERIOD_NS = 1_000_000
WARM_UP = 200
"""Orders at the beginning that do not count: the file grows, caches fill."""


class Spans(NamedTuple):
    """Microseconds of one round."""

    claim: list[float]
    handed: list[float]
    offered: int
    """How many orders all ticks make, if none gives way to a newer one."""


def one_round(options: Options, ticks: int, safety: Safety, *, busy: bool) -> Spans:
    """Pace ticks by the clock, whatever becomes of them."""
    told: dict[int, int] = {}
    events = [tick(number) for number in range(ticks)]
    over = threading.Event()
    with scratch(options) as folder, live(folder, safety=safety) as system:
        if busy:
            threading.Thread(target=_burn, args=(over,), daemon=True).start()
        show, now_ns = system.show, time.monotonic_ns
        time.sleep(STANDS_S)
        due_ns = now_ns()
        for event in events:
            due_ns += PERIOD_NS
            while (left_ns := due_ns - now_ns()) > 0:
                time.sleep(left_ns / 1e9)
            told[event.ts_event_ns] = now_ns()
            show(event)
        _settle(system.handed)
        over.set()
    keys = sorted(system.durable)[WARM_UP:]
    if not keys:
        few = f"{ticks:,} ticks made no more than {WARM_UP} orders"
        raise RuntimeError(f"{few}: measure again when the machine has less to do")
    return Spans(
        [(system.durable[key] - told[key]) / 1_000 for key in keys],
        [(system.handed[key] - told[key]) / 1_000 for key in keys if key in system.handed],
        ticks // 2 - WARM_UP,
    )


def _burn(over: threading.Event) -> None:
    number = 0
    while not over.is_set():
        for _ in range(1_000):
            number = (number * 1_103_515_245 + 12_345) % 2_147_483_648


def _settle(seen: dict[int, int]) -> None:
    before = -1
    while len(seen) != before:
        before = len(seen)
        time.sleep(0.2)


class Setting(NamedTuple):
    """One way to measure."""

    name: str
    busy: bool
    on_one_cpu: bool
    goal_p50: float
    """Times the p50 of a fdatasync; 0 for none."""
    goal_p99_us: float
    safety: Safety = WHOLE


WHOLE_SETTINGS = (
    Setting("", busy=False, on_one_cpu=False, goal_p50=3.5, goal_p99_us=1_500),
    Setting(", one CPU", busy=False, on_one_cpu=True, goal_p50=3.5, goal_p99_us=1_500),
    Setting(", busy thread", busy=True, on_one_cpu=False, goal_p50=0, goal_p99_us=3_000),
    Setting(", busy thread, one CPU", busy=True, on_one_cpu=True, goal_p50=0, goal_p99_us=3_000),
)
SETTINGS = WHOLE_SETTINGS + tuple(
    each._replace(name=f"{each.name}, ledger alone", safety=LEDGER_ALONE) for each in WHOLE_SETTINGS
)


def run(options: Options) -> list[Result]:
    """Interleave the bare disk with every setting."""
    ticks, rounds = options.pick(2_000, 5_000), options.pick(3, 5)
    disk: list[list[float]] = []
    paced: list[list[float]] = []
    spans: dict[Setting, list[Spans]] = {setting: [] for setting in SETTINGS}
    for count in range(rounds):
        with scratch(options) as folder:
            disk.append(fdatasync_us(folder, ticks // 2))
            paced.append(fdatasync_us(folder, ticks // 2, 2 * PERIOD_NS / 1e9))
        shown = []
        for setting in SETTINGS:
            with one_cpu(setting.on_one_cpu):
                spans[setting].append(one_round(options, ticks, setting.safety, busy=setting.busy))
            last = spans[setting][-1]
            shown.append(
                f"claim{setting.name} {_pair(last.claim)}, handed over {_pair(last.handed)}"
            )
        bare = f"fdatasync {_pair(disk[-1])}"
        say(f"tick_to_order {count + 1}/{rounds}: {bare}; " + "; ".join(shown))
    floor, at_pace = Percentiles.of(disk), Percentiles.of(paced)
    lines = [
        line for setting in SETTINGS for line in lines_of(setting, spans[setting], floor, at_pace)
    ]
    return [_at_pace(floor, at_pace), *lines]


class Percentiles(NamedTuple):
    """The medians of the rounds' percentiles, in microseconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, rounds: Sequence[Sequence[float]]) -> "Percentiles":
        return cls(
            median([percentile(one, 50) for one in rounds]),
            median([percentile(one, 99) for one in rounds]),
        )


def _at_pace(floor: Percentiles, at_pace: Percentiles) -> Result:
    return Result(
        name="bare fdatasync as often as orders come, p50",
        value=at_pace.p50,
        unit="us",
        reference=floor.p50,
        against="one after the other",
        note=f"p99 {at_pace.p99:,.0f} us; one after the other {floor.p99:,.0f} us",
    )


def lines_of(
    setting: Setting, rounds: list[Spans], floor: Percentiles, at_pace: Percentiles
) -> Iterator[Result]:
    """Hold both spans against the same goals."""
    claim = [one.claim for one in rounds]
    handed = [one.handed for one in rounds]
    missing = sum(map(len, claim)) - sum(map(len, handed))
    p50, p99 = _judged(f"tick -> durable claim{setting.name}", setting, claim, floor, at_pace)
    yield p50
    yield structs.replace(p99, note=_share(rounds))
    for line in _judged(f"tick -> hand-over{setting.name}", setting, handed, floor, at_pace):
        yield _with_missing(line, missing) if missing else line


def _judged(
    name: str,
    setting: Setting,
    rounds: list[list[float]],
    floor: Percentiles,
    at_pace: Percentiles,
) -> Iterator[Result]:
    taken, times, limit = Percentiles.of(rounds), setting.goal_p50, setting.goal_p99_us
    yield Result(
        name=f"{name}, p50",
        value=taken.p50,
        unit="us",
        reference=floor.p50,
        against="bare fdatasync",
        goal=f"<= {times}x" if times else "",
        met=taken.p50 <= times * floor.p50 if times else None,
        note=f"{taken.p50 / at_pace.p50:.1f}x of a bare fdatasync as often as orders come",
    )
    yield Result(
        name=f"{name}, p99",
        value=taken.p99,
        unit="us",
        reference=floor.p99,
        against="bare fdatasync",
        goal=f"< {limit:,.0f} us",
        met=taken.p99 < limit,
    )


def _share(rounds: list[Spans]) -> str:
    """Say of how many a percentile knows: a strategy that falls behind is shown the newest tick."""
    orders, offered = sum(len(one.claim) for one in rounds), sum(one.offered for one in rounds)
    return f"{orders:,} orders of the {offered:,} that all ticks make"


def _with_missing(line: Result, missing: int) -> Result:
    """Say how many had no such moment: of them no percentile knows."""
    met = None if line.met is None else False
    return structs.replace(line, met=met, note=f"claims that were never handed over: {missing}")


def _pair(spans: list[float]) -> str:
    return f"{percentile(spans, 50):.0f}/{percentile(spans, 99):.0f} us"
