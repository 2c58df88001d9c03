"""Decisions that the executor has no room for end under their keys, or their strategy knows."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors import outbox
from actors.cell import Cell
from actors.context import Context
from actors.strategy import Kept, StrategyActor
from decisions.strategy import new_memory
from messages.ids import AccountId, StrategyId
from messages.market import Trade
from messages.orders import CancelIntent, OrderIntent, OrderUpdate
from messages.values import OrderState as S
from messages.values import Side
from strategies.protocol import Decision, Strategy, market_order
from tests.actors.order_path import BTC, PATIENCE_NS, OrderPath, key_of
from tests.actors.stopped_path import AGE_NS


class Eager(Strategy):
    """Buys one at each trade, and writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[OrderUpdate] = []

    def on_trade(self, trade: Trade, position: Decimal) -> Sequence[Decision]:
        return [market_order(Side.BUY, Decimal(1), "eager")]

    def on_update(self, update: OrderUpdate) -> None:
        self.told.append(update)


class Crowded(OrderPath):
    """An executor that has not begun, with room for two messages, and a strategy that has."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, max_decision_age_ns=AGE_NS)
        self.cell.mailbox.capacity = 2
        self.eager = Eager()
        self.memory = Kept(new_memory(0))
        self.strategy: Cell = self.runtime.populate(
            "strategy",
            StrategyActor,
            {
                "build": lambda: self.eager,
                "kept": self.memory,
                "account": AccountId("main"),
                "strategy_id": StrategyId("one"),
                "symbol": BTC,
                "executor": self.address,
                "feeds": {},
            },
        )
        self.runtime.start(self.strategy)

    def trades(self, count: int) -> "Crowded":
        for _ in range(count):
            self.after(0.01)
            self.runtime.address("strategy").tell(self._trade())
            self.rest()
        return self

    def _trade(self) -> Trade:
        return Trade(
            symbol=BTC,
            price=Decimal(100),
            quantity=Decimal(1),
            aggressor_side=None,
            ts_event_ns=self.runtime.clock.utc_ns(),
        )

    def lost(self) -> int:
        return self.runtime.dead_letters.lost(self.cell.path)

    def states(self) -> list[S]:
        return [order.state for order in self.orders().values()]


@pytest.fixture
def crowded(tmp_path: Path) -> Crowded:
    return Crowded(tmp_path)


def test_what_finds_no_room_waits_and_is_sent_once_there_is(crowded: Crowded) -> None:
    """It was a dead letter, in no ledger, and its strategy took it for filled."""
    crowded.trades(5)
    assert "3 decisions wait for room" in crowded.strategy.problem

    crowded.start().after(1)

    assert crowded.states() == [S.SENT] * 5
    assert [one.key for one in crowded.gateway.sent] == sorted(crowded.orders())
    assert crowded.strategy.problem == ""
    assert crowded.lost() == 0


def test_what_has_waited_too_long_is_refused_under_its_key_and_told(crowded: Crowded) -> None:
    crowded.trades(5).after(60)

    crowded.start().after(1)

    assert crowded.states() == [S.REFUSED] * 5
    assert all(order.state_reason.startswith("stale") for order in crowded.orders().values())
    assert [update.state for update in crowded.eager.told] == [S.REFUSED] * 5


def test_a_strategy_that_begins_anew_hands_over_what_the_one_before_could_not(
    crowded: Crowded,
) -> None:
    crowded.trades(5)

    crowded.runtime.start(crowded.strategy)
    crowded.start().after(1)

    assert crowded.states() == [S.SENT] * 5


def test_more_than_can_wait_is_told_as_lost_to_people_and_to_the_strategy(
    crowded: Crowded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_WAITING", 2)

    crowded.trades(5)

    assert crowded.lost() == 1
    (update,) = crowded.eager.told
    assert (update.state, update.reason[:11]) == (S.REFUSED, "dead letter")


def test_what_is_one_too_many_overtakes_nothing(
    crowded: Crowded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room by then, and those before it have not been offered again."""
    monkeypatch.setattr(outbox, "MOST_WAITING", 2)
    crowded.trades(4)
    crowded.cell.mailbox.capacity = 100

    crowded.trades(1).start().after(1)

    assert crowded.states() == [S.SENT] * 4
    assert crowded.lost() == 1
    assert [update.reason[:11] for update in crowded.eager.told if update.reason] == ["dead letter"]


def test_the_end_of_an_order_that_waits_waits_behind_it_however_many_there_are(
    crowded: Crowded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a cancel that came before its order an executor that began anew knew nothing."""
    monkeypatch.setattr(outbox, "MOST_WAITING", 2)
    crowded.trades(4)
    assert crowded.strategy.life is not None
    actor = crowded.strategy.life.actor_ref._actor_weakref()
    assert isinstance(actor, StrategyActor)
    kept = actor._kept.waiting
    now_ns = crowded.runtime.clock.utc_ns()
    end = CancelIntent(
        order_key=key_of(9),
        cancels=kept[-1].order_key,
        strategy_id=StrategyId("one"),
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal(1),
        decided_at_ns=now_ns,
        ts_created_ns=now_ns,
        reason="",
    )

    assert actor._outbox is not None
    actor._outbox.send(end)

    assert kept[-1] is end


def test_in_an_orderly_end_all_is_handed_over(crowded: Crowded) -> None:
    crowded.trades(5)
    crowded.cell.mailbox.capacity = 100

    crowded.runtime.stop(crowded.strategy, PATIENCE_NS, drain=True)
    crowded.start()

    assert crowded.states() == [S.SENT] * 5


def test_what_finds_room_waits_for_nothing(crowded: Crowded) -> None:
    crowded.start().trades(3)

    assert crowded.states() == [S.SENT] * 3
    assert crowded.strategy.problem == ""


@pytest.mark.parametrize("at", range(3))
def test_who_is_given_up_while_it_hands_over_leaves_the_rest_to_the_next(
    crowded: Crowded, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Taken out first, what was not told by then was nowhere: no dead letter, in no ledger."""
    crowded.trades(5)
    crowded.cell.mailbox.capacity = 100
    life, tell, told = crowded.strategy.life, Context.tell, list[OrderIntent]()
    assert life is not None

    def fenced_after(ctx: Context, address: Any, message: Any) -> bool:
        if len(told) == at:
            crowded.runtime.fence(crowded.strategy)
        told.append(message)
        return tell(ctx, address, message)

    with monkeypatch.context() as patch:
        patch.setattr(Context, "tell", fenced_after)
        actor = life.actor_ref._actor_weakref()
        assert isinstance(actor, StrategyActor)
        actor.stopping()
    crowded.runtime.start(crowded.strategy)
    crowded.start().after(1)

    assert crowded.states() == [S.SENT] * 5
    assert crowded.lost() == 0
