"""The one place with effects: a venue, off the executor's thread, behind a fence.

A gateway outlives the executor's incarnations. Whatever an abandoned one queued is dropped
when its turn comes: its epoch is not the present one. Answers come back as messages.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import NamedTuple

from actors.address import Address
from actors.error_text import Clean, as_it_is
from decisions.order_keys import client_order_id
from exchanges.protocol import NewOrder
from messages.account import AccountRead
from messages.errors import ActorUnavailable, NotSent, Rejected, StillWriting
from messages.halting import CancelDone, OpenListed
from messages.ids import ClientOrderId, Epoch, OrderKey, Symbol, TimestampNs
from messages.lifecycle import HaltTrading
from messages.market import MarketBatch, MarketEvent
from messages.orders import (
    LookupDone,
    MarketReports,
    MarketRules,
    OrderReport,
    SubmitDone,
    VenueNotice,
    VenueStream,
)
from messages.values import OrderState

ExecutorAddress = Address[
    SubmitDone
    | LookupDone
    | CancelDone
    | OpenListed
    | MarketReports
    | OrderReport
    | VenueStream
    | VenueNotice
    | MarketRules
    | AccountRead
    | HaltTrading
]

TAKE_OVER_S = 5.0
"""How long an older incarnation may take to end its commit: as long as SQLite waits for a lock."""


class Question(NamedTuple):
    """An order that is to be asked for, as `Gateway.find` takes it."""

    key: OrderKey
    order: NewOrder
    sent_at_ns: int


def _nobody(key: OrderKey) -> None:
    """Want to know nothing."""


class Gateway(ABC):
    """What the executor needs of any venue. Its thread calls every method but `close`."""

    shows_again = False
    """Whether a recording begins anew, this venue with it, once a failed venue is mended."""

    def __init__(self, executor: ExecutorAddress, utc_ns: Callable[[], TimestampNs]) -> None:
        self._executor = executor
        self._utc_ns = utc_ns
        self._epoch = Epoch(0)
        self._writing = threading.Lock()
        self.symbols: tuple[Symbol, ...] = ()
        """All that the run trades; set before the start."""
        self.leaving: Callable[[OrderKey], object] = _nobody
        """Called where an order leaves for the venue; set before the start."""
        self.name_of: Callable[[OrderKey], ClientOrderId] = client_order_id
        """How the venue is told of an order; set before the start."""
        self.clean: Clean = as_it_is
        """Takes secrets out of what a venue or an error says; set before the start."""
        self.barred = ""
        """Why nothing may be sent now: what is queued and has not left comes back NOT_SENT."""

    def take_over(self, epoch: Epoch) -> None:
        """Fence off every older incarnation: what it queued and has not begun is dropped.

        Raises:
            StillWriting: one of them hangs in the middle of a commit.
            ActorUnavailable: it was replaced itself meanwhile.
        """
        if not self._writing.acquire(timeout=TAKE_OVER_S):
            raise StillWriting("the replaced executor still hangs in a commit to the ledger")
        try:
            if epoch < self._epoch:  # it was given up while it waited
                raise ActorUnavailable(f"executor {epoch} was replaced by {self._epoch}")
            self._epoch = epoch
        finally:
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

    @abstractmethod
    def submit(
        self,
        epoch: Epoch,
        key: OrderKey,
        order: NewOrder,
        *,
        sent_at_ns: int,
        good_until_ns: int | None,
    ) -> None:
        """Send one order whose SENT is durable since `sent_at_ns` (UTC); answers `SubmitDone`.

        When its turn comes after `good_until_ns` (UTC), or when the executor was replaced
        meanwhile, it is not sent; in the former case the answer says so.
        """

    def see_off(self) -> None:  # noqa: B027 - most have nothing to wait for
        """Let the order that was handed over last leave undisturbed.

        Returns when it has, or after two milliseconds, and proves nothing.
        """

    @abstractmethod
    def find(self, epoch: Epoch, key: OrderKey, order: NewOrder, *, sent_at_ns: int) -> None:
        """Ask the venue for an order marked SENT at `sent_at_ns` or before; answers `LookupDone`.

        The answer is never older than a send of the same order that was asked for before.
        """

    def find_all(self, epoch: Epoch, questions: Sequence[Question]) -> None:
        """Ask for many at once; each is answered as by `find`, in any order."""
        for one in questions:
            self.find(epoch, one.key, one.order, sent_at_ns=one.sent_at_ns)

    @abstractmethod
    def cancel(self, epoch: Epoch, key: OrderKey, order: NewOrder) -> None:
        """Cancel one order at the venue; answers `CancelDone`.

        When the executor was replaced before it began nothing is done and nothing answered; what
        the venue says to one that had begun is told, under the epoch that asked.
        """

    @abstractmethod
    def list_open(self, epoch: Epoch, question: int, symbols: Iterable[Symbol]) -> None:
        """Ask the venue what is open on these symbols and on the run's; answers `OpenListed`.

        The answer is never older than the question. Nothing comes to a replaced executor.
        """

    def ask_account(self, epoch: Epoch) -> None:
        """Ask what the account holds; answers `AccountRead`. A venue that is played has none."""
        none = "this venue has no account"
        self._executor.tell(AccountRead(epoch=epoch, balances={}, open_orders=(), problem=none))

    @abstractmethod
    def market(self, batch: MarketBatch, done: Callable[[int], object]) -> None:
        """Show a paper venue what is new in a batch, then call `done` with the next index.

        A batch that leaves a gap is passed over without a word: the feed sends again.
        """

    @abstractmethod
    def live_market(self, event: MarketEvent) -> None:
        """Show a paper venue one event of a live market."""

    @abstractmethod
    def flush(self, timeout_ns: int) -> bool:
        """Wait until what is under way has been answered; False when some of it has not."""

    def _all_symbols(self, more: Iterable[Symbol]) -> tuple[Symbol, ...]:
        return tuple(dict.fromkeys((*self.symbols, *more)))

    def _check_leave(self, good_until_ns: int | None) -> None:
        """Stop a send that has not left yet, if trading has halted or it has waited too long."""
        if self.barred:
            raise NotSent(f"halted: {self.barred}")
        if good_until_ns is not None and self._utc_ns() > good_until_ns:
            raise NotSent("stale: its turn to be sent came too late")

    def _said(self, error: BaseException) -> str:
        return self.clean(f"{type(error).__name__}: {error}")

    def _told(self, order: NewOrder, error: BaseException) -> OrderReport:
        """Say what a failed send proves: an allow-list, everything else proves nothing."""
        state = OrderState.UNKNOWN
        if isinstance(error, NotSent):
            state = OrderState.NOT_SENT
        elif isinstance(error, Rejected):
            state = OrderState.REJECTED
        return OrderReport(
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            state=state,
            venue_order_id=None,
            filled_quantity=Decimal(0),
            average_price=None,
            fills=(),
            reason=self.clean(str(error)),
            evidence=f"error: {self._said(error)}",
            ts_event_ns=self._utc_ns(),
        )
