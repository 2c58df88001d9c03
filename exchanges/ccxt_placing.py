"""Sends an order through ccxt, exactly as it is and once, and says what is known of it then."""

from collections.abc import Callable
from functools import partial
from typing import Any

from exchanges.absence import Absence
from exchanges.capabilities import Capability
from exchanges.ccxt_call import Call, recorded
from exchanges.ccxt_conditions import ConditionKeeper, Markets
from exchanges.ccxt_departure import Departure, Fenced
from exchanges.ccxt_lookup import OrderLookup
from exchanges.ccxt_numbers import Unclear, number
from exchanges.ccxt_parse import off_grid, own_fills, report_of, request_of
from exchanges.outcomes import (
    Knowledge,
    error_of,
    gives_an_id_only,
    judge_placement,
    names_only,
)
from exchanges.outcomes import problem_with_answer as problem_with
from exchanges.protocol import NewOrder
from exchanges.rate_budget import RateBudget, Urgency
from messages.errors import NotSent, OutcomeUnknown, Rejected, VenueError
from messages.orders import OrderReport
from messages.values import OrderType, Side


class Placing:
    """Of one client that has passed the gate, on its loop. `markets` gives the rules as of now."""

    def __init__(
        self,
        client: Any,
        capability: Capability,
        budget: RateBudget,
        absence: Absence,
        keeper: ConditionKeeper,
        markets: Callable[[], Markets],
        lookup: OrderLookup,
        *,
        utc_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._client, self._capability, self._budget = client, capability, budget
        self._absence, self._keeper = absence, keeper
        self._markets, self._lookup = markets, lookup
        self._utc_ns, self._monotonic_ns = utc_ns, monotonic_ns

    async def submit(self, order: NewOrder, fence: Callable[[], None]) -> OrderReport:
        """Send one order; see `LiveTrading.submit`."""
        self._check(order)
        self._absence.leaves(order.client_order_id)
        try:
            answer = await self._send(order, self._departure(order, fence))
            if names_only(answer, order.client_order_id) or gives_an_id_only(answer):
                answer = await self._ask_after(order, str(answer["id"]))
            return self._accepted(order, answer)
        finally:
            self._absence.landed(order.client_order_id)

    # ------------------------------------------------------------ before it leaves

    def _check(self, order: NewOrder) -> None:
        """Refuse, before any I/O, what the venue would refuse or what could not be found again."""
        market = self._markets().get(order.symbol)
        if market is None:
            raise NotSent(f"bad_symbol: {order.symbol} was not named when the venue was opened")
        if not self._capability.allows_id(order.client_order_id):
            raise Rejected(
                f"invalid_order: {self._capability.exchange} takes no client order id like"
                f" {order.client_order_id!r}"
            )
        problem = off_grid(order, market) or self._not_at_market(order)
        if problem:
            raise Rejected(f"invalid_order: {problem}")
        self._keeper.check(order)
        blocked_ms = self._budget.blocked_for_ms
        if blocked_ms:
            raise NotSent(
                f"rate_limited: the venue wants to hear nothing for {blocked_ms} ms",
                retry_after_ms=blocked_ms,
            )

    def _not_at_market(self, order: NewOrder) -> str:
        row, is_market = self._capability, order.order_type is OrderType.MARKET
        if row.buys_at_market or not (is_market and order.side is Side.BUY):
            return ""
        return (
            f"{row.exchange} takes a market order to buy by what it costs, not by how much it buys:"
            " let the strategy buy by a limit order, IOC perhaps"
        )

    def _departure(self, order: NewOrder, fence: Callable[[], None]) -> Departure:
        left = partial(self._absence.signed, order.client_order_id)
        return Departure(fence, left, self._monotonic_ns, self._utc_ns)

    # ------------------------------------------------------------ the request

    async def _send(self, order: NewOrder, departure: Departure) -> Any:
        try:
            return await self._request(order, departure)
        except Fenced as error:
            raise NotSent(f"fenced: {error}") from error.__cause__

    async def _request(self, order: NewOrder, departure: Departure) -> Any:
        with recorded(Urgency.ORDER, departure.leave) as call:
            try:
                answer = await self._client.create_order(*request_of(order))
            except Fenced:
                self._budget.give_back(call.cost_ms)
                raise
            except Exception as error:
                raise self._failed(order, call, error) from error
        accepted = not problem_with(answer, order.client_order_id)
        self._keeper.answered(order, call, accepted=accepted)
        return answer

    # ------------------------------------------------------------ what is known then

    def _failed(self, order: NewOrder, call: Call, error: Exception) -> VenueError:
        verdict = judge_placement(call.evidence(error))
        self._keeper.refused(order, call, error, verdict)
        if verdict.knowledge is not Knowledge.UNKNOWN:
            self._absence.settled(order.client_order_id)
            return error_of(verdict)
        signed_ns = self._absence.signed_ns(order.client_order_id)
        provable_ns = self._absence.provable_ns(order.client_order_id, signed_ns)
        return error_of(verdict, ask_again_ns=provable_ns)

    async def _ask_after(self, order: NewOrder, venue_order_id: str) -> Any:
        """Ask what became of an order that the venue has named and told no more of."""
        return await self._lookup.by_given_id(venue_order_id, order.client_order_id, order.symbol)

    def _accepted(self, order: NewOrder, answer: Any) -> OrderReport:
        problem = problem_with(answer, order.client_order_id)
        if problem:
            raise OutcomeUnknown(f"{problem}; ask by client order id")
        try:
            asked, has = order.quantity, number(answer.get("amount"))
            report = report_of(
                answer,
                evidence="submit",
                fills=own_fills(answer),
                reason="" if has in (None, asked) else f"quantity: asked {asked}, it has {has}",
                client_order_id=order.client_order_id,
            )
        except Unclear as error:
            raise OutcomeUnknown(f"no_answer: {error}; ask by client order id") from error
        self._absence.settled(order.client_order_id)
        return report
