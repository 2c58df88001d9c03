"""The one place with effects: the venue, on a thread of its own, behind a fence.

Jobs run one after another, whatever becomes of the Executor meanwhile. So an answer to
"do you have this order?" is never older than the send it asks about, and a send that an
abandoned incarnation queued is dropped when its turn comes: its epoch is not the present one.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from loguru import logger

from actors.address import Address
from actors.runtime import Job
from exchanges.protocol import NewOrder, Trading
from messages.errors import ActorUnavailable, NotSent, Rejected, VenueError
from messages.ids import ActorPath, Epoch, OrderKey, TimestampNs
from messages.lifecycle import HaltTrading
from messages.market import MarketBatch, MarketEvent
from messages.orders import LookupDone, MarketReports, OrderReport, SubmitDone
from messages.values import OrderState

TAKE_OVER_S = 5.0
"""How long an older incarnation may take to end its commit: as long as SQLite waits for a lock."""

ExecutorAddress = Address[SubmitDone | LookupDone | MarketReports | HaltTrading]


class Gateway:
    """Outlives the Executor's incarnations. Methods may be called from its thread only.

    `open_venue` runs on the gateway's thread, at the first job.
    """

    def __init__(
        self,
        open_venue: Callable[[], Trading],
        enqueue: Callable[[Job], None],
        executor: ExecutorAddress,
        utc_ns: Callable[[], TimestampNs],
    ) -> None:
        self._open_venue = open_venue
        self._enqueue = enqueue
        self._executor = executor
        self._utc_ns = utc_ns
        self._venue: Trading | None = None
        self._epoch = Epoch(0)
        self._writing = threading.Lock()
        self._halted = ""
        self._reached: dict[ActorPath, int] = {}

    def take_over(self, epoch: Epoch) -> None:
        """Fence off every older incarnation: what it queued and has not begun is dropped.

        Raises:
            ActorUnavailable: one of them hangs in the middle of a commit.
        """
        if not self._writing.acquire(timeout=TAKE_OVER_S):
            raise ActorUnavailable("the replaced executor still hangs in a commit to the ledger")
        self._epoch = epoch
        self._writing.release()

    @contextmanager
    def holding(self, epoch: Epoch) -> Iterator[None]:
        """Let one incarnation write the ledger, unless it was replaced: no other may meanwhile.

        Raises:
            ActorUnavailable: a newer incarnation has taken over; nothing was written.
        """
        with self._writing:
            if epoch != self._epoch:
                raise ActorUnavailable(f"executor {epoch} was replaced by {self._epoch}")
            yield

    def submit(
        self, epoch: Epoch, key: OrderKey, order: NewOrder, good_until_ns: int | None = None
    ) -> None:
        """Send one order whose SENT is durable; answers `SubmitDone`, unless fenced.

        When its turn comes after `good_until_ns` (UTC) it is not sent, and the answer says so.
        """
        self._enqueue(lambda: self._submit(epoch, key, order, good_until_ns))

    def find(self, epoch: Epoch, key: OrderKey, order: NewOrder) -> None:
        """Ask the venue for an order; answers `LookupDone`, unless fenced."""
        self._enqueue(lambda: self._find(epoch, key, order))

    def market(self, batch: MarketBatch, done: Callable[[int], object]) -> None:
        """Show a paper venue what is new in a batch, then call `done` with the next index.

        A batch that leaves a gap is passed over without a word: the feed sends again.
        """
        self._enqueue(lambda: self._batch(batch, done))

    def live_market(self, event: MarketEvent) -> None:
        """Show a paper venue one event of a live market."""
        self._enqueue(lambda: self._live(event))

    def close(self, done: Callable[[], object]) -> None:
        """Let go of the venue after all jobs before, then call `done`."""
        self._enqueue(lambda: self._close(done))

    # ------------------------------------------------------------ on the gateway's thread

    def _submit(
        self, epoch: Epoch, key: OrderKey, order: NewOrder, good_until_ns: int | None
    ) -> None:
        if epoch != self._epoch:
            logger.warning("a send of the replaced executor {} was dropped: {}", epoch, key)
            return
        try:
            self._check_age(good_until_ns)
            report = self._trading().submit(order)
        except NotSent as error:
            report = self._told(order, OrderState.NOT_SENT, error)
        except Rejected as error:
            report = self._told(order, OrderState.REJECTED, error)
        except BaseException as error:  # noqa: BLE001 - an allow-list: everything else proves nothing
            report = self._told(order, OrderState.UNKNOWN, error)
        self._executor.tell(SubmitDone(order_key=key, epoch=epoch, report=report))

    def _check_age(self, good_until_ns: int | None) -> None:
        if good_until_ns is not None and self._utc_ns() > good_until_ns:
            raise NotSent("stale: its turn to be sent came too late")

    def _find(self, epoch: Epoch, key: OrderKey, order: NewOrder) -> None:
        if epoch != self._epoch:
            return
        report, problem = None, ""
        try:
            report = self._trading().find(order.client_order_id, order.symbol)
        except BaseException as error:  # noqa: BLE001 - a failed question proves nothing
            problem = f"{type(error).__name__}: {error}"
        self._executor.tell(LookupDone(order_key=key, epoch=epoch, report=report, problem=problem))

    def _batch(self, batch: MarketBatch, done: Callable[[int], object]) -> None:
        reached = self._reached.get(batch.feed, 0)
        if batch.first_index - batch.lost > reached:
            return
        reached = max(reached, batch.first_index if batch.lost else 0)
        if self._market(batch.events[reached - batch.first_index :]):
            ahead = max(reached, batch.first_index + len(batch.events))
            self._reached[batch.feed] = ahead
            done(ahead)

    def _live(self, event: MarketEvent) -> None:
        self._market((event,))

    def _market(self, events: Sequence[MarketEvent]) -> bool:
        try:
            reports = self._trading().on_market(events)
        except VenueError as error:
            self._halt(str(error))
            return False
        except Exception as error:  # noqa: BLE001 - a broken venue must not kill its thread
            self._halt(f"{type(error).__name__}: {error}")
            return False
        if reports:
            self._executor.tell(MarketReports(reports=tuple(reports)))
        return True

    def _halt(self, why: str) -> None:
        """The venue cannot go on: say so once; the events stay unacknowledged."""
        if why != self._halted:
            self._halted = why
            self._executor.tell(HaltTrading(reason=f"the venue failed: {why}", durable=False))

    def _close(self, done: Callable[[], object]) -> None:
        if self._venue is not None:
            self._venue.close()
            self._venue = None
        done()

    def _trading(self) -> Trading:
        if self._venue is None:
            self._venue = self._open_venue()
        return self._venue

    def _told(self, order: NewOrder, state: OrderState, error: BaseException) -> OrderReport:
        text = f"{type(error).__name__}: {error}"
        return OrderReport(
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            state=state,
            venue_order_id=None,
            filled_quantity=Decimal(0),
            average_price=None,
            fills=(),
            reason=str(error),
            evidence=f"error: {text}",
            ts_event_ns=self._utc_ns(),
        )
