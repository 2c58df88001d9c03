"""The paper venue: plays an exchange against whatever market it is shown.

What becomes of an order is a function of the order and of the market data, not of thread
timing and not of restarts. An order reaches the market at ``decided_at_ns`` plus the latency,
on the market's clock, and meets the same events whether it is submitted early or, as long as
the tape remembers, late. Orders of one moment on one symbol take turns by the places of their
strategies, not by who was submitted first; those of one strategy, as it decided them. Each order
keeps durably how far it has come, so when a recording is shown again from its beginning nothing
fills twice. See `paper_funds` for the one exception.
"""

import sqlite3
from bisect import insort
from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

import msgspec

from exchanges.matching import BPS, Terms
from exchanges.paper_book import Book, Effects, average_price, venue_order_id
from exchanges.paper_faults import PaperFaults, fail_after, fail_before
from exchanges.paper_funds import Funds, Posting, deposit
from exchanges.paper_memory import MemoryBook
from exchanges.paper_order import (
    Place,
    Progress,
    Step,
    accepted,
    advance,
    arrived,
    canceled,
    locks,
    may_skip,
    places_of,
    turn_of,
)
from exchanges.paper_settings import DEFAULT_QUOTE_BALANCE, PaperSettings, problem_with
from exchanges.paper_tape import TAPE_LENGTH, Tape
from exchanges.protocol import NewOrder
from messages.errors import OutcomeUnknown, Rejected, VenueError, VenueFailed
from messages.exact import NOTHING
from messages.ids import NS_PER_MS, ClientOrderId, StrategyId, Symbol, TimestampNs
from messages.market import MarketEvent
from messages.orders import Fill, OrderReport
from messages.values import plain_instrument

__all__ = ["PaperSettings", "PaperVenue"]

_SYMBOL = attrgetter("symbol")

T = TypeVar("T")


class PaperVenue:
    """One account at the played exchange; see `exchanges.protocol.Trading`.

    `path` is its book, made when missing; None keeps the book in memory, for backtests. What
    the book already holds, balances too, goes before the settings. `tape_length` is in events
    per symbol: an order submitted later than that meets only what is left. Of orders of one moment
    those of the first of the `strategies` are served first, and those of none of them last.

    Raises:
        VenueError: the file cannot be used as a paper book.
    """

    def __init__(
        self,
        path: Path | None,
        settings: PaperSettings | None = None,
        *,
        strategies: Sequence[StrategyId] = (),
        faults: PaperFaults | None = None,
        tape_length: int = TAPE_LENGTH,
    ) -> None:
        self._settings = settings or PaperSettings()
        self._faults = faults or PaperFaults({})
        self._tape_length = tape_length
        self._turns = places_of(strategies)
        self._book: Book | MemoryBook = _open_book(path)
        self._configured = {i.symbol: i for i in self._settings.instruments}
        self._terms: dict[Symbol, Terms] = {}
        self._stale = True
        self._safely(lambda: None, VenueError)

    def submit(self, order: NewOrder) -> OrderReport:
        """Accept the order durably and work it against what the tape holds since its arrival.

        A known id with the same content gives the present report and changes nothing.

        Raises:
            Rejected: the order is malformed, or its id belongs to another order.
            VenueFailed: the book could not be written; nothing else may be submitted after that.
            OutcomeUnknown, NotSent: a fault was scripted.
        """
        fault = self._faults.next_submit()
        if fault is not None:
            fail_before(fault)
        report = self._safely(lambda: self._submit(order), VenueFailed)
        if fault is not None:
            fail_after(fault)
        return report

    def find(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport | None:
        """Give the order with all its fills; None is proof that there is none.

        Raises:
            VenueError: the book could not be read; nothing is known.
        """
        known = self._safely(lambda: self._book.find(client_order_id), VenueError)
        if known is None or known.order.symbol != symbol:
            return None
        return self._safely(lambda: self._full_report(known, "find"), VenueError)

    def cancel(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        """End an order where the market stands now, durably; see `Trading.cancel`.

        After a restart the market stands, until it is shown, where the order's own events end.

        Raises:
            VenueFailed: the book could not be written; nothing may be submitted after that.
            OutcomeUnknown: a fault was scripted, or there is no such order.
            NotSent, Rejected: a fault was scripted.
        """
        fault = self._faults.next_cancel()
        fail_before(fault)
        report = self._safely(lambda: self._cancel(client_order_id, symbol), VenueFailed)
        fail_after(fault)
        return report

    def open_orders(self, symbol: Symbol) -> list[OrderReport]:
        """Give every open order of a symbol, in the order of their turns.

        Raises:
            VenueError: the book could not be read; nothing is known.
        """
        return self._safely(
            lambda: [self._full_report(one, "open_orders") for one in self._open.get(symbol, ())],
            VenueError,
        )

    def on_market(self, events: Sequence[MarketEvent]) -> list[OrderReport]:
        """Work open orders against the events; one report for each order that moved.

        Raises:
            VenueError: the book could not be written; nothing happened, show them again.
        """
        if self._open or self._stale:
            return self._safely(lambda: self._work_all(events), VenueError)
        symbols = set(map(_SYMBOL, events))
        if len(symbols) == 1:
            self._tape(symbols.pop()).add_all(events)
            return []
        for event in events:
            self._tape(event.symbol).add(event)
        return []

    def close(self) -> None:
        """Close the book; open orders stay open in it."""
        self._book.close()

    def balances(self) -> dict[str, Decimal]:
        """Give what the account owns by currency, locked or free."""
        return dict(self._funds.totals)

    def _safely(self, call: Callable[[], T], error_class: type[VenueError]) -> T:
        """Run a step; if it fails the book is the truth, and is read again before the next."""
        try:
            if self._stale:
                self._restore()
            return call()
        except VenueError:
            raise
        except sqlite3.Error as error:
            self._stale = True
            raise error_class(f"the paper book cannot be used: {error}") from error
        except BaseException:
            self._stale = True
            raise

    def _restore(self) -> None:
        self._stale = True
        self._tapes: dict[Symbol, Tape] = {}
        self._funds = Funds()
        totals, free = self._book.balances()
        recent = [p for currency in totals for p in self._book.recent_postings(currency)]
        self._funds.restore(totals, free, recent)
        self._next_row = self._book.next_row()
        self._open: dict[Symbol, list[Progress]] = {}
        for progress in self._book.open_orders():
            self._keep_open(progress)
        if not totals:
            self._commit(self._first_deposits())
        self._stale = False

    def _first_deposits(self) -> Effects:
        effects = Effects()
        for currency, amount in self._settings.balances.items():
            self._post(effects, [deposit(currency, amount)])
        return effects

    def _submit(self, order: NewOrder) -> OrderReport:
        known = self._book.find(order.client_order_id)
        if known is not None:
            return self._repeated(known, order)
        problem = problem_with(order, self._configured.get(order.symbol))
        if problem:
            raise Rejected(problem)
        progress, effects = self._accept(order)
        for place, event in self._tape(order.symbol).after(progress.cursor):
            progress = self._work(progress, place, event, effects)
            if not progress.is_open:
                break
        self._commit(effects)
        self._next_row += 1
        if progress.is_open:
            self._keep_open(progress)
        fills = effects.fills.get(progress.row, [])
        return _report(progress, tuple(fills), "submit")

    def _repeated(self, known: Progress, order: NewOrder) -> OrderReport:
        if _content(known.order) != _content(order):
            raise Rejected(f"{order.client_order_id} is already the id of another order")
        return self._full_report(known, "submit")

    def _cancel(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        known = self._book.find(client_order_id)
        if known is None or known.order.symbol != symbol:
            raise OutcomeUnknown("not_seen: the venue shows no order to cancel")
        open_ones = self._open.get(symbol, [])
        # The book may be behind: what moved nothing is not written.
        progress = next((one for one in open_ones if one.row == known.row), None)
        if progress is None:
            return self._full_report(known, "cancel")
        effects, place = Effects(), max(self._tape(symbol).newest, progress.cursor)
        step = canceled(progress, place, self._terms_for(symbol))
        self._note(effects, step, place)
        self._commit(effects)
        open_ones.remove(progress)
        if not open_ones:
            del self._open[symbol]
        return self._full_report(step.progress, "cancel")

    def _accept(self, order: NewOrder) -> tuple[Progress, Effects]:
        turn = self._turns.get(order.strategy_id, len(self._turns))
        latency_ns = self._settings.latency_ms * NS_PER_MS
        progress = accepted(self._next_row, order, latency_ns, turn)
        effects = Effects(orders={progress.row: progress})
        quote = self._terms_for(order.symbol).quote
        if quote not in self._funds.totals:
            self._post(effects, [deposit(quote, DEFAULT_QUOTE_BALANCE)])
        return progress, effects

    def _work_all(self, events: Sequence[MarketEvent]) -> list[OrderReport]:
        effects = Effects()
        for event in events:
            tape = self._tape(event.symbol)
            if tape.add(event) and event.symbol in self._open:
                self._work_symbol(event, tape, effects)
        self._commit(effects)
        return [
            _report(progress, tuple(effects.fills.get(row, ())), "market")
            for row, progress in effects.orders.items()
        ]

    def _work_symbol(self, event: MarketEvent, tape: Tape, effects: Effects) -> None:
        orders = self._open[event.symbol]
        if all(may_skip(progress, event) for progress in orders):
            return
        place = tape.newest
        worked = [self._work(progress, place, event, effects) for progress in orders]
        orders[:] = [progress for progress in worked if progress.is_open]
        if not orders:
            del self._open[event.symbol]

    def _work(
        self, before: Progress, place: Place, event: MarketEvent, effects: Effects
    ) -> Progress:
        if may_skip(before, event) or not arrived(before, event, place):
            return before
        terms = self._terms_for(event.symbol)
        free = NOTHING
        if not before.started:
            free = self._funds.free_for(before, locks(before.order, terms), place)
        step = advance(before, event, place, terms, free)
        # A step without effect is not written: shown again, the event has no effect again.
        if step.changes or step.fills or step.progress.state is not before.state:
            self._note(effects, step, place)
        return step.progress

    def _note(self, effects: Effects, step: Step, place: Place) -> None:
        progress = step.progress
        effects.orders[progress.row] = progress
        if step.fills:
            effects.fills.setdefault(progress.row, []).extend(step.fills)
        symbol, (arrival_ns, turn, row) = progress.order.symbol, turn_of(progress)
        changes = step.changes
        self._post(effects, [Posting(place, symbol, arrival_ns, row, one, turn) for one in changes])

    def _post(self, effects: Effects, postings: list[Posting]) -> None:
        self._funds.post(postings)
        effects.postings += postings

    def _commit(self, effects: Effects) -> None:
        if effects.orders or effects.postings:
            self._book.write(effects, self._funds.totals, self._funds.free)

    def _keep_open(self, progress: Progress) -> None:
        orders = self._open.setdefault(progress.order.symbol, [])
        insort(orders, progress, key=turn_of)

    def _tape(self, symbol: Symbol) -> Tape:
        tape = self._tapes.get(symbol)
        if tape is None:
            tape = self._tapes[symbol] = Tape(self._tape_length)
        return tape

    def _terms_for(self, symbol: Symbol) -> Terms:
        terms = self._terms.get(symbol)
        if terms is None:
            terms = self._terms[symbol] = self._make_terms(symbol)
        return terms

    def _make_terms(self, symbol: Symbol) -> Terms:
        settings = self._settings
        return Terms(
            instrument=self._configured.get(symbol) or plain_instrument(symbol),
            maker_fee_rate=settings.maker_fee_bps * BPS,
            taker_fee_rate=settings.taker_fee_bps * BPS,
            slippage_rate=settings.slippage_bps * BPS,
            participation=settings.participation,
            is_guess=symbol not in self._configured,
        )

    def _full_report(self, progress: Progress, evidence: str) -> OrderReport:
        return _report(progress, self._book.fills(progress.row), evidence)


def _open_book(path: Path | None) -> Book | MemoryBook:
    if path is None:
        return MemoryBook()
    try:
        return Book(path)
    except sqlite3.Error as error:
        raise VenueError(f"{path}: cannot be used as a paper book: {error}") from error


def _content(order: NewOrder) -> NewOrder:
    """Give it as the book's file has it, which does not know whose it is."""
    return msgspec.structs.replace(order, strategy_id=StrategyId(""))


def _report(progress: Progress, fills: tuple[Fill, ...], evidence: str) -> OrderReport:
    order = progress.order
    return OrderReport(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        state=progress.state,
        venue_order_id=venue_order_id(order.client_order_id),
        filled_quantity=progress.filled,
        average_price=average_price(progress),
        fills=fills,
        reason=progress.reason,
        evidence=evidence,
        ts_event_ns=TimestampNs(progress.cursor.ts_ns),
    )
