"""What the crash rehearsal puts around a halt and a cancel, beside what it puts around orders.

`Operator` is the child's ear for the person that the parent plays: it does what the control
socket of a run does, and tells what came of it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from actors.gateway import Gateway
from actors.live_gateway import LiveGateway
from decisions.drill import Blow
from decisions.drill_cancel import CancelPoint
from decisions.order_wishes import UNWANTED
from exchanges.facts import VenueFacts
from exchanges.protocol import NewOrder
from messages.halting import CancelDone, CancelOrder, OpenListed, ResumeTrading
from messages.ids import ClientOrderId, Epoch, OrderKey, Symbol, VenueOrderId
from messages.lifecycle import HaltTrading
from messages.order_states import FINAL_STATES
from messages.orders import LookupDone, OrderReport
from messages.stops import Stop
from ops.drill_trap import Target, Trap
from ops.drill_traps import PENDING_S, DrillLedger, DrillRuntime, DrillVenue
from ops.operator_control import OperatorControl
from ops.wiring import System
from persistence.entries import NO_NOTES, NO_STOPS
from persistence.ledger import Claim, LedgerEntry, Step
from persistence.stored_ledger import StoredLedger

_PROVED = "halted_proved"


class CancelTrap(Trap):
    """Springs only once a person has ordered something."""

    def __init__(
        self,
        target: Target | None,
        point: StrEnum | None,
        blow: Blow,
        tell: Callable[..., object],
    ) -> None:
        super().__init__(target, point, blow, tell)
        self.begun = False
        self.ended = False
        """Whether the target's end is durable: what is asked for in a list now is the proof."""
        self.proofs: set[tuple[Epoch, int]] = set()
        """The questions for a list that are."""

    def _springs(self, point: StrEnum, name: str | None) -> bool:
        return self.begun and super()._springs(point, name)

    def of_list(
        self, epoch: Epoch, question: int, usual: CancelPoint, proof: CancelPoint
    ) -> CancelPoint:
        """Give the point of a question for a list."""
        return proof if (epoch, question) in self.proofs else usual


class CancelRuntime(DrillRuntime):
    """Notices what the executor is told of halts and cancels."""

    trap: CancelTrap

    def _to_executor(self, tell: Callable[[Any], bool], message: Any) -> bool:
        trap = self.trap
        wanted = isinstance(message, CancelOrder | ResumeTrading)
        trap.begun = trap.begun or wanted or (isinstance(message, HaltTrading) and message.durable)
        if isinstance(message, OpenListed):
            trap.reach(self._listed(message, told=False), None)
        elif isinstance(message, LookupDone):
            trap.reach(CancelPoint.FIND_ANSWERED, message.order_key)
        told = super()._to_executor(tell, message)
        match message:
            case HaltTrading(durable=True):
                trap.reach(CancelPoint.HALT_TOLD, None, holds=False)
            case ResumeTrading():
                trap.reach(CancelPoint.RESUME_TOLD, None, holds=False)
            case CancelOrder():
                trap.reach(CancelPoint.CANCEL_ORDERED, message.order_key, holds=False)
            case OpenListed():
                trap.reach(self._listed(message, told=True), None)
            case CancelDone():
                trap.reach(CancelPoint.CANCEL_TOLD, message.order_key)
            case LookupDone():
                trap.reach(CancelPoint.FIND_TOLD, message.order_key)
        return told

    def _listed(self, message: OpenListed, *, told: bool) -> CancelPoint:
        usual = CancelPoint.LIST_TOLD if told else CancelPoint.LIST_ANSWERED
        proof = CancelPoint.PROOF_TOLD if told else CancelPoint.PROOF_ANSWERED
        return self.trap.of_list(message.epoch, message.question, usual, proof)


class CancelLedger(DrillLedger):
    """Says also when a halt is kept and dropped, and when the target ends."""

    _trap: CancelTrap

    def _load(self) -> None:
        super()._load()
        trap = self._trap
        if trap.target is not None:
            key = trap.target.order_key
            entry = StoredLedger.lookup(self, [key]).get(key)
            trap.ended = entry is not None and entry.state in FINAL_STATES

    def write(
        self,
        steps: Sequence[Step],
        claims: Sequence[Claim],
        now_ns: int,
        notes: Mapping[str, str] = NO_NOTES,
        stops: Sequence[Stop] = NO_STOPS,
    ) -> list[LedgerEntry]:
        """See `Ledger.write`."""
        trap = self._trap
        unwanted = [name.removeprefix(UNWANTED) for name in notes if name.startswith(UNWANTED)]
        ends = [step.order_key for step in steps if step.to in FINAL_STATES]
        for key in unwanted:
            trap.reach(CancelPoint.BEFORE_UNWANTED, key)
        for key in ends:
            trap.reach(CancelPoint.BEFORE_END, key)
        after = super().write(steps, claims, now_ns, notes, stops)
        trap.ended = trap.ended or any(trap.is_target(key) for key in ends)
        for key in unwanted:
            trap.reach(CancelPoint.AFTER_UNWANTED, key)
        for key in ends:
            trap.reach(CancelPoint.AFTER_END, key)
        return after

    def set_halt(self, reason: str) -> None:
        """See `Ledger.set_halt`."""
        self._trap.reach(CancelPoint.BEFORE_HALT_KEPT, None)
        super().set_halt(reason)
        self._trap.reach(CancelPoint.AFTER_HALT_KEPT, None)

    def clear_halt(self, notes: Mapping[str, str] = NO_NOTES) -> None:
        """See `Ledger.clear_halt`."""
        self._trap.reach(CancelPoint.BEFORE_HALT_DROPPED, None)
        super().clear_halt(notes)
        self._trap.reach(CancelPoint.AFTER_HALT_DROPPED, None)


class CancelVenue(DrillVenue):
    """Notices cancels on their way in and out, and when their answer comes."""

    trap: CancelTrap

    async def open(self) -> VenueFacts:
        """See `CcxtVenue.open`."""
        facts = await super().open()
        self._client.cancel_order = self._noticed(self._client.cancel_order)
        return facts

    def _noticed(self, cancel_order: Callable[..., Any]) -> Callable[..., Any]:
        async def noticed(venue_id: str | None, symbol: str, params: dict[str, Any]) -> Any:
            (name,) = params.values()
            loop = asyncio.get_running_loop()
            pending = loop.call_later(PENDING_S, self._cancel_pending, name)
            try:
                return await cancel_order(venue_id, symbol, params)
            finally:
                pending.cancel()
                await self.trap.reach_on_loop(CancelPoint.CANCEL_REPLIED, name)

        return noticed

    def _cancel_pending(self, name: str) -> None:
        self.trap.reach(CancelPoint.CANCEL_PENDING, name, holds=False)

    async def cancel(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        """See `LiveTrading.cancel`."""
        await self.trap.reach_on_loop(CancelPoint.CANCEL_ON_LOOP, client_order_id)
        try:
            return await super().cancel(client_order_id, symbol)
        finally:
            await self.trap.reach_on_loop(CancelPoint.CANCEL_SHOWN, client_order_id)

    async def find(
        self,
        client_order_id: ClientOrderId,
        symbol: Symbol,
        *,
        sent_at_ns: int,
        closed_hint: bool = False,
        venue_order_id: VenueOrderId | None = None,
    ) -> OrderReport | None:
        """See `LiveTrading.find`."""
        await self.trap.reach_on_loop(CancelPoint.FIND_ASKED, client_order_id)
        return await super().find(
            client_order_id,
            symbol,
            sent_at_ns=sent_at_ns,
            closed_hint=closed_hint,
            venue_order_id=venue_order_id,
        )


def notice_gateway(gateway: Gateway, trap: CancelTrap) -> None:
    """Let a gateway say what the executor hands it, and when it asks for a list."""
    assert isinstance(gateway, LiveGateway)
    cancel, list_open, ask = gateway.cancel, gateway.list_open, gateway._list_open

    def noticed_cancel(epoch: Epoch, key: OrderKey, order: NewOrder) -> None:
        cancel(epoch, key, order)
        trap.reach(CancelPoint.CANCEL_HANDED, key)

    def noticed_list(epoch: Epoch, question: int, symbols: Iterable[Symbol]) -> None:
        if trap.ended:
            trap.proofs.add((epoch, question))
        list_open(epoch, question, symbols)

    async def noticed_asking(epoch: Epoch, question: int, symbols: Sequence[Symbol]) -> None:
        points = CancelPoint.LIST_ASKED, CancelPoint.PROOF_ASKED
        await trap.reach_on_loop(trap.of_list(epoch, question, *points), None)
        await ask(epoch, question, symbols)

    gateway.cancel = noticed_cancel  # type: ignore[method-assign]  # the trap
    gateway.list_open = noticed_list  # type: ignore[method-assign]  # the trap
    gateway._list_open = noticed_asking  # type: ignore[method-assign]  # the trap


class Operator:
    """Hands on what the person at the parent orders, and tells how a halt and answers stand."""

    def __init__(
        self,
        system: System,
        runtime: DrillRuntime,
        trap: Trap,
        events: int,
        tell: Callable[..., object],
    ) -> None:
        self._board = system.board
        self._control = OperatorControl(system.executor, system.board).handlers()
        self._runtime, self._trap, self._events = runtime, trap, events
        self._tell = tell
        self._waiting: dict[int, str] = {}
        self._told: Any = None

    def work(self, orders: "SimpleQueue[bytes]") -> None:
        """Take what was ordered, then tell what is new."""
        self._show()
        while True:
            try:
                order = msgspec.json.decode(orders.get_nowait())
            except Empty:
                break
            self._take(order)
        for number, request in list(self._waiting.items()):
            answer = self._board.answer(request)
            if answer is not None:
                del self._waiting[number]
                if answer.ok and answer.state:
                    self._trap.reach(CancelPoint.PERSON_ANSWERED, None, holds=False)
                self._tell(event="answer", number=number, ok=answer.ok, text=answer.text)

    def _take(self, order: dict[str, Any]) -> None:
        if order["command"] == "go_on":
            self._runtime.go_on(order.get("until", self._events))
            return
        found = self._control[order["command"]](order)
        if "request" in found:
            self._waiting[order["number"]] = found["request"]
        else:
            self._tell(event="answer", number=order["number"], ok=False, text=found["error"])

    def _show(self) -> None:
        view = self._board.halt
        shown = (view.state, view.on_disk, view.text)
        if shown != self._told:
            self._told = shown
            if view.state == _PROVED:
                self._trap.reach(CancelPoint.PROVED, None, holds=False)
            self._tell(event="halt", state=view.state, on_disk=view.on_disk, text=view.text)
