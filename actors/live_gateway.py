"""The gateway to a real exchange: every call is a coroutine on the venue's own loop.

The executor's thread only hands over. What a call proves is decided in `exchanges`; here it is
fenced, at the moment when the signed request is about to leave, and turned into messages.
"""

import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from decimal import Decimal
from typing import Any

from actors.gateway import ExecutorAddress, Gateway, Question
from actors.log import logger
from exchanges.conditions import Condition
from exchanges.facts import MarketFacts, StreamState
from exchanges.protocol import SEND_WITHIN_MS, LiveTrading, NewOrder
from exchanges.venue_loop import VenueLoop
from messages.account import AccountRead
from messages.errors import NotSent
from messages.halting import CancelDone, OpenListed
from messages.ids import NS_PER_MS, NS_PER_S, Epoch, OrderKey, Symbol, TimestampNs
from messages.lifecycle import HaltTrading
from messages.market import MarketBatch, MarketEvent
from messages.orders import (
    LookupDone,
    MarketRules,
    OrderReport,
    SubmitDone,
    VenueNotice,
    VenueStream,
)
from messages.values import OrderState

LEAVES_S = 0.002
"""Longer than a signed request takes to leave; one that waits for its turn at the exchange's rate,
say, is not waited for."""
TOGETHER = 4
"""With this many orders of a symbol or more, a list of its open orders is asked for first."""


class LiveGateway(Gateway):
    """`venue` has passed its gate on `loop` and is used on it alone.

    `may_send` raises `NotSent` where this process may not trade the account now; it is asked at
    the last moment, on the venue's loop.
    """

    def __init__(
        self,
        venue: LiveTrading,
        loop: VenueLoop,
        executor: ExecutorAddress,
        utc_ns: Callable[[], TimestampNs],
        may_send: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(executor, utc_ns)
        self._may_send = may_send
        self._venue = venue
        self._loop = loop
        self._standing: dict[str, Condition] = {}
        self._telling = threading.Lock()
        """What lasts is told by the loop as it comes, and anew by the executor's thread: no end
        before its beginning."""
        self._left = threading.Event()
        venue.follow(self._condition, self._rules)

    def take_over(self, epoch: Epoch) -> None:
        """See `Gateway.take_over`; what lasts is told anew, and the markets' rules."""
        super().take_over(epoch)
        with self._telling:
            for condition in self._standing.values():
                self._tell_condition(condition)
            self._tell_rules(self._venue.markets())

    def watch(self, symbols: Sequence[Symbol]) -> None:
        """Begin to tell the executor what the account's stream says; until the loop ends."""
        stream = self._loop.submit(self._venue.watch(symbols, self._streamed))
        stream.add_done_callback(self._stream_over)

    def submit(
        self,
        epoch: Epoch,
        key: OrderKey,
        order: NewOrder,
        *,
        sent_at_ns: int,
        good_until_ns: int | None,
    ) -> None:
        """See `Gateway.submit`."""

        def fence() -> None:
            if epoch != self._epoch:
                raise NotSent(f"executor {epoch} was replaced by {self._epoch}")
            if self._utc_ns() > sent_at_ns + SEND_WITHIN_MS * NS_PER_MS:
                raise NotSent("stale: it was marked as sent too long ago")
            self._check_leave(good_until_ns)
            self._may_send()
            self.leaving(key)
            self._loop.after_this(self._left.set)

        self._left.clear()
        self._run(self._submit(epoch, key, order, fence))

    def see_off(self) -> None:
        """See `Gateway.see_off`.

        What the executor does next can wait, and would take the interpreter away from the loop, a
        switch interval at a time.
        """
        self._loop.give_way(self._left, LEAVES_S)

    def find(self, epoch: Epoch, key: OrderKey, order: NewOrder, *, sent_at_ns: int) -> None:
        """See `Gateway.find`."""
        self._run(self._find(epoch, key, order, sent_at_ns))

    def find_all(self, epoch: Epoch, questions: Sequence[Question]) -> None:
        """See `Gateway.find_all`. The list of a symbol's open orders settles those it shows."""
        by_symbol: dict[Symbol, list[Question]] = {}
        for one in questions:
            by_symbol.setdefault(one.order.symbol, []).append(one)
        for symbol, some in by_symbol.items():
            if len(some) < TOGETHER:
                super().find_all(epoch, some)
            else:
                self._run(self._find_listed(epoch, symbol, some))

    def cancel(self, epoch: Epoch, key: OrderKey, order: NewOrder) -> None:
        """See `Gateway.cancel`."""
        self._run(self._cancel(epoch, key, order))

    def list_open(self, epoch: Epoch, question: int, symbols: Iterable[Symbol]) -> None:
        """See `Gateway.list_open`."""
        self._run(self._list_open(epoch, question, self._all_symbols(symbols)))

    def ask_account(self, epoch: Epoch) -> None:
        """See `Gateway.ask_account`."""
        self._run(self._read_account(epoch))

    def market(self, batch: MarketBatch, done: Callable[[int], object]) -> None:
        """A real venue knows what its market does: nothing but the acknowledgement."""
        done(batch.first_index + len(batch.events))

    def live_market(self, event: MarketEvent) -> None:
        """A real venue knows what its market does."""

    def flush(self, timeout_ns: int) -> bool:
        """See `Gateway.flush`."""
        return self._loop.join(timeout_ns / NS_PER_S)

    # ------------------------------------------------------------ on the venue's loop

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._loop.spawn(coroutine)

    async def _submit(
        self, epoch: Epoch, key: OrderKey, order: NewOrder, fence: Callable[[], None]
    ) -> None:
        if epoch != self._epoch:
            logger.warning("a send of the replaced executor {} was dropped: {}", epoch, key)
            return
        try:
            report = await self._venue.submit(order, fence)
        except BaseException as error:  # noqa: BLE001 - what it proves is told
            report = self._told(order, error)
        self._left.set()
        self._executor.tell(SubmitDone(order_key=key, epoch=epoch, report=report))

    async def _find(self, epoch: Epoch, key: OrderKey, order: NewOrder, sent_at_ns: int) -> None:
        report, problem = None, ""
        try:
            report = await self._venue.find(
                order.client_order_id,
                order.symbol,
                sent_at_ns=sent_at_ns,
                closed_hint=False,
                venue_order_id=order.venue_order_id,
            )
        except BaseException as error:  # noqa: BLE001 - a failed question proves nothing
            problem = self._said(error)
        if epoch == self._epoch:
            self._executor.tell(
                LookupDone(order_key=key, epoch=epoch, report=report, problem=problem)
            )

    async def _find_listed(
        self, epoch: Epoch, symbol: Symbol, questions: Sequence[Question]
    ) -> None:
        """Ask for the open orders once; what they do not settle is asked for by itself.

        That an order is listed proves that it is there. That it is not proves nothing, and of
        one with fills the list does not tell the executions.
        """
        try:
            listed = await self._venue.open_orders(symbol)
        except Exception as error:  # noqa: BLE001 - a failed question proves nothing
            logger.debug("open orders of {} were not listed: {}", symbol, error)
            listed = []
        shown = Counter(one.client_order_id for one in listed)
        found = {one.client_order_id: one for one in listed if one.state is OrderState.ACCEPTED}
        left = []
        for one in questions:
            report = found.get(one.order.client_order_id)
            if (
                report is None
                or shown[report.client_order_id] > 1
                or one.order.venue_order_id not in (None, report.venue_order_id)
            ):
                left.append(self._find(epoch, one.key, one.order, one.sent_at_ns))
            elif epoch == self._epoch:
                self._executor.tell(
                    LookupDone(order_key=one.key, epoch=epoch, report=report, problem="")
                )
        await self._loop.together(left)

    async def _cancel(self, epoch: Epoch, key: OrderKey, order: NewOrder) -> None:
        if epoch != self._epoch:
            return
        report, problem = None, ""
        try:
            report = await self._venue.cancel(order.client_order_id, order.symbol)
        except BaseException as error:  # noqa: BLE001 - a failed cancel proves nothing
            problem = self._said(error)
        self._executor.tell(CancelDone(order_key=key, epoch=epoch, report=report, problem=problem))

    async def _list_open(self, epoch: Epoch, question: int, symbols: Sequence[Symbol]) -> None:
        """One symbol that cannot be asked for keeps none of the others from being seen."""
        reports: list[OrderReport] = []
        problems = []
        for symbol in symbols:
            try:
                reports += await self._venue.open_orders(symbol)
            except Exception as error:  # noqa: BLE001 - a failed question proves nothing
                problems.append(self._said(error))
            except BaseException as error:  # noqa: BLE001 - the loop ends, and nobody is asked more
                problems.append(self._said(error))
                break
        problem = "; ".join(dict.fromkeys(problems))
        if epoch == self._epoch:
            self._executor.tell(
                OpenListed(question=question, epoch=epoch, reports=tuple(reports), problem=problem)
            )

    async def _read_account(self, epoch: Epoch) -> None:
        held: dict[str, Decimal] = {}
        orders: list[OrderReport] = []
        problem = ""
        try:
            balances = await self._venue.balances()
            held = {name: one.free + one.locked for name, one in balances.items()}
            for symbol in self._venue.markets():
                orders += await self._venue.open_orders(symbol)
        except BaseException as error:  # noqa: BLE001 - a failed question proves nothing
            problem = self._said(error)
        self._executor.tell(
            AccountRead(epoch=epoch, balances=held, open_orders=tuple(orders), problem=problem)
        )

    def _stream_over(self, stream: "Future[None]") -> None:
        """Say that nobody follows the account any more; REST is asked whatever happens here."""
        error = None if stream.cancelled() else stream.exception()
        if error is not None:
            logger.error("the venue's stream failed for good: {}: {}", type(error).__name__, error)
            self._executor.tell(
                VenueStream(
                    phase="stopped",
                    reason=self._said(error),
                    attempt=0,
                    retry_in_ms=0,
                    ts_ns=self._utc_ns(),
                )
            )

    def _condition(self, news: Condition) -> None:
        """Tell what begins or ends; trading is halted before the answer that showed it is told."""
        with self._telling:
            if news.text:
                self._standing[news.name] = news
            else:
                self._standing.pop(news.name, None)
            self._tell_condition(news)
        if news.text:
            logger.warning("the venue: {}", news.text)
        else:
            logger.info("the venue: {} is over", news.name)

    def _tell_condition(self, news: Condition) -> None:
        text = self.clean(news.text)
        self._executor.tell(VenueNotice(name=news.name, text=text))
        if text and news.halts:
            self._executor.tell(HaltTrading(reason=text, durable=False))

    def _rules(self, markets: Mapping[Symbol, MarketFacts]) -> None:
        with self._telling:
            self._tell_rules(markets)

    def _tell_rules(self, markets: Mapping[Symbol, MarketFacts]) -> None:
        for market in markets.values():
            self._executor.tell(MarketRules(instrument=market.instrument))

    def _streamed(self, news: OrderReport | StreamState) -> None:
        if isinstance(news, OrderReport):
            self._executor.tell(news)
            return
        self._executor.tell(
            VenueStream(
                phase=news.phase,
                reason=self.clean(news.reason),
                attempt=news.attempt,
                retry_in_ms=news.retry_in_ms,
                ts_ns=news.ts_ns,
            )
        )
