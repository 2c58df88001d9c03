"""Claims in an open loop: so many a second by the clock, and what each waits for its commit."""

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.claim_rates import one_by_one
from benchmarks.common import Options, Result, median, percentile, say, scratch, wait_for
from benchmarks.live import Live, intent, live

RATE = 20_000
P99_MS = 10
SUSTAINED = 0.95
"""What is claimed a second is at least so much of what was offered."""
WARM_UP = 100
PRODUCER_LOOKS_S = 0.001
"""How often the producer of the open loop looks what is due.

One that woke up for each intent, 20,000 times a second, was half of the load itself.
"""


class Burst:
    """An open loop: intents come by the clock, whatever becomes of them."""

    def __init__(self, system: Live, first: int, seconds: float, rate: int) -> None:
        count = int(seconds * rate)
        intents = [intent(first + number, time.time_ns() + 10**9) for number in range(count)]
        told: dict[int, int] = {}
        known = len(system.durable)
        tell, now_ns, refused = system.executor.tell, time.monotonic_ns, 0
        with system.venue_holds_back():
            begun = now_ns()
            for number, one in enumerate(intents):
                due_ns = begun + number * 1_000_000_000 // rate
                while due_ns > now_ns():
                    time.sleep(PRODUCER_LOOKS_S)
                told[one.decided_at_ns] = due_ns  # not now: who is told late has waited as well
                refused += not tell(one)
            self.told_per_s = count * 1e9 / (now_ns() - begun)
            wait_for(lambda: len(system.durable) >= known + count - refused)
        wait_for(lambda: system.fold.filled >= known + count - refused)
        durable = system.durable
        spans = [(durable[key] - due) / 1e6 for key, due in told.items() if key in durable]
        last = max(durable[key] for key in told if key in durable)
        self.refused = refused
        self.claimed_per_s = len(spans) * 1e9 / (last - begun)
        self.p50_ms, self.p99_ms = percentile(spans, 50), percentile(spans, 99)


def open_loop(options: Options, first: int, rate: int, ledger: Path | None = None) -> Burst:
    """Let intents come to a system of its own; `ledger` is an empty one unless it is given."""
    with scratch(options) as folder, live(folder, ledger) as system:
        one_by_one(system, first, WARM_UP)
        return Burst(system, first + WARM_UP, loop_s(options), rate)


def loop_s(options: Options) -> int:
    return options.pick(1, 3)


def of_bursts(name: str, rate: int, bursts: Sequence[Burst], *, has_goal: bool) -> Result:
    """Give the p99 of an open loop, the median of its rounds."""
    p99 = median([one.p99_ms for one in bursts])
    claimed = median([one.claimed_per_s for one in bursts])
    offered = median([one.told_per_s for one in bursts])
    p50 = median([one.p50_ms for one in bursts])
    refused = sum(one.refused for one in bursts)
    say(f"claims, {name}: {claimed:,.0f}/s, p99 {p99:.1f} ms")
    is_met = p99 < P99_MS and not refused and claimed > SUSTAINED * rate
    return Result(
        name=f"{name}, p99",
        value=p99,
        unit="ms",
        goal=f"p99 < {P99_MS} ms" if has_goal else "",
        met=is_met if has_goal else None,
        note=f"p50 {p50:.1f} ms; offered {offered:,.0f}/s, claimed {claimed:,.0f}/s,"
        f" {refused} refused by a full mailbox",
    )
