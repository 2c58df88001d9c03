"""Canceling: the reply is a hint, what the venue shows afterwards is the answer."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from exchanges.capabilities import Capability
from exchanges.ccxt_call import recorded
from exchanges.ccxt_lookup import OrderLookup
from exchanges.outcomes import Knowledge, judge_cancel
from exchanges.rate_budget import Urgency
from messages.errors import OutcomeUnknown
from messages.ids import ClientOrderId, Symbol, VenueOrderId
from messages.order_states import FINAL_STATES
from messages.orders import OrderReport

ASKS_MAX = 4
PAUSE_MS = 250
"""A query may lag behind the cancel it follows; it is repeated at once only this often."""


class Refusal(msgspec.Struct, frozen=True):
    """Why a cancel may not have taken place; `is_sure` that it has not."""

    reason: str = ""
    is_sure: bool = False


class Canceler:
    """Cancels orders of one client. `venue_now_ns` is the venue's clock as we know it."""

    def __init__(
        self,
        client: Any,
        lookup: OrderLookup,
        capability: Capability,
        recv_window_ms: int,
        venue_now_ns: Callable[[], int],
    ) -> None:
        self._client = client
        self._lookup = lookup
        self._capability = capability
        self._recv_window_ms = recv_window_ms
        self._venue_now_ns = venue_now_ns

    async def cancel(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        """Cancel and ask; an order that is still open in the report was surely not canceled.

        Raises:
            OutcomeUnknown: the cancel may still arrive, or the venue shows no such order.
        """
        refusal = await self._send(client_order_id, symbol)
        report = own_id = None
        for number in range(ASKS_MAX):
            if number:
                await asyncio.sleep(PAUSE_MS / 1000)
            found = await self._lookup.look(client_order_id, symbol, None, closed_hint=True)
            if found is None:
                found = await self._lookup.named_by_venue(own_id, client_order_id, symbol)
            if found is None:
                continue
            report = await self._lookup.report(found, client_order_id, symbol)
            if report.state in FINAL_STATES:
                return report
            if refusal.is_sure:
                return _with_note(report, f"the cancel did not take place: {refusal.reason}")
            # At the first look a cancel that works may be under way still.
            if number and own_id is None and self._capability.forgets_open_orders:
                own_id = VenueOrderId(str(found.order["id"]))
                refusal = await self._send_again(own_id, symbol, refusal)
        if report is None:
            raise OutcomeUnknown(f"not_seen: the venue shows no order to cancel; {refusal.reason}")
        why = refusal.reason or "the cancel may still arrive"
        raise OutcomeUnknown(
            f"cancel_unknown: the order is still open; {why}",
            ask_again_ns=self._capability.visible_after_ns(
                self._venue_now_ns(), self._recv_window_ms
            ),
        )

    async def _send(self, client_order_id: ClientOrderId, symbol: Symbol) -> Refusal:
        row, name = self._capability, str(client_order_id)
        params = {} if row.cancels_by_path else {row.lookup_parameter: name}
        return await self._request(name if row.cancels_by_path else None, symbol, params)

    async def _send_again(self, own_id: VenueOrderId, symbol: Symbol, first: Refusal) -> Refusal:
        """Cancel by the venue's own id; what refuses this one says nothing of the first."""
        second = await self._request(own_id, symbol, {})
        return Refusal(second.reason or first.reason)

    async def _request(self, place: str | None, symbol: Symbol, params: dict[str, str]) -> Refusal:
        with recorded(Urgency.ORDER) as call:
            try:
                await self._client.cancel_order(place, str(symbol), params)
            except Exception as error:  # noqa: BLE001 - whatever it was, the venue is asked now
                verdict = judge_cancel(call.evidence(error))
                return Refusal(verdict.reason, verdict.knowledge is not Knowledge.UNKNOWN)
        return Refusal()


def _with_note(report: OrderReport, note: str) -> OrderReport:
    reason = f"{report.reason}; {note}" if report.reason else note
    return msgspec.structs.replace(report, reason=reason)
