"""The market as the executor sees it: prices for risk, shown to the stops and to the venue.

One incarnation's, on the executor's thread; only what the gateway calls once the venue has had a
batch may run on another.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from operator import attrgetter

from actors.address import Address
from actors.context import Context
from actors.gateway import Gateway
from actors.order_records import price_of
from actors.settling import Settling
from actors.stop_desk import StopDesk
from actors.telling import ToMetrics
from messages.ids import ActorPath, Symbol, TimestampNs
from messages.market import Candle, MarketAck, MarketBatch, MarketEvent, Tick, Trade
from messages.orders import PriceMark

_SYMBOL = attrgetter("symbol")


class MarketDesk:
    """`saw` takes a price for risk, `show` is called where a stop has acted.

    `replayed`: the market waits for us. `steps`: its feed shows an event to nobody else before it
    is acknowledged here. While `is_away()` is true the ledger cannot be written, so no exit can be
    claimed.
    """

    def __init__(
        self,
        *,
        ctx: Context,
        gateway: Gateway,
        stops: StopDesk,
        settling: Settling,
        metrics: ToMetrics,
        feeds: Mapping[ActorPath, Address[MarketAck]],
        saw: Callable[[Symbol, Decimal, TimestampNs], None],
        show: Callable[[], None],
        is_away: Callable[[], bool],
        replayed: bool,
        steps: bool,
    ) -> None:
        self._ctx, self._gateway, self._stops, self._settling = ctx, gateway, stops, settling
        self._metrics, self._feeds, self._saw, self._show = metrics, feeds, saw, show
        self._is_away, self._replayed, self._steps = is_away, replayed, steps
        self._later: list[MarketBatch] = []
        """Batches of a market that waits for us, until what is to end has ended."""

    def batch(self, batch: MarketBatch) -> None:
        """Mark prices and show the venue what is new; the gateway says when it is done.

        A market that waits for us waits for what is to end too: how long that takes is chance.
        """
        if self._replayed and self._settling.is_changing:
            self._later.append(batch)
            return
        latest = dict(zip(map(_SYMBOL, batch.events), batch.events, strict=True))
        for event in latest.values():
            self._mark(event)
        if self._steps:
            self._stops.show_later(batch)
            self._gateway.market(batch, self._stops.tell_shown(batch.feed))
        else:
            if not batch.is_history:
                self._look(batch.events)
            self._gateway.market(batch, partial(self._acknowledge_to, batch.feed))
        self._ctx.progress()

    def live(self, event: Candle | Trade | Tick) -> None:
        """Take an event that no feed numbers."""
        self._mark(event)
        self._look((event,))
        self._gateway.live_market(event)

    def go_on(self) -> None:
        """Take the batches that waited for what was to end."""
        if self._later and not self._settling.is_changing:
            later, self._later = self._later, []
            for batch in later:
                self.batch(batch)

    def acknowledge(self, batch: MarketBatch, next_index: int, *, sent: bool) -> None:
        """Go on to the next event: with exits under way, once the venue has had them."""
        if sent:
            self._gateway.market(batch, partial(self._acknowledge_to, batch.feed))
        else:
            self._acknowledge_to(batch.feed, next_index)

    def _acknowledge_to(self, feed: ActorPath, next_index: int) -> None:
        """Tell a feed how far the venue has come; on any thread."""
        address = self._feeds.get(feed)
        if address is not None:
            address.tell(MarketAck(follower=self._ctx.path, next_index=next_index))

    def _look(self, events: Sequence[MarketEvent]) -> None:
        """Let stops act on what is new, once it is known how much there is to protect.

        A symbol whose orders cannot be settled, perhaps because it is delisted, leaves the others
        protected. While the ledger is away the next incarnation looks.
        """
        if not self._is_away() and self._stops.look(self._settling.settled(events)):
            self._show()

    def _mark(self, event: MarketEvent) -> None:
        price = price_of(event)
        self._saw(event.symbol, price, event.ts_event_ns)
        self._metrics.tell(
            PriceMark(symbol=event.symbol, price=price, ts_event_ns=event.ts_event_ns)
        )
