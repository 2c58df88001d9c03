"""A real exchange through ccxt: one account, one client, on one loop. See `LiveTrading`.

Importing this needs no ccxt; opening it does.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any

import msgspec

from exchanges.absence import Absence
from exchanges.capabilities import Capability, capability_of
from exchanges.ccxt_asking import asking, reading
from exchanges.ccxt_call import Call
from exchanges.ccxt_cancel import Canceler
from exchanges.ccxt_client import close_client, open_client
from exchanges.ccxt_clock import ClockWatch, Comparing
from exchanges.ccxt_conditions import ConditionKeeper, Markets
from exchanges.ccxt_gate import (
    GateLimits,
    check_settings,
    pass_gate,
)
from exchanges.ccxt_lookup import OrderLookup
from exchanges.ccxt_numbers import Unclear
from exchanges.ccxt_parse import as_open, balances_of, report_of, trade_of
from exchanges.ccxt_placing import Placing
from exchanges.ccxt_right import ask_right
from exchanges.ccxt_settings import CcxtSettings
from exchanges.ccxt_shown import Looker
from exchanges.ccxt_traded import traded
from exchanges.ccxt_watch import PrivateStream, StreamSettings
from exchanges.ccxt_withdrawal import ask_withdrawal
from exchanges.conditions import CLOCK, Standing, Tell
from exchanges.facts import (
    AccountTrade,
    Balance,
    StreamState,
    TradingRight,
    VenueFacts,
    WithdrawalRight,
)
from exchanges.protocol import NewOrder
from exchanges.rate_budget import RateBudget
from exchanges.rest_answers import RestAnswers
from exchanges.skew import Skew, measure_skew
from messages.errors import NotSent, OutcomeUnknown
from messages.ids import NS_PER_MS, ClientOrderId, Symbol, TimestampNs, VenueOrderId
from messages.orders import OrderReport


class CcxtVenue:
    """One account at one exchange; see `exchanges.protocol.LiveTrading`.

    Every coroutine must run on one and the same loop, for instance that of a `VenueLoop`.
    `budget` is shared by all venues of one key; `rng` spreads reconnects. `capability` replaces
    the exchange's row, for one that is known to be quicker: a local one. `listing` is what the
    exchange lists, where that was asked a moment ago: the gate then does not ask it again.
    Without `to_trade` it is opened to look and to cancel, so symbols may be blocked or gone.
    `comparing`: see `ClockWatch`.

    Raises:
        VenueRefused: there is no key or symbol, or the exchange cannot find orders by our id.
    """

    def __init__(
        self,
        settings: CcxtSettings,
        symbols: Sequence[Symbol],
        *,
        rng: Random,
        budget: RateBudget | None = None,
        limits: GateLimits | None = None,
        stream: StreamSettings | None = None,
        capability: Capability | None = None,
        to_trade: bool = True,
        may_call: Callable[[], None] = lambda: None,
        listing: Sequence[dict[str, Any]] = (),
        comparing: Comparing = lambda: lambda: None,
        utc_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._capability = capability or capability_of(settings.exchange)
        check_settings(settings, symbols, wants_password=self._capability.wants_password)
        self._settings, self._to_trade = settings, to_trade
        self._symbols = tuple(symbols)
        self._budget = budget or RateBudget()
        self._limits = limits or GateLimits()
        self._stream = stream or StreamSettings()
        self._rng = rng
        self._may_call = may_call
        self._listing = listing
        self._comparing = comparing
        self._utc_ns = utc_ns
        self._monotonic_ns = monotonic_ns
        self._client: Any = None
        self._facts: VenueFacts | None = None
        self._standing = Standing()
        self._keeper: ConditionKeeper | None = None
        self._placing: Placing | None = None
        self._clock: ClockWatch | None = None
        self._markets_changed: Callable[[Markets], object] = lambda _: None
        self._answers = RestAnswers()
        self._absence = Absence(self._capability, settings.recv_window_ms, utc_ns)

    async def open(self) -> VenueFacts:
        """Make the client and pass the gate; a second call asks everything again.

        Raises:
            VenueRefused: one sentence that says what is missing or wrong and what to do.
        """
        if self._client is None:
            self._client = open_client(self._settings, self._capability, self._budget)
            self._client.may_call = self._may_call
            if self._listing:
                self._client.set_markets(self._listing)
                self._listing = ()
        agreed = self._comparing()
        try:
            self._facts = await pass_gate(
                self._client,
                self._settings,
                self._symbols,
                self._capability,
                self._limits,
                self._skew,
                to_trade=self._to_trade,
            )
        except BaseException:
            await self.close()
            raise
        agreed()
        self._absence.ahead_ns = max(0, self._facts.skew_ns)
        await self._begin_watches(self._facts.markets)
        return self._facts

    async def _begin_watches(self, markets: Markets) -> None:
        await self._end_watches()
        self._standing.end(CLOCK)
        self._clock = ClockWatch(
            self._settings.exchange,
            self._limits,
            self._standing,
            self._skew,
            self._comparing,
            self._take_skew,
        )
        self._clock.start()
        self._keeper = ConditionKeeper(
            self._client,
            self._settings.exchange,
            markets,
            self._standing,
            self._monotonic_ns,
            self._take_markets,
            self._clock.doubt,
        )
        self._placing = Placing(
            self._client,
            self._capability,
            self._budget,
            self._absence,
            self._keeper,
            self.markets,
            self._lookup(),
            utc_ns=self._utc_ns,
            monotonic_ns=self._monotonic_ns,
        )

    def doubt_clock(self) -> None:
        """Have the venue's clock compared with ours at once; on the loop only."""
        if self._clock is not None:
            self._clock.doubt()

    async def trading_right(self) -> TradingRight:
        """Find out whether the key may trade, without an order; see `ask_right`. Once opened.

        Raises:
            VenueRefused: it may not; the sentence says what to do.
        """
        assert self._facts is not None, "opened by open()"
        market = self._facts.markets[self._symbols[0]]
        return await ask_right(self._client, self._capability, market)

    async def withdrawal_right(self) -> WithdrawalRight:
        """Find out whether the key may withdraw; never raises for it. Once opened."""
        return await ask_withdrawal(self._client, self._capability)

    def follow(self, tell: Tell, markets_changed: Callable[[Markets], object]) -> None:
        """Tell of the conditions that stand and of each change; see `LiveTrading.follow`."""
        self._markets_changed = markets_changed
        self._standing.follow(tell)

    def markets(self) -> Markets:
        """Give the symbols' rules as they were last read; from any thread."""
        return {} if self._facts is None else self._facts.markets

    async def submit(self, order: NewOrder, fence: Callable[[], None]) -> OrderReport:
        """Send one order, exactly as it is, once; see `LiveTrading.submit`."""
        if self._placing is None:
            raise NotSent("closed: the venue is not open; open it first")
        return self._answers.heard(await self._placing.submit(order, fence))

    async def find(
        self,
        client_order_id: ClientOrderId,
        symbol: Symbol,
        *,
        sent_at_ns: int,
        closed_hint: bool = False,
        venue_order_id: VenueOrderId | None = None,
    ) -> OrderReport | None:
        """Ask for an order by our id; None is proof of absence; see `LiveTrading.find`."""
        lookup = self._lookup()
        was_in_flight = self._absence.is_sending(client_order_id)
        provable_ns = self._absence.provable_ns(client_order_id, sent_at_ns)
        # The clock goes first: what is asked after the moment has passed is proof.
        now_ns = await self._venue_now_ns()
        found = await lookup.look(client_order_id, symbol, sent_at_ns, closed_hint)
        if found is not None:
            found = await lookup.followed(found, venue_order_id, symbol)
        else:
            found = await lookup.named_by_venue(venue_order_id, client_order_id, symbol)
        if found is None:
            self._absence.check(now_ns, provable_ns, sent_at_ns, still_sending=was_in_flight)
            is_other = partial(self._answers.is_other, symbol)
            found = await traded(lookup, client_order_id, symbol, sent_at_ns, is_other)
        report = None if found is None else await lookup.report(found, client_order_id, symbol)
        self._absence.settled(client_order_id)
        return None if report is None else self._answers.heard(report)

    async def cancel(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        """Cancel, then say what the venue shows; see `LiveTrading.cancel`."""
        lookup = self._lookup()
        canceler = Canceler(
            self._client,
            lookup,
            self._capability,
            self._settings.recv_window_ms,
            lambda: self._utc_ns() + self._absence.ahead_ns,
        )
        return self._answers.heard(await canceler.cancel(client_order_id, symbol))

    async def open_orders(self, symbol: Symbol) -> list[OrderReport]:
        """Give every open order; the reason of one that is not ours begins with ``foreign``."""
        orders = await self._open_orders(symbol)
        with reading("an open order"):
            return [self._answers.heard(self._listed(order)) for order in orders]

    async def _open_orders(self, symbol: Symbol) -> list[dict[str, Any]]:
        """List them; there are none where the venue knows no such market and lists none.

        Either alone may be a mistake of a moment. A question that failed for want of the market has
        the list loaded again; of one that was never listed here two lists must say so.
        """
        try:
            return await self._lookup().open_orders(symbol)
        except OutcomeUnknown as error:
            is_unknown = type(error.__cause__).__name__ == "BadSymbol"
            if is_unknown and self._keeper is not None and self._keeper.is_gone(symbol):
                return []
            raise

    async def trades(self, symbol: Symbol, since_ns: int) -> list[AccountTrade]:
        """Give the account's executions since then, oldest first."""
        trades = await self._lookup().executions.since(symbol, since_ns)
        with reading("a trade"):
            found = [trade_of(trade) for trade in trades]
        return sorted(found, key=lambda one: (one.fill.ts_event_ns, one.fill.trade_id))

    def looker(self) -> Looker:
        """Give what shows orders and executions, and can do nothing else. Once opened.

        Raises:
            OutcomeUnknown: the venue is not open.
        """
        return Looker(self._lookup(), self._capability)

    async def balances(self) -> dict[str, Balance]:
        """Give what the account holds, by currency."""
        with self._asking("show the account", is_signed=True):
            return balances_of(await self._client.fetch_balance())

    async def server_time_ns(self) -> TimestampNs:
        """Ask for the venue's clock."""
        with self._asking("tell its time"):
            told_ms = await self._client.fetch_time()
            if not isinstance(told_ms, int) or told_ms <= 0:
                raise Unclear(f"{told_ms!r} is no time")
            return TimestampNs(told_ms * NS_PER_MS)

    async def watch(
        self, symbols: Sequence[Symbol], tell: Callable[[OrderReport | StreamState], None]
    ) -> None:
        """Tell of orders and of the stream until cancelled; see `LiveTrading.watch`."""
        stream = PrivateStream(
            self._client,
            self._lookup(),
            self._open_orders,
            self._answers,
            self._capability,
            self._stream,
            self._rng,
            self._utc_ns,
        )
        await stream.run(symbols, tell)

    async def close(self) -> None:
        """Let go of connections; open orders stay as they are."""
        client, self._client, self._facts = self._client, None, None
        await self._end_watches()
        if client is not None:
            await close_client(client)

    async def _end_watches(self) -> None:
        watches = (self._keeper, self._clock)
        self._keeper = self._clock = self._placing = None
        for watch in watches:
            if watch is not None:
                await watch.close()

    # ------------------------------------------------------------ asking

    async def _venue_now_ns(self) -> int:
        """Give the venue's time, or 0, from which nothing can be proved, when it tells none."""
        try:
            return await self.server_time_ns()
        except OutcomeUnknown:
            return 0

    def _listed(self, order: Any) -> OrderReport:
        ours = self._capability.is_ours(str(order.get("clientOrderId") or ""))
        note = "" if ours else "foreign: its id is not one of this system's"
        return report_of(as_open(order), evidence="open_orders", reason=note)

    def _lookup(self) -> OrderLookup:
        if self._client is None:
            raise OutcomeUnknown("closed: the venue is not open, so it cannot be asked")
        return OrderLookup(self._client, self._capability, self._heard)

    def _heard(self, call: Call, error: BaseException | None) -> None:
        if self._keeper is not None:
            self._keeper.question(call, error)

    def _take_markets(self, markets: Markets) -> None:
        if self._facts is not None:
            self._facts = msgspec.structs.replace(self._facts, markets=dict(markets))
            self._markets_changed(markets)

    def _take_skew(self, measured: Skew) -> None:
        self._absence.ahead_ns = max(0, measured.skew_ns)

    async def _skew(self) -> Skew:
        return await measure_skew(self._client.fetch_time, self._utc_ns, self._monotonic_ns)

    @contextmanager
    def _asking(self, what: str, *, is_signed: bool = False) -> Iterator[None]:
        """Make every failure of a question say that nothing is known."""
        self._lookup()
        with asking(what, self._heard, is_signed=is_signed):
            yield
