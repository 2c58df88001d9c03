"""Claims in an open loop: so many a second by the clock, and what each waits for its commit."""

import time

from benchmarks.common import percentile, wait_for
from benchmarks.live import Live, intent

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
