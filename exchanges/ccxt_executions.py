"""An account's executions, of one order and since a moment: page after page."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from exchanges.capabilities import Capability
from exchanges.ccxt_numbers import Unclear
from exchanges.ccxt_parse import Raw, fill_of, own_fills
from exchanges.ccxt_questions import Questions
from messages.errors import OutcomeUnknown
from messages.ids import NS_PER_MS, Symbol
from messages.orders import Fill

_PAGES_MAX = 200


class TooMany(OutcomeUnknown):
    """There are more executions than can be listed, or they are too old for it."""


class OrderExecutions:
    """Asks one client, which is used on its loop alone."""

    def __init__(self, client: Any, capability: Capability, questions: Questions) -> None:
        self._client, self._capability, self._questions = client, capability, questions

    async def of(self, order: Raw, symbol: Symbol) -> tuple[tuple[Fill, ...], str]:
        """Give those of an order that are shown, and why they may not be all; it raises nothing."""
        if not order.get("filled") or not Decimal(str(order["filled"])):
            return (), ""
        try:
            trades = await self._trades_of(order, symbol)
            return tuple(fill_of(trade) for trade in trades), ""
        except (OutcomeUnknown, Unclear) as error:
            return own_fills(order), f"its fills could not be seen: {error}"

    async def since(self, symbol: Symbol, since_ns: int) -> list[dict[str, Any]]:
        """List all of the account's executions since a moment of the venue's clock.

        Raises:
            TooMany: there are more than can be paged through, or than the exchange lists at once.
            OutcomeUnknown: a question failed.
        """
        row, since_ms = self._capability, max(0, since_ns // NS_PER_MS)
        length, reach_ms = row.page_length, row.trades_reach_ms
        if reach_ms is not None and since_ms < self._client.milliseconds() - reach_ms:
            raise TooMany(
                f"too_many: {row.exchange} lists no trades of more than {reach_ms // 3_600_000} h"
                f" at once; ask for less of those of {symbol}"
            )
        # Of all symbols, nothing is cut off after the exchange has cut its page off.
        asked = (str(symbol), length) if row.trades_by_symbol else (None, None)
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for _ in range(_PAGES_MAX):
            page = await self._questions.ask_list(
                f"list trades of {symbol}",
                partial(self._client.fetch_my_trades, asked[0], since_ms, asked[1]),
            )
            before = len(found)
            found.update((_execution_of(trade), trade) for trade in page)
            if len(page) < length:
                return [one for one in found.values() if one.get("symbol") == symbol]
            if len(found) == before or not row.trades_oldest_first:
                break
            since_ms = max(trade.get("timestamp") or since_ms for trade in page)
        raise TooMany(f"too_many: trades of {symbol} do not end; ask for less of them")

    async def _trades_of(self, order: Raw, symbol: Symbol) -> Sequence[Raw]:
        """Give its executions: page after page, while those that are known are not all."""
        identity, filled = str(order["id"]), Decimal(str(order["filled"]))
        paging, own = self._capability.fills_paged, list[Raw]()
        seen, more = set[tuple[str, str]](), dict[str, str]()
        for _ in range(paging.pages_max if paging is not None else 1):
            try:
                page = await self._page_of_fills(order, symbol, more)
            except OutcomeUnknown:
                if not own:
                    raise
                break  # what the report still lacks is asked for again
            new = [one for one in page if _execution_of(one) not in seen]
            seen.update(map(_execution_of, new))
            own += [one for one in new if str(one.get("order")) == identity]
            more = self._page_after(new, len(seen))
            if not more or sum(Decimal(str(one.get("amount") or 0)) for one in own) >= filled:
                break
        return own

    async def _page_of_fills(
        self, order: Raw, symbol: Symbol, more: dict[str, str]
    ) -> Sequence[Raw]:
        identity, row = str(order["id"]), self._capability
        # "emulated" (Kraken) needs what only some of the answers hold: the ids of the trades.
        if self._client.has.get("fetchOrderTrades") is True:
            method = self._client.fetch_order_trades
            return await self._questions.ask_list(
                f"list fills of {identity}",
                lambda: method(identity, str(symbol), None, row.fills_at_once, more),
            )
        # Of all symbols, nothing is left out of a page: how many came is how many were passed.
        asked = str(symbol) if row.trades_by_symbol else None
        since_ms = order.get("timestamp")
        return await self._questions.ask_list(
            f"list fills of {symbol}",
            lambda: self._client.fetch_my_trades(asked, since_ms, row.fills_at_once, more),
        )

    def _page_after(self, new: Sequence[Raw], given: int) -> dict[str, str]:
        """Give what asks for the next page; nothing where a page told no news, or none is asked."""
        paging = self._capability.fills_paged
        if paging is None or not new:
            return {}
        if not paging.field:
            return {paging.parameter: str(given)}
        told = [str(one["info"].get(paging.field)) for one in new]
        # A taker's executions share one moment; their numbers still tell which is the oldest.
        return {paging.parameter: min(told, key=int)} if all(map(str.isdecimal, told)) else {}


def _execution_of(trade: Raw) -> tuple[str, str]:
    """Name an execution: two orders that traded with each other share the trade's id."""
    return str(trade.get("order")), str(trade.get("id"))
