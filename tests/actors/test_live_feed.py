"""The live feed's actor: numbered batches, nothing doubled, what is lost is told, threads end."""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from loguru import logger

from actors.actor import Actor
from actors.children import ChildSpec, SupervisorSpec
from actors.live_feed import LiveFeedActor
from actors.live_memory import LiveKept, new_memory
from actors.supervisor import Supervisor
from actors.thread_runtime import ThreadRuntime
from decisions.supervisor import IMMEDIATE, Intensity
from exchanges.source import SourceStats, total
from messages.ids import NS_PER_S, ActorPath, Symbol, TimestampNs
from messages.lifecycle import ActorState, InjectCrash, InjectHang, Ping
from messages.market import (
    Candle,
    FeedEnded,
    FeedGap,
    FeedHistory,
    FeedPhase,
    FeedReport,
    FeedState,
    MarketAck,
    MarketBatch,
    Tick,
    Trade,
)

BTC, ETH, ONE = Symbol("BTC/USDT"), Symbol("ETH/USDT"), Decimal(1)
MINUTE_NS = 60 * NS_PER_S
LIMIT_S = 60.0
FEED = ActorPath("feed")


class Line:
    """A connection that tells what the test says, from a thread that is not the actor's."""

    def __init__(self) -> None:
        self.stats = SourceStats()
        self.since_ns: dict[Symbol, int] = {}
        self.closed = False
        self.place = self.begins = self.done = 0
        self.runs = threading.Event()
        self.tell: Callable[[Any], object] = lambda _: None

    def run(
        self, tell: Callable[[Any], object], since_ns: dict[Symbol, int], place: int = 0
    ) -> None:
        self.tell, self.since_ns, self.begins = tell, since_ns, place
        self.runs.set()

    def took(self, count: int) -> None:
        self.done = count

    def close(self, limit_s: float) -> bool:
        self.closed = True
        return limit_s >= 0


class Notebook(Actor):
    """A follower, or Metrics: writes down what it gets and acknowledges batches."""

    def __init__(self, *, notes: "Notes", feed: Any = None, acks: bool = True) -> None:
        super().__init__()
        self.notes, self.feed, self.acks = notes, feed, acks

    def receive(self, message: Any) -> None:
        self.notes.add(message)
        if isinstance(message, MarketBatch) and self.notes.acks:
            stop = message.first_index + len(message.events)
            self.ctx.tell(self.feed, MarketAck(follower=self.ctx.path, next_index=stop))


class Notes:
    def __init__(self) -> None:
        self.acks = True
        self.all: list[Any] = []
        self._news = threading.Condition()

    def add(self, message: Any) -> None:
        with self._news:
            self.all.append(message)
            self._news.notify_all()

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.all if isinstance(one, kind)]

    def until(self, is_so: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(is_so, LIMIT_S), self.all

    def events(self) -> list[Candle]:
        return [event for batch in self.of(MarketBatch) for event in batch.events]

    def until_events(self, count: int) -> list[Candle]:
        self.until(lambda: len(self.events()) >= count)
        return self.events()


class Desk:
    """One feed with one follower and a stand-in for Metrics, on threads."""

    def __init__(self, capacity: int = 100, **changes: Any) -> None:
        self.runtime = ThreadRuntime()
        self.lines: list[Line] = []
        self._made = threading.Condition()
        self.seen, self.told = Notes(), Notes()
        self.feed = self.runtime.address(FEED)
        follower = self.runtime.address(ActorPath("follower"))
        metrics = self.runtime.address(ActorPath("metrics"))
        arguments: dict[str, Any] = {
            "connect": self._connect,
            "followers": [follower],
            "kept": LiveKept(new_memory([follower.path], capacity)),
            "metrics": metrics,
            "max_age_ns": 5 * NS_PER_S,
        } | changes
        tree = SupervisorSpec(
            children=(
                ChildSpec(name="metrics", actor_class=Notebook, arguments={"notes": self.told}),
                ChildSpec(
                    name="follower",
                    actor_class=Notebook,
                    arguments={"notes": self.seen, "feed": self.feed},
                ),
                ChildSpec(
                    name="feed",
                    actor_class=LiveFeedActor,
                    arguments=arguments,
                    hang_after_ms=300,
                ),
            ),
            intensity=Intensity(max_restarts=100, window_s=60),
            backoff=IMMEDIATE,
        )
        self.root = self.runtime.populate("root", Supervisor, {"spec": tree})
        assert not self.runtime.start(self.root, 20 * NS_PER_S).problem

    def _connect(self) -> Any:
        with self._made:
            self.lines.append(Line())
            self._made.notify_all()
            return self.lines[-1]

    def line(self, number: int = 1) -> Line:
        """Give the connection of the n-th incarnation, once it runs."""
        with self._made:
            assert self._made.wait_for(lambda: len(self.lines) >= number, LIMIT_S)
        line = self.lines[number - 1]
        assert line.runs.wait(LIMIT_S)
        return line

    def now_candle(self, number: int, age_s: float = 0) -> Candle:
        """Make a candle that has just closed; a later number is a nanosecond later."""
        at_ns = self.runtime.clock.utc_ns() - int(age_s * NS_PER_S) + number
        one = Decimal(number + 1)
        return Candle(
            symbol=BTC,
            open=one,
            high=one,
            low=one,
            close=one,
            volume=one,
            ts_open_ns=TimestampNs(at_ns - MINUTE_NS),
            ts_event_ns=TimestampNs(at_ns),
        )

    def state(self, phase: FeedPhase, reason: str = "", **changes: Any) -> FeedState:
        values: dict[str, Any] = {"attempt": 1, "retry_in_ms": 0, "skew_ms": 0} | changes
        return FeedState(feed=FEED, phase=phase, reason=reason, ts_ns=TimestampNs(0), **values)

    def stop(self) -> None:
        self.runtime.stop(self.root, 20 * NS_PER_S)


@pytest.fixture
def open_desk() -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(**changes: Any) -> Desk:
        desks.append(Desk(**changes))
        return desks[-1]

    yield make
    for desk in desks:
        desk.stop()


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    said: list[str] = []
    sink = logger.add(lambda line: said.append(str(line)), level="WARNING")
    yield said
    logger.remove(sink)


def test_events_come_numbered_and_history_decides_nothing(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    past, present = [desk.now_candle(0), desk.now_candle(1)], desk.now_candle(2)

    desk.line().tell(FeedHistory(symbol=BTC, candles=tuple(past)))
    desk.line().tell(present)

    assert desk.seen.until_events(3) == [*past, present]
    batches = desk.seen.of(MarketBatch)
    assert [(b.first_index, b.is_history, b.lost) for b in batches] == [
        (0, True, 0),
        (2, False, 0),
    ]


def test_the_histories_of_several_symbols_are_one_market_in_the_order_of_time(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    bitcoins = [desk.now_candle(number) for number in (0, 1, 2)]
    ethers = [msgspec.structs.replace(one, symbol=ETH) for one in bitcoins]

    desk.line().tell(FeedHistory(symbol=BTC, candles=tuple(bitcoins)))
    desk.line().tell(FeedHistory(symbol=ETH, candles=tuple(ethers)))
    desk.line().tell(desk.state(FeedPhase.LIVE))

    told = desk.seen.until_events(6)
    assert told == [one for pair in zip(bitcoins, ethers, strict=True) for one in pair]
    assert all(batch.is_history for batch in desk.seen.of(MarketBatch))


def test_a_history_that_a_restart_falls_into_is_handed_on_by_the_next_one(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    past = desk.now_candle(0)
    desk.line(1).tell(FeedHistory(symbol=BTC, candles=(past,)))
    desk.line(1).tell(desk.state(FeedPhase.STOPPED, "KeyError: 'BNB'"))

    desk.line(2).tell(desk.state(FeedPhase.LIVE))

    assert desk.seen.until_events(1) == [past]
    assert desk.seen.of(MarketBatch)[0].is_history


def test_the_history_of_a_symbol_that_begins_late_waits_for_nothing(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    desk.line().tell(desk.state(FeedPhase.LIVE))

    desk.line().tell(FeedHistory(symbol=BTC, candles=(desk.now_candle(0),)))

    assert len(desk.seen.until_events(1)) == 1


def test_a_candle_that_comes_too_late_to_act_on_is_history(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()

    desk.line().tell(desk.now_candle(0, age_s=6))
    desk.line().tell(desk.now_candle(1, age_s=1))

    desk.seen.until_events(2)
    assert [b.is_history for b in desk.seen.of(MarketBatch)] == [True, False]


def test_age_is_measured_on_the_exchanges_clock(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()

    desk.line().tell(desk.state(FeedPhase.LIVE, skew_ms=-60_000))
    desk.line().tell(desk.now_candle(0, age_s=62))

    desk.seen.until_events(1)
    assert not desk.seen.of(MarketBatch)[0].is_history


def test_ticks_go_to_every_follower_as_they_are(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    tick = Tick(
        symbol=BTC,
        bid_price=Decimal(1),
        ask_price=Decimal(2),
        ts_event_ns=TimestampNs(1),
        ts_received_ns=TimestampNs(2),
    )

    desk.line().tell(tick)

    desk.seen.until(lambda: desk.seen.of(Tick) == [tick])


def test_while_the_market_is_not_live_health_says_why(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    state = desk.state(FeedPhase.BACKOFF, "the wire is cut", retry_in_ms=4_000, attempt=2)

    desk.line().tell(state)
    desk.told.until(lambda: state in desk.told.of(FeedState))
    desk.runtime.ask(desk.feed, Ping())
    cell = desk.feed.cell
    assert (cell.state, cell.problem) == (
        ActorState.BACKOFF,
        "the wire is cut; attempt 3 in 4.0 s",
    )

    desk.line().tell(desk.state(FeedPhase.LIVE))
    desk.told.until(lambda: len(desk.told.of(FeedState)) == 2)
    desk.runtime.ask(desk.feed, Ping())
    assert (cell.state, cell.problem) == (ActorState.RUNNING, "")


@pytest.mark.parametrize("blow", [InjectCrash(reason="a test"), InjectHang(reason="a test")])
def test_a_new_incarnation_goes_on_and_the_old_connection_is_void(
    blow: Any, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk()
    first, second = desk.now_candle(0), desk.now_candle(1)
    desk.line(1).tell(first)
    desk.seen.until_events(1)

    desk.feed.tell(blow)
    line = desk.line(2)
    desk.line(1).tell(desk.now_candle(9))
    line.tell(second)

    assert desk.seen.until_events(2) == [first, second]
    assert desk.lines[0].closed
    assert line.since_ns == {BTC: first.ts_event_ns}
    assert [b.first_index for b in desk.seen.of(MarketBatch)] == [0, 1]


def test_a_follower_that_restarts_is_sent_again_what_it_had_not_finished(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    candles = [desk.now_candle(n) for n in range(3)]
    desk.line().tell(candles[0])
    desk.seen.until_events(1)
    desk.seen.acks = False
    for candle in candles[1:]:
        desk.line().tell(candle)
    desk.seen.until_events(3)

    desk.seen.acks = True
    desk.runtime.address(ActorPath("follower")).tell(InjectCrash(reason="a test"))

    again = desk.seen.until_events(5)[3:]
    assert again == candles[1:]


def test_what_fell_out_of_the_buffer_is_told_and_never_passed_over_in_silence(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(capacity=4)
    desk.seen.acks = False
    candles = [desk.now_candle(n) for n in range(10)]
    for candle in candles:
        desk.line().tell(candle)
    desk.seen.until_events(10)

    desk.runtime.ask(desk.feed, Ping())
    desk.seen.acks = True
    desk.runtime.address(ActorPath("follower")).tell(InjectCrash(reason="a test"))

    desk.seen.until(lambda: any(b.lost for b in desk.seen.of(MarketBatch)))
    batch = next(b for b in desk.seen.of(MarketBatch) if b.lost)
    assert (batch.first_index, batch.lost) == (6, 6)
    assert desk.seen.until_events(1)[-1] == candles[-1]
    desk.told.until(lambda: bool(desk.told.of(FeedGap)))
    assert desk.told.of(FeedGap)[0].missing == 6


def trade_at(ns: int) -> Trade:
    at_ns = TimestampNs(ns)
    return Trade(symbol=BTC, price=ONE, quantity=ONE, aggressor_side=None, ts_event_ns=at_ns)


def test_trades_between_two_connections_are_a_gap_that_is_told_and_counted(
    open_desk: Callable[..., Desk], warnings: list[str]
) -> None:
    desk = open_desk()
    now_ns = desk.runtime.clock.utc_ns()
    desk.line(1).tell(trade_at(now_ns - 9 * NS_PER_S))
    desk.line(1).tell(trade_at(now_ns - 8 * NS_PER_S))
    desk.seen.until_events(2)
    assert desk.told.of(FeedGap) == []

    desk.feed.tell(InjectCrash(reason="a test"))
    for age_s in (2, 1):
        desk.line(2).tell(trade_at(now_ns - age_s * NS_PER_S))

    desk.seen.until_events(4)
    desk.told.until(lambda: bool(desk.told.of(FeedGap)))
    (gap,) = desk.told.of(FeedGap)
    assert (now_ns - gap.ts_from_ns, now_ns - gap.ts_to_ns) == (8 * NS_PER_S, 2 * NS_PER_S)
    assert gap.missing == 0, "nobody knows how many"
    desk.told.until(lambda: [one.gaps for one in desk.told.of(FeedReport)][-1:] == [1])
    assert "BTC/USDT: trades are missing over 6.0 s of the market" in " ".join(warnings)


def test_where_a_connection_goes_on_from_its_place_no_trade_is_missing(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    desk.line(1).place = 7
    desk.line(1).tell(trade_at(1 * NS_PER_S))
    desk.seen.until_events(1)

    desk.feed.tell(InjectCrash(reason="a test"))
    desk.line(2).tell(trade_at(9 * NS_PER_S))

    desk.seen.until_events(2)
    desk.runtime.ask(desk.feed, Ping())
    assert desk.told.of(FeedGap) == []


def test_a_connection_that_ends_by_a_fault_is_made_anew(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()

    desk.line(1).tell(desk.state(FeedPhase.STOPPED, "KeyError: 'BNB'"))
    desk.line(2).tell(desk.now_candle(0))

    desk.seen.until_events(1)
    assert desk.feed.cell.last_error == "FeedLost: KeyError: 'BNB'"


def test_after_so_many_events_it_ends_and_history_does_not_count(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(max_events=2)
    desk.line().tell(FeedHistory(symbol=BTC, candles=(desk.now_candle(0),)))
    for number in (1, 2, 3):
        desk.line().tell(desk.now_candle(number))

    desk.told.until(lambda: bool(desk.told.of(FeedEnded)))
    assert len(desk.seen.until_events(3)) == 3
    desk.stop()
    assert desk.lines[0].closed


def test_an_orderly_stop_closes_the_connection(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    line = desk.line()

    desk.stop()

    assert line.closed


def test_what_connections_have_counted_is_summed_up_and_not_kept_one_by_one() -> None:
    kept = LiveKept(new_memory([FEED], 10))
    for _ in range(50):
        line = Line()
        kept.replace(line)  # type: ignore[arg-type]  # it stands in for a feed
        line.stats.duplicate += 1
        line.stats.gaps += 2

    summed = total(kept.stats)
    assert (summed.duplicate, summed.gaps) == (50, 100)
    assert len(kept.stats) == 3
