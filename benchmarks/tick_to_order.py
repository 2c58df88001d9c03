"""From a tick to a durable claim and to the gateway, on live threads, at 1,000 ticks a second.

Every second tick is traded, so an order comes each 2 ms and costs three commits: CLAIMED, SENT
and FILLED. Both spans begin just before `tell(tick)`:

* *claim*: until the transaction that holds the claim has returned from its flush;
* *hand-over*: until SENT is durable too and the order stands in the gateway's queue.
"""

import threading
import time

from benchmarks.common import Options, Result, fdatasync_us, median, percentile, say, scratch
from benchmarks.live import live, tick

PERIOD_NS = 1_000_000
WARM_UP = 200
"""Orders at the beginning that do not count: the file grows, caches fill."""


class Spans:
    """Microseconds of one round."""

    def __init__(self, claim: list[float], handed: list[float], sent: int) -> None:
        self.claim, self.handed, self.sent = claim, handed, sent


def one_round(options: Options, ticks: int, *, busy: bool) -> Spans:
    """Pace ticks by the clock, whatever becomes of them."""
    told: dict[int, int] = {}
    events = [tick(number) for number in range(ticks)]
    over = threading.Event()
    with scratch(options) as folder, live(folder) as system:
        if busy:
            threading.Thread(target=_burn, args=(over,), daemon=True).start()
        tell, now_ns = system.strategy.tell, time.monotonic_ns
        due_ns = now_ns() + 50 * PERIOD_NS
        for event in events:
            due_ns += PERIOD_NS
            while (left_ns := due_ns - now_ns()) > 0:
                time.sleep(left_ns / 1e9)
            told[event.ts_event_ns] = now_ns()
            tell(event)
        _settle(system.handed)
        over.set()
    keys = sorted(system.durable)[WARM_UP:]
    return Spans(
        [(system.durable[key] - told[key]) / 1_000 for key in keys],
        [(system.handed[key] - told[key]) / 1_000 for key in keys if key in system.handed],
        len(system.reached),
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


def run(options: Options) -> list[Result]:
    """Interleave the bare disk, the quiet machine and the busy one."""
    ticks, rounds = options.pick(2_000, 5_000), options.pick(3, 5)
    disk: list[list[float]] = []
    quiet: list[Spans] = []
    busy: list[Spans] = []
    for count in range(rounds):
        with scratch(options) as folder:
            disk.append(fdatasync_us(folder, ticks // 2))
        quiet.append(one_round(options, ticks, busy=False))
        busy.append(one_round(options, ticks, busy=True))
        say(
            f"tick_to_order {count + 1}/{rounds}: fdatasync p50 {percentile(disk[-1], 50):.0f} us;"
            f" claim {_pair(quiet[-1].claim)}, hand-over {_pair(quiet[-1].handed)};"
            f" busy: claim {_pair(busy[-1].claim)}, hand-over {_pair(busy[-1].handed)}"
        )
    floor50 = median([percentile(one, 50) for one in disk])
    floor99 = median([percentile(one, 99) for one in disk])
    against = "bare fdatasync"
    results = []
    for name, spans, is_claim in (
        ("tick -> durable claim", [one.claim for one in quiet], True),
        ("tick -> hand-over", [one.handed for one in quiet], False),
    ):
        p50, p99 = _medians(spans)
        results += [
            Result(
                name=f"{name}, p50",
                value=p50,
                unit="us",
                reference=floor50,
                against=against,
                goal="<= 3.5x" if is_claim else "",
                met=p50 <= 3.5 * floor50 if is_claim else None,
            ),
            Result(
                name=f"{name}, p99",
                value=p99,
                unit="us",
                reference=floor99,
                against=against,
                goal="< 1,500 us" if is_claim else "",
                met=p99 < 1_500 if is_claim else None,
            ),
        ]
    for name, spans, is_claim in (
        ("... beside a busy thread: claim, p99", [one.claim for one in busy], True),
        ("... beside a busy thread: hand-over, p99", [one.handed for one in busy], False),
    ):
        p50, p99 = _medians(spans)
        results.append(
            Result(
                name=name,
                value=p99,
                unit="us",
                reference=floor99,
                against=against,
                goal="< 3,000 us" if is_claim else "",
                met=p99 < 3_000 if is_claim else None,
                note=f"p50 {p50:,.0f} us",
            )
        )
    return results


def _medians(rounds: list[list[float]]) -> tuple[float, float]:
    return (
        median([percentile(one, 50) for one in rounds]),
        median([percentile(one, 99) for one in rounds]),
    )


def _pair(spans: list[float]) -> str:
    return f"{percentile(spans, 50):.0f}/{percentile(spans, 99):.0f} us"
