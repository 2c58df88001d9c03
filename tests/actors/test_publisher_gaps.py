"""What of a live feed is missing is published, and a recording's end; its gaps show by its times.

What fell out of the feed's buffer while the bus was away may be of any symbol.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from actors.address import Address
from actors.published_trades import PublishedTrades
from actors.publisher import PublisherActor, PublisherKept
from messages.ids import ActorPath, Symbol, TimestampNs
from messages.market import FeedEnded, FeedGap, FeedPhase, FeedState, MarketBatch, Trade
from tests.actors.hand_runtime import Driven

BTC, ETH, SOL = Symbol("BTC/USDT"), Symbol("ETH/USDT"), Symbol("SOL/USDT")
GAP = FeedGap(
    feed=ActorPath("feed"),
    symbol=Symbol("BTC/USDT"),
    ts_from_ns=TimestampNs(1),
    ts_to_ns=TimestampNs(9),
    missing=2,
    place="a.csv:3",
)
END = FeedEnded(feed=ActorPath("feed"), delivered=20)


class Connection:
    """Keeps what it is to publish."""

    def __init__(self) -> None:
        self.published: list[Any] = []
        self.places: list[int] = []

    def run(self, *_: Any) -> None:
        pass

    def feed_is(self, *_: Any) -> None:
        pass

    def put(self, events: Any, first_index: int) -> None:
        self.published += events
        self.places += range(first_index, first_index + len(events))


def started(
    runtime: Driven,
    connection: Connection,
    trades: PublishedTrades | None = None,
    *,
    is_recorded: bool = False,
) -> Address[Any]:
    arguments = {
        "connect": lambda: connection,
        "kept": PublisherKept(trades),
        "feed": runtime.address(ActorPath("feed")),
        "metrics": runtime.address(ActorPath("metrics")),
        "is_recorded": is_recorded,
    }
    cell = runtime.populate(ActorPath("publisher"), PublisherActor, arguments)
    assert not runtime.start(cell).problem
    return runtime.address(cell.path)


def trade(at_ns: int, symbol: Symbol = BTC) -> Trade:
    return Trade(
        symbol=symbol,
        price=Decimal(1),
        quantity=Decimal(1),
        aggressor_side=None,
        ts_event_ns=TimestampNs(at_ns),
    )


def batch(first_index: int, *trades: Trade, lost: int = 0) -> MarketBatch:
    path = ActorPath("feed")
    return MarketBatch(feed=path, first_index=first_index, events=trades, lost=lost)


def live(skew_ms: int) -> FeedState:
    return FeedState(
        feed=ActorPath("feed"),
        phase=FeedPhase.LIVE,
        reason="",
        attempt=1,
        retry_in_ms=0,
        skew_ms=skew_ms,
        ts_ns=TimestampNs(0),
    )


def spans(gaps: list[FeedGap]) -> dict[Symbol, tuple[int, int]]:
    return {gap.symbol: (gap.ts_from_ns, gap.ts_to_ns) for gap in gaps}


@pytest.mark.parametrize(("is_recorded", "published"), [(True, []), (False, [GAP])])
def test_only_a_live_feeds_gap_is_published(
    driven: Callable[..., Driven], *, is_recorded: bool, published: list[FeedGap]
) -> None:
    runtime, connection = driven(), Connection()
    publisher = started(runtime, connection, is_recorded=is_recorded)

    publisher.tell(GAP)
    runtime.run_until_idle()

    assert connection.published == published


@pytest.mark.parametrize(("is_recorded", "published"), [(True, [END]), (False, [])])
def test_only_a_recordings_end_is_published(
    driven: Callable[..., Driven], *, is_recorded: bool, published: list[FeedEnded]
) -> None:
    """A live one ends with `--max-events`, and all bots ended with it."""
    runtime, connection = driven(), Connection()
    publisher = started(runtime, connection, is_recorded=is_recorded)

    publisher.tell(END)
    runtime.run_until_idle()

    assert connection.published == published


def test_what_fell_out_of_the_buffer_is_a_gap_of_each_symbol(
    driven: Callable[..., Driven],
) -> None:
    """From its last trade to its next; to now, at the exchange, where that is not known yet."""
    runtime, connection = driven(), Connection()
    publisher = started(runtime, connection, PublishedTrades((BTC, ETH, SOL), {SOL: 3}))
    publisher.tell(live(skew_ms=2))
    now_ns = runtime.clock.utc_ns() + 2_000_000

    publisher.tell(batch(0, trade(5), trade(6, ETH)))
    publisher.tell(batch(9, trade(30), trade(31), lost=7))
    runtime.run_until_idle()

    gaps = [one for one in connection.published if isinstance(one, FeedGap)]
    assert spans(gaps) == {BTC: (5, 30), ETH: (6, now_ns), SOL: (3, now_ns)}
    assert connection.places == [0, 1, 9, 9, 9, 9, 10]


def test_what_is_sent_again_while_it_is_under_way_is_not_lost(
    driven: Callable[..., Driven],
) -> None:
    """The feed's actor was restarted; its buffer has less of it than the way to the stream."""
    runtime, connection = driven(), Connection()
    publisher = started(runtime, connection, PublishedTrades((BTC,)))
    publisher.tell(batch(0, *(trade(at) for at in range(1, 9))))

    publisher.tell(batch(6, trade(7), trade(8), trade(9), lost=6))
    runtime.run_until_idle()

    assert connection.published == [trade(at) for at in range(1, 10)]


def test_what_was_under_way_as_the_publisher_ended_counts_as_lost() -> None:
    trades = PublishedTrades((BTC,))
    trades.sent([trade(1), trade(2)], 2)
    trades.stored(2)
    trades.sent([trade(3)], 3)

    trades.begin_anew()

    (gap,) = trades.gaps(batch(9, trade(30), lost=7), now_ns=50)
    assert (gap.ts_from_ns, gap.ts_to_ns) == (2, 30)


def test_a_gap_of_a_symbol_without_a_trade_begins_with_what_was_published_first() -> None:
    trades = PublishedTrades((BTC, ETH))
    trades.sent([trade(4)], 1)

    gaps = list(trades.gaps(batch(9, trade(30), lost=8), now_ns=50))

    assert spans(gaps) == {BTC: (4, 30), ETH: (4, 50)}
