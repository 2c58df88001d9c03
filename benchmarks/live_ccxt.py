"""The live system of `benchmarks.live` with a real venue behind it: ccxt, and an exchange apart.

A request is *on the wire* when aiohttp is about to write it to the socket: the same hook on the
client of ours and on a bare one, on the bot's side, so that it depends on no other process. The
write itself begins some 0.05 ms later, in ours and in a bare one: see `benchmarks.order_road`.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs

from actors.gateway import Gateway
from actors.live_gateway import LiveGateway
from benchmarks.common import say
from benchmarks.exchange import Exchange
from benchmarks.live import QUANTITY, SYMBOL, Live, clocked, tick
from benchmarks.safety import WHOLE, Safety
from decisions.lease import timing_of
from exchanges.ccxt_settings import DEFAULT_RECV_WINDOW_MS, CcxtSettings
from exchanges.ccxt_venue import CcxtVenue
from exchanges.protocol import NewOrder
from exchanges.rate_budget import Budget, RateBudget
from exchanges.venue_loop import VenueLoop
from messages.ids import Epoch, OrderKey
from messages.values import OrderState
from ops.lease import hold_place
from ops.lease_keeper import LeaseKeeper
from ops.lease_place import Place
from persistence.fence import take_writing
from persistence.ledger import Claim, SqliteLedger, Step

LIMIT_S = 60.0
WIDE_MS = 10**9

Named = dict[str, int]
"""By client order id: the monotonic moment of an event in our process."""


def wire_trace(wire: Named) -> Any:
    """Note when the body of an order is about to be written to the socket."""
    import aiohttp

    async def sent(_session: Any, _context: Any, params: Any) -> None:
        at_ns = time.monotonic_ns()
        if params.method == "POST":
            wire[parse_qs(params.chunk.decode())["newClientOrderId"][0]] = at_ns

    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(sent)
    trace.freeze()
    return trace


def _freely() -> None:
    """Without a lease nobody else can have the account."""


def _uncompared() -> Callable[[], None]:
    return _freely


class ClockedLiveGateway(LiveGateway):
    """The real gateway; notes when the executor hands an order over."""

    handed: dict[int, int]

    def submit(self, epoch: Epoch, key: OrderKey, order: NewOrder, **when: Any) -> None:
        super().submit(epoch, key, order, **when)
        self.handed[order.decided_at_ns] = time.monotonic_ns()


class LiveCcxt(Live):
    """Strategy, executor, gateway, ccxt and metrics, as a live run has them; the feed is played.

    `wide`: the exchange's rate is not kept, to see what the bot itself can do.
    """

    def __init__(
        self,
        folder: Path,
        venue: Exchange,
        capacity: int,
        safety: Safety,
        *,
        wide: bool,
        straight: bool = False,
    ) -> None:
        self.wire: Named = {}
        self.decided: Named = {}
        """By client order id: when its intent was made."""
        self.names: dict[int, str] = {}
        """By the market time of the decision: the client order id."""
        self.states: dict[OrderKey, dict[OrderState, int]] = {}
        settings = CcxtSettings(
            exchange="binance",
            api_key=venue.keys["apiKey"],
            secret=venue.keys["secret"],
            config=venue.ccxt,
        )
        budget = RateBudget(Budget(burst_ms=WIDE_MS) if wide else None)
        self._leased = ExitStack()
        self._writer: int | None = None
        keeper = self._keeper = self._lease(folder) if safety.lease else None
        self.venue = CcxtVenue(
            settings,
            [SYMBOL],
            rng=Random(1),
            budget=budget,
            may_call=_freely if keeper is None else keeper.may_call,
            comparing=_uncompared if keeper is None else keeper.comparing,
        )
        self.loop = VenueLoop("venue")
        self.loop.start()
        self.loop.submit(self.venue.open()).result(LIMIT_S)
        self.venue._client.session.trace_configs.append(wire_trace(self.wire))
        super().__init__(folder, folder / "ledger.db", capacity, safety, straight=straight)

    def _lease(self, folder: Path) -> LeaseKeeper:
        """Take the account's lease and the ledger's one right to write, as a live start does."""
        timing = timing_of(DEFAULT_RECV_WINDOW_MS, None)
        place = Place("bench", folder / "leases" / "bench.db", timing)
        holding = hold_place(place, folder / "run", standby=False, on_lost=say)
        keeper = self._leased.enter_context(holding).keeper
        self._writer = take_writing(folder / "ledger.db")
        return keeper

    def open_ledger(self, path: Path) -> SqliteLedger:
        return clocked(self.ledger_of(path, self._writer), self.written)

    def written(self, steps: Sequence[Step], claims: Sequence[Claim], at_ns: int) -> None:
        """Note too when each state of an order had become durable."""
        super().written(steps, claims, at_ns)
        offset_ns = time.time_ns() - at_ns
        for claim in claims:
            self.names[claim.intent.decided_at_ns] = claim.client_order_id
            self.decided[claim.client_order_id] = claim.intent.ts_created_ns - offset_ns
        for step in steps:
            self.states.setdefault(step.order_key, {}).setdefault(step.to, at_ns)

    def make_gateway(self) -> Gateway:
        utc_ns = self.runtime.clock.utc_ns
        may_send = _freely if self._keeper is None else self._keeper.may_send
        gateway = ClockedLiveGateway(self.venue, self.loop, self.executor, utc_ns, may_send)
        gateway.handed = self.handed
        gateway.watch([SYMBOL])
        return gateway

    def ended(self, state: OrderState = OrderState.FILLED) -> int:
        """How many orders have come to this state."""
        return sum(state in moments for moments in list(self.states.values()))

    def stop(self) -> None:
        super().stop()
        self.loop.submit(self.venue.close()).result(LIMIT_S)
        assert self.loop.close(LIMIT_S)
        self._leased.close()


@contextmanager
def live_ccxt(
    folder: Path,
    venue: Exchange,
    safety: Safety = WHOLE,
    *,
    wide: bool = False,
    straight: bool = False,
) -> Iterator[LiveCcxt]:
    """Run a live system at an exchange while the block runs; its market stands from the start."""
    folder.mkdir(exist_ok=True)
    system = LiveCcxt(folder, venue, 8192, safety, wide=wide, straight=straight)
    system.executor.tell(tick(0))
    try:
        yield system
    finally:
        system.stop()


class Bare:
    """What a script does: ccxt.pro and `create_order`, nothing written down, nobody asked.

    ccxt's own rate limit is off, which makes it as quick as it can be.
    """

    def __init__(self, venue: Exchange) -> None:
        from ccxt import pro

        self.wire: Named = {}
        self.client = pro.binance(
            {**venue.ccxt, **venue.keys, "enableRateLimit": False, "number": str}
        )
        self.client.timeout_on_exit = 0
        self._number = 0

    async def __aenter__(self) -> "Bare":
        await self.client.load_markets()
        self.client.session.trace_configs.append(wire_trace(self.wire))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def order(self) -> tuple[float, float]:
        """Buy or sell in turn; give the time to the wire and to the answer, in microseconds."""
        self._number += 1
        name, side = f"bare{self._number}", "sell" if self._number % 2 else "buy"
        begun = time.monotonic_ns()
        told = await self.client.create_order(
            SYMBOL, "market", side, str(QUANTITY), None, {"newClientOrderId": name}
        )
        done = time.monotonic_ns()
        assert Decimal(told["filled"]) == QUANTITY, told
        return (self.wire[name] - begun) / 1_000, (done - begun) / 1_000


async def paced(bare: Bare, count: int, period_ns: int) -> list[tuple[float, float]]:
    """Place one after the other by the clock."""
    spans, due_ns = [], time.monotonic_ns()
    for _ in range(count):
        due_ns += period_ns
        await asyncio.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        spans.append(await bare.order())
    return spans


async def at_once(bare: Bare, count: int) -> float:
    """Orders a second when all are placed at once."""
    begun = time.monotonic_ns()
    await asyncio.gather(*(bare.order() for _ in range(count)))
    return count * 1e9 / (time.monotonic_ns() - begun)
