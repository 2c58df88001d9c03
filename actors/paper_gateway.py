"""The gateway to the paper venue: its jobs run one after another on a thread beside the actors.

So an answer to "do you have this order?" is never older than the send it asks about, and the
stepping runtime can take each job as a step.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from actors.gateway import ExecutorAddress, Gateway
from actors.log import logger
from actors.runtime import Job
from exchanges.protocol import NewOrder, Trading
from messages.errors import NotSent, OutcomeUnknown, Rejected, VenueError, VenueFailed
from messages.halting import CancelDone, OpenListed
from messages.ids import ActorPath, Epoch, OrderKey, Symbol, TimestampNs
from messages.lifecycle import HaltTrading
from messages.market import MarketBatch, MarketEvent
from messages.orders import LookupDone, MarketReports, OrderReport, SubmitDone


class PaperGateway(Gateway):
    """`open_venue` runs on the worker's thread, at the first job.

    `enqueue` gives a job to the worker, `flush` waits until it has done all given so far. Once the
    venue itself has failed nothing is submitted any more, as long as the process lives: a sale
    that was kept would be without the purchase before it, which was not.
    """

    shows_again = True

    def __init__(
        self,
        open_venue: Callable[[], Trading],
        enqueue: Callable[[Job], None],
        flush: Callable[[int], bool],
        executor: ExecutorAddress,
        utc_ns: Callable[[], TimestampNs],
    ) -> None:
        super().__init__(executor, utc_ns)
        self._open_venue = open_venue
        self._enqueue = enqueue
        self._flush = flush
        self._venue: Trading | None = None
        self._halted = ""
        self._reached: dict[ActorPath, int] = {}

    def submit(
        self,
        epoch: Epoch,
        key: OrderKey,
        order: NewOrder,
        *,
        sent_at_ns: int,  # noqa: ARG002 - a played venue knows nothing of requests on their way
        good_until_ns: int | None,
    ) -> None:
        """See `Gateway.submit`."""
        self._enqueue(partial(self._submit, epoch, key, order, good_until_ns))

    def find(
        self,
        epoch: Epoch,
        key: OrderKey,
        order: NewOrder,
        *,
        sent_at_ns: int,  # noqa: ARG002 - as above
    ) -> None:
        """See `Gateway.find`."""
        self._enqueue(lambda: self._find(epoch, key, order))

    def cancel(self, epoch: Epoch, key: OrderKey, order: NewOrder) -> None:
        """See `Gateway.cancel`."""
        self._enqueue(lambda: self._cancel(epoch, key, order))

    def list_open(self, epoch: Epoch, question: int, symbols: Iterable[Symbol]) -> None:
        """See `Gateway.list_open`."""
        wanted = self._all_symbols(symbols)
        self._enqueue(lambda: self._list_open(epoch, question, wanted))

    def market(self, batch: MarketBatch, done: Callable[[int], object]) -> None:
        """See `Gateway.market`."""
        self._enqueue(lambda: self._batch(batch, done))

    def live_market(self, event: MarketEvent) -> None:
        """See `Gateway.live_market`."""
        self._enqueue(lambda: self._live(event))

    def flush(self, timeout_ns: int) -> bool:
        """See `Gateway.flush`."""
        return self._flush(timeout_ns)

    # ------------------------------------------------------------ on the worker's thread

    def _submit(
        self, epoch: Epoch, key: OrderKey, order: NewOrder, good_until_ns: int | None
    ) -> None:
        if epoch != self._epoch:
            logger.warning("a send of the replaced executor {} was dropped: {}", epoch, key)
            return
        try:
            self._check_leave(good_until_ns)
            self.leaving(key)
            report = self._trading().submit(order)
        except (NotSent, Rejected, OutcomeUnknown) as error:
            report = self._told(order, error)
        except BaseException as error:  # noqa: BLE001 - what it proves is told
            self._halt(self._why(error))
            report = self._told(order, error)
        self._executor.tell(SubmitDone(order_key=key, epoch=epoch, report=report))

    def _find(self, epoch: Epoch, key: OrderKey, order: NewOrder) -> None:
        if epoch != self._epoch:
            return
        report, problem = None, ""
        try:
            report = self._trading().find(order.client_order_id, order.symbol)
        except BaseException as error:  # noqa: BLE001 - a failed question proves nothing
            problem = self._said(error)
        self._executor.tell(LookupDone(order_key=key, epoch=epoch, report=report, problem=problem))

    def _cancel(self, epoch: Epoch, key: OrderKey, order: NewOrder) -> None:
        if epoch != self._epoch:
            return
        report, problem = None, ""
        try:
            report = self._trading().cancel(order.client_order_id, order.symbol)
        except BaseException as error:  # noqa: BLE001 - a failed cancel proves nothing
            problem = self._said(error)
            if isinstance(error, VenueFailed):
                self._halt(self._why(error))
        self._executor.tell(CancelDone(order_key=key, epoch=epoch, report=report, problem=problem))

    def _list_open(self, epoch: Epoch, question: int, symbols: Sequence[Symbol]) -> None:
        if epoch != self._epoch:
            return
        reports: list[OrderReport] = []
        problem = ""
        try:
            for symbol in symbols:
                reports += self._trading().open_orders(symbol)
        except BaseException as error:  # noqa: BLE001 - a failed question proves nothing
            problem = self._said(error)
        self._executor.tell(
            OpenListed(question=question, epoch=epoch, reports=tuple(reports), problem=problem)
        )

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
        except Exception as error:  # noqa: BLE001 - a broken venue must not kill its thread
            self._halt(self._why(error))
            return False
        if reports:
            self._executor.tell(MarketReports(reports=tuple(reports)))
        return True

    def _check_leave(self, good_until_ns: int | None) -> None:
        if self._halted:
            raise VenueFailed(f"it did not leave, for the venue had failed: {self._halted}")
        super()._check_leave(good_until_ns)

    def _halt(self, why: str) -> None:
        """The venue cannot go on: say so once, before any order is told of; events stay unread."""
        if not self._halted:
            self._halted = why
            self._executor.tell(HaltTrading(reason=f"the venue failed: {why}", durable=False))

    def _why(self, error: BaseException) -> str:
        text = str(error) if isinstance(error, VenueError) else ""
        return self.clean(text) or self._said(error)

    def _trading(self) -> Trading:
        if self._venue is None:
            self._venue = self._open_venue()
        return self._venue
