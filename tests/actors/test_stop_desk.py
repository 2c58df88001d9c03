"""Stops on a live market: durable with their entry, one exit, whatever is unknown or dies."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from decisions.risk import RiskLimits
from messages.errors import LedgerLost
from messages.halting import ResumeTrading
from messages.ids import NS_PER_S, ActorPath, TimestampNs
from messages.lifecycle import HaltTrading
from messages.market import MarketBatch, Trade
from messages.stops import MarketShown, StopState
from messages.values import Instrument, Protection, Side
from messages.values import OrderState as S
from persistence.ledger import LedgerEntry, SqliteLedger
from tests.actors.order_path import BTC, Planted, key_of
from tests.actors.stopped_path import AGE_NS, AT_95, Stopped
from tests.actors.support import Lines

FEED = ActorPath("feeds/feed")


def batch_of(index: int) -> MarketBatch:
    one = Trade(
        symbol=BTC,
        price=Decimal(100),
        quantity=Decimal(1),
        aggressor_side=None,
        ts_event_ns=TimestampNs(index),
    )
    return MarketBatch(feed=FEED, first_index=index, events=(one,))


@pytest.fixture
def desk(tmp_path: Path) -> Stopped:
    made = Stopped(tmp_path, max_decision_age_ns=AGE_NS, limits=RiskLimits(allow_short=False))
    made.start()
    return made


def told(orders: list[LedgerEntry]) -> list[tuple[Side, str, S]]:
    return [(one.side, f"{one.quantity.normalize():f}", one.state) for one in orders]


def test_a_stop_is_durable_with_its_entry_and_none_is_with_a_refused_one(desk: Stopped) -> None:
    desk.tell(desk.intent(0, protection=AT_95), desk.intent(1, quantity=Decimal(0)))

    assert [*desk.stop_of] == [key_of(0)]
    assert (desk.only_stop.state, desk.only_stop.stop_loss) == (StopState.ARMED, Decimal(95))


def test_what_cannot_be_written_leaves_neither(tmp_path: Path) -> None:
    class Full(SqliteLedger):
        def _commit(self, writes: Any) -> None:
            # The stop is the last of the transaction: what went before it must not stay.
            assert writes[-1][0].startswith("INSERT INTO stops")
            super()._commit([*writes, ("INSERT INTO nowhere VALUES (1)", ())])

    full = Stopped(tmp_path, open_ledger=lambda: Full(tmp_path / "ledger.db"))
    full.start()
    full.tell(full.intent(0, protection=AT_95))

    assert (full.orders(), full.stop_of, full.gateway.sent) == ({}, {}, [])


def test_it_sells_what_is_filled_and_later_what_fills_later(desk: Stopped) -> None:
    desk.enter(filled="0.4", state=S.PARTIALLY_FILLED).price("94").answers(S.FILLED, "0.4")
    desk.price("99")
    desk.fills(0, "0.7")
    desk.price("101").price("102")

    assert told(desk.exits) == [(Side.SELL, "0.4", S.FILLED), (Side.SELL, "0.3", S.SENT)]
    assert desk.only_stop.exits == tuple(order.order_key for order in desk.exits)


def test_nothing_acts_before_something_is_filled(desk: Stopped) -> None:
    desk.enter(filled="0", state=S.ACCEPTED).price("94")

    assert desk.exits == []
    assert desk.only_stop.state is StopState.ARMED


def test_the_target_and_the_stop_are_one(desk: Stopped) -> None:
    desk.enter().price("121").answers(S.FILLED, "1").price("80").price("130")

    assert told(desk.exits) == [(Side.SELL, "1", S.FILLED)]
    assert (desk.only_stop.state, desk.only_stop.cause) == (StopState.DONE, "take_profit")


def test_while_an_exit_is_unknown_there_is_no_second(desk: Stopped) -> None:
    desk.enter().price("94").answers(S.UNKNOWN)
    desk.start()
    desk.price("90").price("80")

    assert told(desk.exits) == [(Side.SELL, "1", S.UNKNOWN)]
    assert len(desk.gateway.sent) == 2
    question = desk.gateway.asked[-1]
    desk.tell(desk.answer(question, None))
    assert told(desk.exits) == [(Side.SELL, "1", S.SENT)], "proved absent: the same exit again"
    assert desk.gateway.sent[-1].key == desk.gateway.sent[-2].key


def test_an_exit_that_failed_is_tried_again_after_a_minute_and_then_two(desk: Stopped) -> None:
    desk.enter().price("94").answers(S.REJECTED).price("93")
    assert told(desk.exits) == [(Side.SELL, "1", S.REJECTED)]
    assert "its exit failed 1 times" in desk.cell.problem

    desk.after(60).price("96").answers(S.REJECTED)
    desk.after(110).price("96")
    assert len(desk.exits) == 2
    desk.after(10).price("96").answers(S.FILLED, "1")

    assert [order.state for order in desk.exits] == [S.REJECTED, S.REJECTED, S.FILLED]
    assert desk.only_stop.state is StopState.DONE


def test_what_the_venue_takes_in_one_order_leaves_at_once_and_the_rest_after_it(
    desk: Stopped,
) -> None:
    """Rested into in parts, and more than a market order may be: it was rejected, for ever."""
    desk.kept.instruments[BTC] = Instrument(symbol=BTC, max_market_quantity=Decimal("0.4"))
    desk.enter()

    for quantity in ("0.4", "0.4", "0.2"):
        desk.price("94")
        assert desk.exits[-1].quantity == Decimal(quantity)
        assert desk.exits[-1].state is S.SENT
        assert desk.cell.problem == ""
        desk.answers(S.FILLED, quantity)

    assert desk.only_stop.state is StopState.DONE
    assert len(desk.exits) == 3


def test_while_a_part_is_on_its_way_no_other_is_sent(desk: Stopped) -> None:
    """It was, on the next price: and what it left was told a second time."""
    desk.kept.instruments[BTC] = Instrument(symbol=BTC, max_market_quantity=Decimal("0.4"))
    desk.enter()

    desk.price("94").price("93").price("92")

    assert told(desk.exits) == [(Side.SELL, "0.4", S.SENT)]


@pytest.mark.parametrize("state", [S.CANCELED, S.EXPIRED])
def test_a_part_that_the_venue_ended_has_failed_and_nothing_follows_it_at_once(
    desk: Stopped, state: S
) -> None:
    desk.kept.instruments[BTC] = Instrument(symbol=BTC, max_market_quantity=Decimal("0.4"))
    desk.enter().price("94")
    desk.answers(state, "0.1").price("93")

    assert told(desk.exits) == [(Side.SELL, "0.4", state)]
    assert "its exit failed 1 times" in desk.cell.problem
    desk.after(60).price("93")
    assert told(desk.exits)[1:] == [(Side.SELL, "0.4", S.SENT)]


def test_a_stop_that_acts_is_news_in_one_short_line(desk: Stopped, lines: Lines) -> None:
    desk.enter()

    desk.price("94")

    (acted,) = [line for line in lines if "a stop acted" in line[1]]
    assert acted == (
        "INFO",
        "a stop acted: sell 1 BTC/USDT for one: stop_loss at 95: the market was at 94",
    )


def test_what_acts_under_a_halt_is_kept_and_leaves_once_trading_is_resumed(desk: Stopped) -> None:
    desk.enter()
    desk.tell(HaltTrading(reason="a person", durable=True, request="1"))
    desk.price("94")

    assert (desk.exits, desk.only_stop.state) == ([], StopState.ACTED)
    desk.start()
    desk.price("97")
    assert desk.exits == []
    desk.tell(ResumeTrading(request="2", despite_open=True))
    desk.price("98")
    assert told(desk.exits) == [(Side.SELL, "1", S.SENT)]


def test_an_unknown_outcome_on_the_symbol_holds_no_exit_back(desk: Stopped) -> None:
    desk.enter().tell(desk.intent(1))
    desk.answers(S.UNKNOWN).price("94")

    assert told(desk.exits) == [(Side.SELL, "1", S.SENT)]


def test_a_price_that_was_passed_while_nobody_looked_acts_at_once_and_says_so(
    desk: Stopped, tmp_path: Path
) -> None:
    desk.enter().price("99").after(10)
    desk.stop()
    later = desk.runtime.clock.utc_ns() + 3_600 * NS_PER_S
    again = Stopped(
        tmp_path,
        max_decision_age_ns=AGE_NS,
        limits=RiskLimits(allow_short=False),
        start_ns=later,
    )
    again.start()
    again.price("80")

    (out,) = again.exits
    assert (out.quantity, out.reference_price) == (Decimal(1), Decimal(80))
    assert out.reason.startswith("stop_loss at 95: the market was at 80; nobody looked at it for")
    assert out.decided_at_ns > later


def test_a_trailing_stop_remembers_the_best_price_over_a_restart(tmp_path: Path) -> None:
    desk = Stopped(tmp_path, max_decision_age_ns=AGE_NS)
    desk.start()
    desk.tell(desk.intent(0, protection=Protection(trailing=Decimal(5))))
    desk.fills(0, "1", S.FILLED)
    desk.price("130").after(6)
    desk.start()
    desk.price("126")
    assert desk.exits == []
    desk.price("125")

    assert desk.exits[0].reason.startswith("trailing at 125: the market was at 125")


def test_the_strategys_own_exit_takes_its_quantity_from_the_stop(desk: Stopped) -> None:
    desk.enter()
    desk.tell(desk.intent(1, Side.SELL, quantity=Decimal("0.6"), leaves=Decimal("0.6")))
    desk.price("94")

    assert told(desk.exits) == [(Side.SELL, "0.4", S.SENT)]


def test_what_the_strategys_exit_did_not_sell_is_the_stops_again(desk: Stopped) -> None:
    desk.enter()
    desk.tell(desk.intent(1, Side.SELL, leaves=Decimal(1)))
    desk.price("94")
    assert desk.exits == []
    desk.tell(desk.submitted(1, S.REJECTED)).price("94")

    assert told(desk.exits) == [(Side.SELL, "1", S.SENT)]


def test_who_dies_between_the_trigger_and_the_claim_acts_once_after_all(tmp_path: Path) -> None:
    dies: list[str] = []

    class Dying(SqliteLedger):
        def _commit(self, writes: Any) -> None:
            if dies:
                raise Planted(dies.pop())
            super()._commit(writes)

    desk = Stopped(
        tmp_path, max_decision_age_ns=AGE_NS, open_ledger=lambda: Dying(tmp_path / "ledger.db")
    )
    desk.start()
    desk.enter()
    dies.append("between")
    desk.price("94")
    assert (desk.exits, desk.only_stop.state) == ([], StopState.ARMED)

    desk.start()
    desk.price("94").price("93")
    assert told(desk.exits) == [(Side.SELL, "1", S.SENT)]


def test_two_entries_are_left_each_by_its_own_exit(desk: Stopped) -> None:
    desk.enter(0).enter(1).price("94")

    assert told(desk.exits) == [(Side.SELL, "1", S.SENT)] * 2
    assert len({order.order_key for order in desk.exits}) == 2


def test_health_shows_what_is_kept(desk: Stopped) -> None:
    desk.enter().price("99")

    (shown,) = desk.actor.inspect()["stops"]
    assert (shown["entry_key"], shown["protects"], shown["acts_at"]) == (key_of(0), 1, 95)


def test_while_the_ledger_is_away_nothing_acts_and_once_it_is_back_it_does(
    tmp_path: Path,
) -> None:
    away: list[str] = []

    class Away(SqliteLedger):
        def _commit(self, writes: Any) -> None:
            if away:
                raise LedgerLost("the server is away")
            super()._commit(writes)

        def answers(self) -> bool:
            return not away

    desk = Stopped(
        tmp_path, max_decision_age_ns=AGE_NS, open_ledger=lambda: Away(tmp_path / "ledger.db")
    )
    desk.start()
    desk.enter()
    away.append("away")
    desk.price("94").price("93").price("92")
    assert (desk.exits, desk.only_stop.state) == ([], StopState.ARMED)

    away.clear()
    desk.after(2)
    desk.start()
    desk.price("91").price("90")
    assert told(desk.exits) == [(Side.SELL, "1", S.SENT)]


def test_a_batch_that_the_feed_sent_twice_is_acknowledged_and_looked_at_once(
    tmp_path: Path,
) -> None:
    """The word that the venue is done with it the second time is not one about the next batch."""
    desk = Stopped(tmp_path)
    desk.start()
    stops: Any = desk.actor._stops
    looked: list[Any] = []
    stops.look = looked.extend
    batches = [batch_of(0), batch_of(1)]
    done: list[int] = []

    def go_on(batch: MarketBatch, next_index: int, /, *, sent: bool) -> None:
        done.append(next_index)

    stops.show_later(batches[0])
    stops.show_later(batches[0])
    stops.shown(MarketShown(feed=FEED, next_index=1))
    stops.go_on(go_on)
    stops.show_later(batches[1])
    stops.shown(MarketShown(feed=FEED, next_index=1))
    stops.go_on(go_on)
    assert done == [1]
    stops.shown(MarketShown(feed=FEED, next_index=2))
    stops.go_on(go_on)
    stops.show_later(batches[1])
    stops.shown(MarketShown(feed=FEED, next_index=2))
    stops.go_on(go_on)

    assert done == [1, 2, 2]
    assert looked == [*batches[0].events, *batches[1].events]
