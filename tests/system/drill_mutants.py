"""The drill's nursery with a bug planted in it. Run as a program: its argument names the bug."""

import sys
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from actors import noted_exits
from actors.gateway import Gateway
from actors.live_gateway import LiveGateway
from actors.open_orders import Move
from actors.order_desk import OrderDesk
from decisions import executor, halting, risk
from decisions.exit_book import ExitBook
from decisions.stop_book import StopBook
from exchanges.ccxt_cancel import Canceler
from exchanges.protocol import NewOrder
from messages.errors import NotSent, OutcomeUnknown
from messages.ids import ClientOrderId, Epoch, OrderKey, Symbol, TimestampNs
from messages.orders import LookupDone, OrderIntent, OrderReport
from messages.stops import Stop, StopState
from messages.values import OrderState
from ops.drill_nursery import main
from persistence.entries import Claim, claimed_entry


def send_before_commit() -> None:
    """Hand orders over first, and write them down then."""
    commit = OrderDesk.commit

    def hasty(self: Any, moves: Sequence[Move], claims: Sequence[Claim]) -> None:
        for claim in claims:
            if claim.sent:
                entry = claimed_entry(claim, self._ctx.utc_ns())
                self._submit(entry, claim.intent.ts_created_ns)
        self._hand_over = lambda _: None
        commit(self, moves, claims)

    OrderDesk.commit = hasty  # type: ignore[method-assign]  # planted


def resend_without_asking() -> None:
    """Take a lost answer for proof that the venue does not have the order."""

    async def guess(
        self: Any,
        epoch: Epoch,
        key: OrderKey,
        order: NewOrder,
        sent_at_ns: int,
    ) -> None:
        absent = LookupDone(order_key=key, epoch=epoch, report=None, problem="")
        self._executor.tell(absent)

    LiveGateway._find = guess  # type: ignore[method-assign]  # planted


def unknown_is_rejected() -> None:
    """Call every failed send a rejection."""
    told = Gateway._told

    def sure(self: Any, order: NewOrder, error: BaseException) -> OrderReport:
        report = told(self, order, error)
        if not isinstance(error, NotSent):
            report = type(report)(
                **{name: getattr(report, name) for name in report.__struct_fields__}
                | {"state": OrderState.REJECTED}
            )
        return report

    Gateway._told = sure  # type: ignore[method-assign]  # planted


def unknown_cancel_is_canceled() -> None:
    """Take a cancel whose outcome is not known for one that worked."""
    cancel = Canceler.cancel

    async def sure(self: Any, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        try:
            return await cancel(self, client_order_id, symbol)
        except OutcomeUnknown:
            return OrderReport(
                client_order_id=client_order_id,
                symbol=symbol,
                state=OrderState.CANCELED,
                venue_order_id=None,
                filled_quantity=Decimal(0),
                average_price=None,
                fills=(),
                reason="",
                evidence="cancel",
                ts_event_ns=TimestampNs(time.time_ns()),
            )

    Canceler.cancel = sure  # type: ignore[method-assign]  # planted


def racing_fill_is_dropped() -> None:
    """Take what was canceled for never filled."""
    cancel = Canceler.cancel

    async def empty(self: Any, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        report = await cancel(self, client_order_id, symbol)
        return msgspec.structs.replace(
            report, filled_quantity=Decimal(0), average_price=None, fills=()
        )

    Canceler.cancel = empty  # type: ignore[method-assign]  # planted


def halt_is_proved_without_asking() -> None:
    """Take the end of the last cancel for the proof."""

    def done(before: halting.Halt, key: OrderKey) -> halting.Step:
        rest = {other: tries for other, tries in before.open.items() if other != key}
        after = msgspec.structs.replace(before, open=rest)
        if before.state is halting.HaltState.HALTING and not rest:
            after = msgspec.structs.replace(after, state=halting.HaltState.HALTED_PROVED)
        return after, ()

    halting.cancel_done = done


def exit_sent_before_its_commit() -> None:
    """Hand a stop's exits over first, and write them down then."""
    commit = OrderDesk.commit

    def hasty(self: Any, moves: Sequence[Move], claims: Sequence[Claim]) -> None:
        exits = [one for one in claims if one.sent and "[protects " in one.intent.reason]
        for claim in exits:
            entry = claimed_entry(claim, self._ctx.utc_ns())
            self._submit(entry, claim.intent.ts_created_ns)
            self._hand_over = lambda _: None
        commit(self, moves, claims)

    OrderDesk.commit = hasty  # type: ignore[method-assign]  # the planted bug


def stop_is_done_before_its_exit() -> None:
    """Take an exit that is on its way for one that has filled."""
    claimed = StopBook.claimed

    def hasty(self: Any, intent: OrderIntent, decided: Decimal | None = None) -> None:
        claimed(self, intent, decided)
        entry = self.entry_of.get(intent.order_key)
        if entry is not None:
            self.put(msgspec.structs.replace(self.stops[entry], state=StopState.DONE))
            del self.stops[entry]

    StopBook.claimed = hasty  # type: ignore[method-assign]  # the planted bug


def stop_is_armed_again_by_a_restart() -> None:
    """Begin with what was filled of the entries, as if no exit had ever been decided."""
    load = StopBook.load

    def naive(
        self: Any,
        stops: Iterable[Stop],
        exposure: Any,
        open_orders: Any,
        lookup: Any,
        fills_of: Any,
        told: Any = None,
    ) -> None:
        armed, held = [], {}
        for stop in stops:
            armed.append(msgspec.structs.replace(stop, state=StopState.ARMED, exits=(), cause=""))
            filled = lookup([stop.entry_key])[stop.entry_key].filled_quantity
            held[stop.strategy_id, stop.symbol] = filled
        load(self, armed, held, (), lookup, fills_of, told)

    StopBook.load = naive  # type: ignore[method-assign]  # the planted bug


def second_is_sent_without_waiting() -> None:
    """Take the first for ended as soon as its end is wished."""
    vars(executor).update(has_ended=lambda _: True)


def what_the_first_filled_is_sent_again() -> None:
    """Send all of the second, whatever the first has filled."""
    vars(executor).update(rest_of=lambda intent, _: intent)


def what_waits_is_not_noted() -> None:
    """Keep exits that wait in memory alone."""
    vars(noted_exits).update(note_of=lambda _: "")


def the_rest_is_forgotten() -> None:
    """Take an exit for done with the part that was there."""
    ExitBook.due = lambda *_: iter(())  # type: ignore[method-assign]  # the planted bug


def all_is_sold_at_once() -> None:
    """Sell what has not filled yet of the entry, too: coins of its owner."""
    vars(executor).update(fit_exit=lambda intent, *_: intent)
    vars(risk).update(_not_held=lambda *_: None)


BUGS = {
    bug.__name__: bug
    for bug in (
        send_before_commit,
        resend_without_asking,
        unknown_is_rejected,
        unknown_cancel_is_canceled,
        racing_fill_is_dropped,
        halt_is_proved_without_asking,
        exit_sent_before_its_commit,
        stop_is_done_before_its_exit,
        stop_is_armed_again_by_a_restart,
        second_is_sent_without_waiting,
        what_the_first_filled_is_sent_again,
        what_waits_is_not_noted,
        the_rest_is_forgotten,
        all_is_sold_at_once,
    )
}

if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    sys.exit(main())
