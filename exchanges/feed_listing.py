"""Which symbols of a live market are followed: those that the exchange lists.

Of a symbol that is gone each exchange says something else, and ccxt makes an error of any class of
it. So it is the listing that decides: which symbols are left out, and which are there again.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from exchanges.ccxt_call import recorded
from exchanges.ccxt_gate import check_answer
from exchanges.feed_endings import ListedAgain, is_answer, is_of_a_symbol
from exchanges.feed_line import Line
from messages.ids import NS_PER_S, Symbol

LOOK_EVERY_S = 60.0
_NOT_LISTED, _NOT_TRADED = "not listed any more", "not traded any more"


class FeedListing:
    """One feed's, over all its connections. Used on the feed's loop."""

    def __init__(
        self,
        lines: Sequence[Line],
        timeframe: str,
        limit_ms: int,
        monotonic_ns: Callable[[], int],
    ) -> None:
        self.all = self.lines = list(lines)
        """Every symbol that was asked for, and those that are followed now."""
        self._timeframe, self._limit_s = timeframe, limit_ms / 1000
        self._monotonic_ns = monotonic_ns
        self._why: dict[Symbol, str] = {}
        """Of those that are left out."""
        self._is_doubtful = False
        self._looked_ns: int | None = None

    @property
    def left_out(self) -> str:
        """Say which symbols are not followed, and why; empty for none."""
        parts: dict[str, list[str]] = {}
        for symbol, why in self._why.items():
            parts.setdefault(why, []).append(symbol)
        return "; ".join(f"without {', '.join(names)}: {why}" for why, names in parts.items())

    def doubt(self, faults: Iterable[BaseException]) -> None:
        """Learn what has ended a connection: an answer may be of a symbol that is gone."""
        for fault in faults:
            self._is_doubtful = self._is_doubtful or is_answer(fault)
            if is_of_a_symbol(fault):
                self._looked_ns = None  # this one says so itself

    async def renew(self, client: Any) -> None:
        """Have what is followed by the next connection agree with the listing.

        Where nothing is in doubt, or nothing can be learned, it stays as it is; where no symbol
        would be left, all are tried again.
        """
        if not self._is_due:
            return
        self._looked_ns = self._monotonic_ns()
        with suppress(Exception), recorded() as call:
            async with asyncio.timeout(self._limit_s):
                markets = await client.load_markets(reload=True)
                check_answer(call)
                why = await self._lacks(client, markets)
            self._is_doubtful = False
            self._why = why if len(why) < len(self.all) else {}
            self.lines = [line for line in self.all if line.symbol not in self._why]

    @property
    def _is_due(self) -> bool:
        if self._why:
            return True
        if not self._is_doubtful or len(self.all) == 1:
            return False
        looked_ns, now_ns = self._looked_ns, self._monotonic_ns()
        return looked_ns is None or now_ns - looked_ns >= LOOK_EVERY_S * NS_PER_S

    async def watch(self, client: Any) -> None:
        """While symbols are left out, look for them now and then.

        Raises:
            ListedAgain: one can be followed again.
        """
        while self._why:
            await asyncio.sleep(LOOK_EVERY_S)
            back: list[str] = []
            with suppress(Exception), recorded() as call:
                # The client's own markets stay as they are: its streams are read by them.
                rows = await client.fetch_markets()
                check_answer(call)
                back = [row["symbol"] for row in rows if self._is_back(row)]
            if back:
                raise ListedAgain(f"{', '.join(back)} can be followed again")

    def _is_back(self, market: Mapping[str, Any]) -> bool:
        return market["symbol"] in self._why and market.get("active") is not False

    async def _lacks(self, client: Any, markets: Mapping[str, Any]) -> dict[Symbol, str]:
        """Give the symbols that can't be followed, and why.

        One that is listed and only halted is followed, for it may trade again at any moment,
        unless the exchange does not tell of it either.
        """
        found: dict[Symbol, str] = {}
        for symbol in (line.symbol for line in self.all):
            market = markets.get(symbol)
            if market is None:
                found[symbol] = _NOT_LISTED
                continue
            is_doubted = market.get("active") is False or symbol in self._why
            if is_doubted and await self._is_refused(client, symbol):
                found[symbol] = _NOT_TRADED
        return found

    async def _is_refused(self, client: Any, symbol: Symbol) -> bool:
        try:
            await client.fetch_ohlcv(symbol, self._timeframe, None, 2)
        except Exception as error:
            if not is_answer(error):
                raise
            return True
        return False
