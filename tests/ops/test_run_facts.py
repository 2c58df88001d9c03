"""What is counted of a run that no cell knows: open orders over processes, ages by symbol."""

from decimal import Decimal

from msgspec.structs import replace

from decisions.why_no_trade import LastOrder
from messages.ids import NS_PER_S, ActorPath, OrderKey, StrategyId, Symbol, TimestampNs
from messages.market import FeedGap, FeedPhase, FeedState
from messages.orders import OrderUpdate, PriceMark
from messages.values import OrderState
from ops.health_text import _market_link, render
from ops.run_facts import RunFacts
from tests.decisions.test_dropped_rows import report
from tests.decisions.test_recording_gaps import gap
from tests.ops.test_order_log import KEY, update


def test_open_orders_are_those_of_processes_before_and_of_this_one() -> None:
    facts = RunFacts(lambda: 0)
    facts.begin_with([KEY, OrderKey("1" * 32)])
    assert facts.open_orders() == 2

    facts.observe(update(OrderState.ACCEPTED))
    assert facts.open_orders() == 2, "it was there already"

    facts.observe(update(OrderState.FILLED))
    assert facts.open_orders() == 1


def decided(key: str, state: OrderState, claim_latency_ns: int | None = None) -> OrderUpdate:
    told = update(state, key)
    return replace(told, order_key=OrderKey(key), claim_latency_ns=claim_latency_ns)


def test_decisions_of_one_moment_are_counted_each_and_the_last_is_the_last() -> None:
    """Their keys differ in a hash alone, which says nothing of which came first."""
    facts, strategy = RunFacts(lambda: 0), StrategyId("a")
    out, again = "0" * 12 + "f" * 20, "0" * 12 + "1" * 20
    facts.observe(decided(out, OrderState.CLAIMED, 5))
    facts.observe(decided(again, OrderState.REFUSED, 5))
    facts.observe(decided(out, OrderState.FILLED))

    count, last = facts.last_of(strategy)

    assert count == 2
    assert last == LastOrder(OrderState.REFUSED, again, 0.0)


def test_an_order_that_a_process_before_left_open_is_no_decision_of_this_one() -> None:
    facts = RunFacts(lambda: 0)
    facts.observe(update(OrderState.FILLED))

    count, last = facts.last_of(StrategyId("a"))

    assert count == 0
    assert last == LastOrder(OrderState.FILLED, "", 0.0)


def test_a_live_feed_tells_how_many_holes_its_market_has() -> None:
    facts, feed = RunFacts(lambda: 0), ActorPath("feeds/feed:ccxt")
    at_ns = TimestampNs(1)
    facts.observe(
        FeedState(
            feed=feed,
            phase=FeedPhase.LIVE,
            reason="",
            attempt=1,
            retry_in_ms=0,
            skew_ms=None,
            ts_ns=at_ns,
        )
    )
    assert facts.link()[feed]["gaps"] == 0
    hole = FeedGap(
        feed=feed, symbol=Symbol("BTC/USDT"), ts_from_ns=at_ns, ts_to_ns=TimestampNs(9), missing=0
    )
    facts.observe(hole)

    assert facts.link()[feed]["gaps"] == 1
    (line,) = _market_link({"link": facts.link()})
    assert line == "link     feeds/feed:ccxt live for 0.0s, gaps since the start: 1"


def test_what_a_recording_could_not_use_is_known_and_shown() -> None:
    facts, feed = RunFacts(lambda: 0), ActorPath("feeds/feed:replay")
    facts.observe(report())
    assert facts.dropped() == {}

    facts.observe(report(malformed=2, problems=("a.csv:3: bad",)))

    assert facts.dropped()[feed] == {
        "malformed": 2,
        "duplicate": 0,
        "out_of_order": 0,
        "cut_off": [],
        "first": ["a.csv:3: bad"],
    }
    assert (
        "dropped  feeds/feed:replay 2 rows were not used (2 malformed), the first at a.csv:3"
        in (render({"dropped": facts.dropped()}))
    )


def test_the_gaps_of_a_recording_are_known_and_shown() -> None:
    facts, feed = RunFacts(lambda: 0), ActorPath("feeds/feed:replay")
    facts.observe(report())
    assert facts.gaps() == {}

    facts.observe(gap(3))

    first = {"symbol": "BTC/USDT", "place": "a.csv:3", "missing": 2, "lasted_s": 120.0}
    assert facts.gaps()[feed] == {"gaps": 3, "missing": 7, "first": [first]}
    assert (
        "gaps     feeds/feed:replay 3 gaps between rows, 7 missing, the first: BTC/USDT before"
        " a.csv:3 (2m00s, 2 missing)"
    ) in render({"gaps": facts.gaps()})


def test_each_symbol_has_an_age_of_its_own() -> None:
    now_s = [0.0]
    facts = RunFacts(lambda: int(now_s[0] * NS_PER_S))

    def shown(symbol: str) -> None:
        facts.observe(
            PriceMark(symbol=Symbol(symbol), price=Decimal(1), ts_event_ns=TimestampNs(1))
        )

    shown("BTC/USDT")
    now_s[0] = 40.0
    shown("ETH/USDT")
    now_s[0] = 41.0

    assert facts.market_age_s() == {"BTC/USDT": 41.0, "ETH/USDT": 1.0}
    assert facts.market_at_ns("BTC/USDT") == 1
    assert facts.market_at_ns("SOL/USDT") is None
