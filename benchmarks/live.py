"""A live system with clocks at the two places that count: durable claim, and hand-over."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from actors.address import Address
from actors.executor import WORKER, ExecutorActor, ExecutorKept
from actors.gateway import Gateway
from actors.gathering import Gathering
from actors.metrics import MetricsActor
from actors.paper_gateway import PaperGateway
from actors.strategy import Kept, StrategyActor
from actors.thread_runtime import ThreadRuntime
from benchmarks.safety import JOURNAL, LEDGER_ALONE, SAMPLE_EVERY, Safety, limits_of
from decisions.ledger_figures import LedgerFigures
from decisions.metrics import MetricsFold
from decisions.order_keys import order_key
from decisions.strategy import new_memory
from exchanges.protocol import NewOrder
from messages.errors import Rejected
from messages.ids import (
    NS_PER_S,
    AccountId,
    ClientOrderId,
    Epoch,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
    TradeId,
)
from messages.market import MarketEvent, Tick
from messages.orders import Fill, OrderIntent, OrderReport
from messages.stops import Stop
from messages.values import Liquidity, OrderState, OrderType, Side, TimeInForce
from ops.collector import seldom_collecting
from ops.journal import Journal
from ops.run_dir import RunDir
from persistence.entries import NO_NOTES, NO_STOPS
from persistence.ledger import Claim, LedgerEntry, SqliteLedger, Step
from persistence.lines import RotatingLines
from persistence.measured_ledger import MeasuredLedger
from strategies.protocol import Decision, Strategy, market_order

ACCOUNT, STRATEGY, SYMBOL = AccountId("bench"), StrategyId("bench"), Symbol("BTC/USDT")
PRICE, QUANTITY = Decimal("61480.25"), Decimal("0.001")
FIRST_NS = 1_800_000_000 * NS_PER_S
"""A moment of the market after all rows of a table that was built beforehand."""

Moments = dict[int, int]
"""By the market time of the decision: the monotonic moment of an event in our process."""


HELD = 50
"""How many buys come first, so that what is sold later is there whatever the venue does."""


class EveryOther(Strategy):
    """Trades on every second tick: buys first, then sells and buys in turn.

    What it sells has filled long ago. An exit whose entry still fills waits for that, and to
    measure it would be to measure the venue.
    """

    def __init__(self) -> None:
        self.seen = self.decided = 0

    def on_tick(self, tick: Tick, position: Decimal) -> Sequence[Decision]:
        self.seen += 1
        if self.seen % 2:
            return ()
        self.decided += 1
        is_sale = self.decided > HELD and self.decided % 2
        side = Side.SELL if is_sale else Side.BUY
        return (market_order(side, QUANTITY, "every other tick"),)


Written = Callable[[Sequence[Step], Sequence[Claim], int], object]
"""What is told of each write, with the monotonic moment at which it was durable."""


def clocked(ledger: SqliteLedger, written: Written) -> SqliteLedger:
    """Have it told what the real ledger has written."""
    write = ledger.write

    def noted(
        steps: Sequence[Step],
        claims: Sequence[Claim],
        now_ns: int,
        notes: Mapping[str, str] = NO_NOTES,
        stops: Sequence[Stop] = NO_STOPS,
    ) -> list[LedgerEntry]:
        after = write(steps, claims, now_ns, notes, stops)
        written(steps, claims, time.monotonic_ns())
        return after

    ledger.write = noted  # type: ignore[method-assign]  # whichever ledger it is
    return ledger


class ClockedGateway(PaperGateway):
    """The real gateway; notes when the executor, SENT being durable, hands an order over."""

    handed: Moments
    news: "SimpleQueue[int]"
    """The decisions handed over, for whoever waits for each."""

    def submit(self, epoch: Epoch, key: OrderKey, order: NewOrder, **when: Any) -> None:
        super().submit(epoch, key, order, **when)
        self.handed[order.decided_at_ns] = time.monotonic_ns()
        self.news.put(order.decided_at_ns)

    def live_market(self, event: MarketEvent) -> None:
        """As where the venue is a real one: it knows what its market does."""


class RecordingVenue:
    """Fills everything, as soon as `answers` is set, and notes when it was called."""

    def __init__(self, reached: Moments, answers: threading.Event) -> None:
        self._reached, self._answers = reached, answers

    def submit(self, order: NewOrder) -> OrderReport:
        self._reached[order.decided_at_ns] = time.monotonic_ns()
        self._answers.wait()
        fill = Fill(
            trade_id=TradeId(order.client_order_id),
            price=PRICE,
            quantity=order.quantity,
            fee=Decimal(0),
            fee_currency="USDT",
            liquidity=Liquidity.TAKER,
            ts_event_ns=order.decided_at_ns,
        )
        return OrderReport(
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            state=OrderState.FILLED,
            venue_order_id=None,
            filled_quantity=order.quantity,
            average_price=PRICE,
            fills=(fill,),
            reason="",
            evidence="submit",
            ts_event_ns=order.decided_at_ns,
        )

    def find(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport | None:
        return None

    def cancel(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        raise Rejected(f"there is no open order {client_order_id} of {symbol}")

    def open_orders(self, symbol: Symbol) -> list[OrderReport]:
        return []

    def on_market(self, events: Sequence[MarketEvent]) -> list[OrderReport]:
        return []

    def close(self) -> None:
        return None


class Live:
    """Strategy, executor, gateway and metrics on threads, as `ops.wiring` makes them.

    And of what else a run has, what `safety` says. A lease it has with a real account alone.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Path,
        capacity: int,
        safety: Safety,
        *,
        straight: bool = False,
    ) -> None:
        self.safety = safety
        self.figures = LedgerFigures() if safety.metrics else None
        self.durable: Moments = {}
        self.handed: Moments = {}
        self.reached: Moments = {}
        self.news: SimpleQueue[int] = SimpleQueue()
        self.answers = threading.Event()
        self.answers.set()
        self.fold = MetricsFold()
        self.runtime = runtime = ThreadRuntime()
        self._holding = ExitStack()
        stages = runtime.note_hops(SAMPLE_EVERY) if safety.metrics else None
        if safety.journal:
            run_dir = self._holding.enter_context(RunDir(folder / "run"))
            journal = Journal(JOURNAL, run_dir, runtime.clock.utc_ns, keeps_batches=False)
            runtime.recorder, runtime.notes = journal.record, journal
            journal.start()
            self._holding.callback(journal.close)
        self.executor: Address[Any] = runtime.address("execution/executor")
        self.strategy: Address[Any] = runtime.address("execution/strategies/bench")
        metrics: Address[Any] = runtime.address("metrics")
        metrics_arguments = {
            "fold": self.fold,
            "open_lines": partial(RotatingLines, folder / "metrics.ndjson", 1 << 30, 1),
            "write_summary": None,
            "describe": dict,
        }
        gateway = self.gateway = self.make_gateway()
        if stages is not None:
            gateway.leaving, self.fold.stages = stages.leaving, stages.fold
            metrics_arguments |= {
                "gathering": Gathering(runtime.cells, stages),
                "write_summary": (folder / "metrics_summary.json").write_bytes,
            }
        executor_arguments = {
            "open_ledger": partial(self.open_ledger, ledger),
            "gateway": gateway,
            "limits": limits_of(safety, straight=straight),
            "max_decision_age_ns": 60 * NS_PER_S,
            "kept": ExecutorKept(),
            "metrics": metrics,
            "strategies": {STRATEGY: self.strategy},
            "feeds": {},
        }
        strategy_arguments = {
            "build": EveryOther,
            "kept": Kept(new_memory(0)),
            "account": ACCOUNT,
            "strategy_id": STRATEGY,
            "symbol": SYMBOL,
            "executor": self.executor,
            "feeds": {},
        }
        self.cells = [
            runtime.populate("metrics", MetricsActor, metrics_arguments, 1_000_000),
            runtime.populate("execution/executor", ExecutorActor, executor_arguments, capacity),
            runtime.populate("execution/strategies/bench", StrategyActor, strategy_arguments, 8192),
        ]
        for cell in self.cells:
            started = runtime.start(cell)
            assert not started.problem, started

    def show(self, event: Tick) -> None:
        """Show a tick as a feed does: to the strategy, and then to the executor if it has limits.

        Without them it makes nothing of a price.
        """
        self.strategy.tell(event)
        if self.safety.limits:
            self.executor.tell(event)

    def open_ledger(self, path: Path) -> SqliteLedger:
        """Open the ledger, on the executor's thread."""
        return clocked(self.ledger_of(path, None), self.written)

    def ledger_of(self, path: Path, writer: int | None) -> SqliteLedger:
        """Open the real ledger: with metrics it is measured."""
        if self.figures is None:
            return SqliteLedger(path, writer)
        now_ns = self.runtime.clock.monotonic_ns
        return MeasuredLedger(path, writer, figures=self.figures, now_ns=now_ns)

    def written(self, steps: Sequence[Step], claims: Sequence[Claim], at_ns: int) -> None:
        """Note when a claim had become durable."""
        for claim in claims:
            self.durable[claim.intent.decided_at_ns] = at_ns

    def make_gateway(self) -> Gateway:
        """Give the gateway: here to a venue that is played."""
        gateway = ClockedGateway(
            lambda: RecordingVenue(self.reached, self.answers),
            self.runtime.worker(WORKER),
            partial(self.runtime.flush, WORKER),
            self.executor,
            self.runtime.clock.utc_ns,
        )
        gateway.handed, gateway.news = self.handed, self.news
        return gateway

    @contextmanager
    def venue_holds_back(self) -> Iterator[None]:
        """Let the venue answer nothing while the block runs."""
        self.answers.clear()
        yield
        self.answers.set()

    def stop(self) -> None:
        """End in order, and insist that nobody failed."""
        errors = [cell.last_error for cell in self.cells if cell.last_error]
        for cell in reversed(self.cells):
            self.runtime.stop(cell, 60 * NS_PER_S, drain=True)
        self._holding.close()
        assert not errors, errors


@contextmanager
def live(
    folder: Path,
    ledger: Path | None = None,
    capacity: int = 8192,
    safety: Safety = LEDGER_ALONE,
) -> Iterator[Live]:
    """Run a live system while the block runs."""
    system = Live(folder, ledger or folder / "ledger.db", capacity, safety)
    try:
        with seldom_collecting():  # as `start` does
            yield system
    finally:
        system.stop()


def tick(number: int) -> Tick:
    """Give the tick of one millisecond; its market time names it."""
    at_ns = TimestampNs(FIRST_NS + number * 1_000_000)
    return Tick(
        symbol=SYMBOL,
        bid_price=PRICE,
        ask_price=PRICE + Decimal("0.01"),
        ts_event_ns=at_ns,
        ts_received_ns=at_ns,
    )


def intent(number: int, created_ns: int) -> OrderIntent:
    """Give one decision; bought and sold in turn."""
    decided_at = TimestampNs(FIRST_NS + number * 50_000)
    return OrderIntent(
        order_key=order_key(ACCOUNT, STRATEGY, SYMBOL, decided_at, 0),
        account=ACCOUNT,
        strategy_id=STRATEGY,
        symbol=SYMBOL,
        side=Side.SELL if number % 2 else Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=QUANTITY,
        limit_price=None,
        reference_price=PRICE,
        decided_at_ns=decided_at,
        ts_created_ns=TimestampNs(created_ns),
        reason="benchmark",
    )
