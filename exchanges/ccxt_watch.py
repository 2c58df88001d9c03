"""The account's private stream: kept up, compared with REST, and never trusted to be alive.

A socket that still answers pings may have stopped telling anything. So liveness is shown by work:
every so often REST is asked for the open orders, and a stream that had not told what REST knows is
stale and is connected anew. After each connection REST is asked once before the stream is live,
since nothing is replayed; and while there is no stream it is asked as often.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import msgspec

from exchanges.backoff import backoff_ms
from exchanges.capabilities import Capability, Stream
from exchanges.ccxt_lookup import Found, OrderLookup
from exchanges.ccxt_numbers import Unclear
from exchanges.ccxt_parse import as_open, report_of, trade_of
from exchanges.connecting import connecting
from exchanges.facts import StreamPhase, StreamState
from exchanges.order_stream import OrderStream
from exchanges.rest_answers import RestAnswers
from exchanges.venue_loop import faults_of
from messages.errors import OutcomeUnknown, VenueRefused
from messages.ids import ClientOrderId, Symbol, TimestampNs, VenueOrderId
from messages.order_states import FINAL_STATES
from messages.orders import OrderReport

OrderName = tuple[Symbol, str]
Tell = Callable[[OrderReport | StreamState], None]
OpenOrders = Callable[[Symbol], Awaitable[list[dict[str, Any]]]]


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How patient the stream is."""

    compare_every_ms: int = 30_000
    grace_ms: int = 2_000
    """How much later than REST the stream may tell a thing."""
    connect_ms: int = 15_000
    backoff_ms: int = 500
    backoff_max_ms: int = 60_000


_UNANSWERED_MAX = 3
_ASKS_MAX = 10
_ASKS_AT_ONCE = 20
_POLL_S = 0.02
"""ccxt has no event for "subscribed"."""
_LOOKS = 2
"""In a row, see `_connected`."""

_STUMBLES = (LookupError, TypeError, AttributeError)


class Stale(Exception):
    """REST knew what the stream had not told in time."""


class PrivateStream:
    """One run of the account's stream, on the loop of its client.

    `open_orders` lists those of a symbol; `answers` is what REST has said of orders otherwise.
    """

    def __init__(
        self,
        client: Any,
        lookup: OrderLookup,
        open_orders: OpenOrders,
        answers: RestAnswers,
        capability: Capability,
        settings: StreamSettings,
        rng: Random,
        utc_ns: Callable[[], int],
    ) -> None:
        if Stream.ORDERS not in capability.streams:
            raise VenueRefused(f"{capability.exchange} has no stream of orders: poll it instead")
        self._client = client
        self._lookup, self._open_orders, self._answers = lookup, open_orders, answers
        self._has_trades = Stream.MY_TRADES in capability.streams
        self._settings = settings
        self._rng = rng
        self._utc_ns = utc_ns
        self._known = OrderStream()
        self._streamed = OrderStream()
        """What the stream alone has told, for comparison."""
        self._tell: Tell = lambda _: None
        self._attempt = 0
        self._asked: dict[str, int] = {}
        self._compared_s = float("-inf")

    async def run(self, symbols: Sequence[Symbol], tell: Tell) -> None:
        """Tell until cancelled. `tell` is called on the loop and must neither block nor raise."""
        self._tell = tell
        try:
            while True:
                self._attempt += 1
                await self._backoff(await self._session(symbols))
                await self._ask_without_stream(symbols)
        finally:
            self._phase(StreamPhase.STOPPED, "")

    async def _session(self, symbols: Sequence[Symbol]) -> str:
        """Connect, follow and compare until something breaks; give what broke."""
        self._phase(StreamPhase.CONNECTING, "")
        followers = self._followers()
        overseer = asyncio.ensure_future(self._oversee(symbols))
        tasks = [*followers, overseer]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            faults = faults_of(tasks)
            stale = next((one for one in faults if isinstance(one, Stale)), None)
            error = stale or next(iter(faults), None)
            if stale is not None:
                self._phase(StreamPhase.STALE, str(stale))
            return _said(error)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.close_ws_clients()

    def _followers(self) -> list["asyncio.Future[None]"]:
        streams: list[asyncio.Future[None]] = [
            asyncio.ensure_future(self._follow(self._client.watch_orders, self._order))
        ]
        if self._has_trades:
            follow = self._follow(self._client.watch_my_trades, self._trade)
            streams.append(asyncio.ensure_future(follow))
        return streams

    async def _follow(self, watch: Callable[[], Any], take: Callable[[Any], None]) -> None:
        while True:
            for one in await watch():
                take(one)

    async def _oversee(self, symbols: Sequence[Symbol]) -> None:
        await self._connected()
        await self._compare(symbols)
        self._attempt = 0
        self._phase(StreamPhase.LIVE, "")
        unanswered = 0
        while True:
            await asyncio.sleep(self._settings.compare_every_ms / 1000)
            try:
                news = await self._compare(symbols)
            except (OutcomeUnknown, Unclear) as error:
                unanswered += 1
                if unanswered >= _UNANSWERED_MAX:
                    raise Stale(f"REST could not be asked {unanswered} times: {error}") from error
                continue
            unanswered = 0
            await self._check_told(news)

    async def _check_told(self, news: list[OrderReport]) -> None:
        """Let the stream catch up with what REST told first; it is stale if it does not."""
        if not news:
            return
        await asyncio.sleep(self._settings.grace_ms / 1000)
        untold = [report for report in news if not self._has_told(report)]
        if untold:
            names = ", ".join(sorted(str(report.venue_order_id) for report in untold)[:3])
            raise Stale(f"the stream did not tell of {len(untold)} changes: orders {names}")

    async def _connected(self) -> None:
        """Wait until ccxt has a socket on which somebody waits for orders, and has said so there.

        It calls a socket connected a few turns of the loop before it begins to send, so one look
        is not enough.
        """
        async with connecting("the stream of orders", self._settings.connect_ms):
            looks = 0
            while looks < _LOOKS:
                await asyncio.sleep(_POLL_S)
                looks = looks + 1 if self._is_subscribed() else 0

    def _is_subscribed(self) -> bool:
        return any(
            socket.isConnected
            and not socket.unsent
            and any("order" in str(name).lower() for name in socket.futures)
            for socket in self._client.clients.values()
        )

    async def _ask_without_stream(self, symbols: Sequence[Symbol]) -> None:
        """Ask REST as often as a stream that is there is compared with it."""
        passed_s = asyncio.get_running_loop().time() - self._compared_s
        if passed_s >= self._settings.compare_every_ms / 1000:
            with suppress(OutcomeUnknown, Unclear):
                await self._compare(symbols)

    async def _compare(self, symbols: Sequence[Symbol]) -> list[OrderReport]:
        """Ask REST for all that may be open and tell what is new; give that.

        Raises:
            OutcomeUnknown, Unclear: no list was answered, which shows nothing of the stream.
        """
        self._compared_s = asyncio.get_running_loop().time()
        found: dict[OrderName, OrderReport] = {}
        failed = [await self._problem_of(self._see_open(symbol, found)) for symbol in symbols]
        for name, known in self._may_have_ended().items():
            if name not in found:
                await self._problem_of(self._see_ended(name, known, found))
        changes = []
        for report in found.values():
            news = self._known.tell(self._answers.heard(report), by_rest=True)
            if news is not None:
                self._tell(news)
                changes.append(report)
        if failed and all(failed):
            raise failed[0]  # type: ignore[misc]  # none of them is None
        return changes

    async def _problem_of(self, question: Awaitable[None]) -> Exception | None:
        """Give why a question failed: it keeps no other from being asked."""
        try:
            await question
        except (OutcomeUnknown, Unclear) as error:
            return error
        return None

    async def _see_open(self, symbol: Symbol, found: dict[OrderName, OrderReport]) -> None:
        for listed in await self._open_orders(symbol):
            order = as_open(listed)
            try:
                report = report_of(order, evidence="open_orders")
            except Unclear:
                continue  # one of ours is asked for by itself, as one that no list shows
            if report.filled_quantity:
                name = ClientOrderId(report.client_order_id)
                report = await self._lookup.report(Found(order), name, symbol)
            found[symbol, str(report.venue_order_id)] = report

    async def _see_ended(
        self, name: OrderName, known: OrderReport, found: dict[OrderName, OrderReport]
    ) -> None:
        symbol, venue_order_id = name
        ended = await self._lookup.by_venue_id(venue_order_id, symbol)
        if ended is not None:
            found[name] = await self._lookup.report(Found(ended), known.client_order_id, symbol)

    def _may_have_ended(self) -> dict[OrderName, OrderReport]:
        """Give those that no list of open orders shows once they have ended."""
        told = [*self._known.open_orders(), *self._to_complete()]
        untold = [one for one in self._answers.may_be_open() if not self._is_ended(one)]
        return {(one.symbol, str(one.venue_order_id)): one for one in [*untold, *told]}

    def _is_ended(self, report: OrderReport) -> bool:
        assert report.venue_order_id is not None
        known = self._known.whole(report.symbol, report.venue_order_id)
        if known is None or known.state not in FINAL_STATES:
            return False
        self._answers.heard(known)
        return True

    def _to_complete(self) -> list[OrderReport]:
        """Give ended orders whose fills the stream lost; each is asked about a few times only."""
        lacking = self._known.without_fills()
        self._asked = {
            str(one.venue_order_id): self._asked.get(str(one.venue_order_id), 0) + 1
            for one in lacking
        }
        few = [one for one in lacking if self._asked[str(one.venue_order_id)] <= _ASKS_MAX]
        return few[:_ASKS_AT_ONCE]

    def _has_told(self, report: OrderReport) -> bool:
        """Whether the stream has told at least as much of the order as REST has."""
        assert report.venue_order_id is not None
        told = self._streamed.whole(report.symbol, report.venue_order_id)
        if told is None or told.filled_quantity < report.filled_quantity:
            return False
        return report.state not in FINAL_STATES or told.state in FINAL_STATES

    def _order(self, order: Any) -> None:
        try:
            report = report_of(self._with_symbol(order), evidence="stream")
        except Unclear:
            return
        self._streamed.tell(report, by_rest=False)
        self._pass_on(self._known.tell(report, by_rest=False))

    def _with_symbol(self, order: Any) -> Any:
        """Give an order its symbol where only its first event told it: Kraken's are changes."""
        if order.get("symbol") or not order.get("id"):
            return order
        return order | {"symbol": self._known.symbol_of(VenueOrderId(str(order["id"])))}

    def _trade(self, trade: Any) -> None:
        try:
            read = trade_of(trade)
        except Unclear:
            return
        self._streamed.trade(read)
        self._pass_on(self._known.trade(read))

    def _pass_on(self, news: OrderReport | None) -> None:
        if news is not None:
            self._tell(news)

    async def _backoff(self, reason: str) -> None:
        settings = self._settings
        wait_ms = backoff_ms(self._attempt, settings.backoff_ms, settings.backoff_max_ms, self._rng)
        self._phase(StreamPhase.BACKOFF, reason, retry_in_ms=wait_ms)
        await asyncio.sleep(wait_ms / 1000)

    def _phase(self, phase: StreamPhase, reason: str, retry_in_ms: int = 0) -> None:
        self._tell(
            StreamState(
                phase=phase,
                reason=reason,
                attempt=self._attempt,
                retry_in_ms=retry_in_ms,
                ts_ns=TimestampNs(self._utc_ns()),
            )
        )


def _said(error: BaseException | None) -> str:
    """Say what broke; where ccxt stumbles over an answer, its own words say nothing."""
    if error is None:
        return "it ended"
    if isinstance(error, VenueRefused):
        return str(error)
    said = f"{type(error).__name__}: {error}"
    return f"ccxt could not read what came ({said})" if isinstance(error, _STUMBLES) else said
