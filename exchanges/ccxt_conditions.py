"""Keeps the conditions of one venue: learns them from calls, and finds out when they are over.

While nobody is in, the venue is asked for its time until it answers. When an order was refused
for the symbol's rules, the markets are loaded again, at most once in a while. Both are tasks on
the venue's loop, which `close` ends.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from exchanges.ccxt_call import Call, recorded
from exchanges.ccxt_gate import check_answer
from exchanges.ccxt_numbers import Unclear
from exchanges.ccxt_parse import market_of
from exchanges.conditions import (
    AWAY,
    CLOCK,
    FUNDS,
    KEY,
    Sign,
    Standing,
    away,
    key_refused,
    money,
    no_coins,
    no_money,
    not_traded,
    sign_of_placement,
    sign_of_question,
)
from exchanges.facts import MarketFacts
from exchanges.outcomes import Evidence, Verdict
from exchanges.protocol import NewOrder
from exchanges.venue_loop import report_fault
from messages.errors import NotSent, Rejected
from messages.ids import NS_PER_S, Symbol
from messages.values import Side

Markets = Mapping[Symbol, MarketFacts]


PROBE_S, PROBE_MAX_S = 0.5, 15.0
"""The pause before a venue that is away is asked again, doubled each time; and the longest."""
RELOAD_S = 60.0
"""Between two loads of the markets, which are heavy: the venue's whole list."""
MONEY_S = 60.0
"""Between two buys that are tried while the account could not pay for the last."""


class ConditionKeeper:
    """Of one client, on its loop. `tell_markets` gets the markets when their rules changed.

    `doubt_clock` is called when the venue finds the time of a request wrong.
    """

    def __init__(
        self,
        client: Any,
        exchange: str,
        markets: Markets,
        standing: Standing,
        monotonic_ns: Callable[[], int],
        tell_markets: Callable[[Markets], object],
        doubt_clock: Callable[[], object],
    ) -> None:
        self._client, self._exchange = client, exchange
        self._markets = dict(markets)
        self._standing = standing
        self._monotonic_ns = monotonic_ns
        self._tell_markets, self._doubt_clock = tell_markets, doubt_clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gone: set[Symbol] = set()
        self._lists = 0
        """How often the markets were loaded since the venue was opened."""
        self._reloaded_ns: int | None = None
        self._tried: dict[Symbol, tuple[int, Decimal]] = {}
        """When a buy was refused last for want of money, and of how much: a smaller one, or one of
        another symbol, may cost less than there is."""

    def check(self, order: NewOrder) -> None:
        """Let an order pass, or say why it need not be sent.

        Raises:
            NotSent: nobody is in who could take it, or it would find the order's time wrong.
            Rejected: the symbol is not traded, or a buy of it cannot be paid for, as the venue
                itself has said.
        """
        symbol = order.symbol
        if why := self._standing.text(AWAY):
            raise NotSent(f"away: {why}")
        if why := self._standing.text(CLOCK):
            raise NotSent(f"clock: {why}")
        if why := self._standing.text(f"symbol {symbol}"):
            self._reload_soon()
            raise Rejected(f"market_closed: {why}")
        if order.side is Side.BUY and (why := self._standing.text(money(symbol))):
            self._pay_again(order, why)

    def _pay_again(self, order: NewOrder, why: str) -> None:
        """Let a buy pass now and then: only one that is taken shows that there is money again."""
        now_ns, pause_ns = self._monotonic_ns(), int(MONEY_S * NS_PER_S)
        tried = self._tried.get(order.symbol)
        if tried is not None and order.quantity >= tried[1] and now_ns - tried[0] < pause_ns:
            raise Rejected(f"insufficient_funds: {why}")
        self._tried[order.symbol] = now_ns, order.quantity

    # ------------------------------------------------------------ what calls tell

    def question(self, call: Call, error: BaseException | None) -> None:
        """Learn from a signed question that ended, well or not."""
        evidence = None if error is None else call.evidence(error)
        if evidence is not None and evidence.error == "BadSymbol":
            self._reload_soon()
        sign = Sign.PAGE if call.is_page else None
        if evidence is not None:
            sign = sign_of_question(evidence, is_page=call.is_page)
        if sign is not None:
            self._begin(sign, None, evidence)
        elif call.has_answer and call.response is not None and call.response.http_status < 500:
            self._standing.end(AWAY)
            self._standing.end(KEY)

    def is_gone(self, symbol: Symbol) -> bool:
        """Whether the venue lists the symbol no more: it once did, or two lists agree."""
        is_unlisted = self._lists > 0 and symbol not in (self._client.markets or {})
        return symbol in self._gone or is_unlisted

    def refused(self, order: NewOrder, call: Call, error: BaseException, verdict: Verdict) -> None:
        """Learn from a placement that failed."""
        evidence = call.evidence(error)
        sign = sign_of_placement(evidence, is_page=call.is_page, is_duplicate=verdict.adopt)
        if sign is not None:
            self._begin(sign, order, evidence)

    def answered(self, order: NewOrder, call: Call, *, accepted: bool) -> None:
        """Learn from a placement that did not fail; its answer may be no order all the same."""
        if call.is_page:
            self._begin(Sign.PAGE, None, None)
        elif accepted:
            for name in (AWAY, KEY, FUNDS):
                self._standing.end(name)
            if order.side is Side.BUY:
                self._standing.end(money(order.symbol))
            else:
                self._tried.clear()  # a sale brings money

    def _begin(self, sign: Sign, order: NewOrder | None, evidence: Evidence | None) -> None:
        if sign is Sign.RULES:
            self._reload_soon()
        elif sign is Sign.CLOCK:
            self._doubt_clock()
        elif sign in (Sign.MAINTENANCE, Sign.PAGE):
            if self._standing.begin(away(self._exchange, sign, evidence)):
                self._run(AWAY, self._probe())
        elif sign is Sign.FUNDS and order is not None and evidence is not None:
            self._short(order, evidence)
        elif evidence is not None:
            self._standing.begin(key_refused(self._exchange, evidence))

    def _short(self, order: NewOrder, evidence: Evidence) -> None:
        """The account has less than an order needs."""
        if order.side is Side.SELL:
            self._standing.begin(no_coins(self._exchange, order.symbol, evidence))
            return
        self._tried[order.symbol] = self._monotonic_ns(), order.quantity
        self._standing.begin(no_money(self._exchange, order.symbol, evidence))

    # ------------------------------------------------------------ whether it is over

    async def _probe(self) -> None:
        """Ask for the time, ever more rarely, until there is an answer."""
        pause_s = PROBE_S
        while self._standing.text(AWAY):
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PROBE_MAX_S)
            answers = False
            with suppress(Exception), recorded() as call:
                await self._client.fetch_time()
                check_answer(call)
                answers = True
            if answers:
                self._standing.end(AWAY)

    def _reload_soon(self) -> None:
        """Load the markets again, unless that was done a moment ago."""
        now_ns, pause_ns = self._monotonic_ns(), int(RELOAD_S * NS_PER_S)
        if self._reloaded_ns is None or now_ns - self._reloaded_ns >= pause_ns:
            self._reloaded_ns = now_ns
            self._run("reload", self._reload())

    async def _reload(self) -> None:
        """See what the venue lists now; while a symbol is blocked, look again in a while."""
        while True:
            before, is_new = dict(self._client.markets), False
            with suppress(Exception), recorded() as call:
                await self._client.load_markets(reload=True)
                check_answer(call)
                is_new = True
            if is_new:
                self._lists += 1
                self._compare(before)
            if not any(name.startswith("symbol ") for name in self._standing.all):
                return
            await asyncio.sleep(RELOAD_S)
            self._reloaded_ns = self._monotonic_ns()

    def _compare(self, before: Mapping[str, Any]) -> None:
        known = dict(self._markets)
        for symbol in known:
            market = (self._client.markets or {}).get(symbol)
            self._gone.discard(symbol)
            if market is None:
                self._gone.add(symbol)
                # Its orders must still be asked for, which ccxt does for known markets only.
                gone = before[symbol] | {"active": False}
                self._client.set_markets([*self._client.markets.values(), gone])
            if market is None or market.get("active") is False:
                why = "does not list it any more" if market is None else "does not trade it now"
                self._standing.begin(not_traded(self._exchange, symbol, why))
                continue
            self._standing.end(f"symbol {symbol}")
            with suppress(Unclear, KeyError):
                known[symbol] = market_of(market)
        if known != self._markets:
            self._markets = known
            self._tell_markets(known)

    def _run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        running = self._tasks.get(name)
        if running is not None and not running.done():
            work.close()
            return
        task = self._tasks[name] = asyncio.ensure_future(work)
        task.add_done_callback(report_fault)

    async def close(self) -> None:
        """End what is being asked."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
