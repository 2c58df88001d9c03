"""Who was given up while it began, or in the middle of telling, and goes on: nothing is lost."""

import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest

from actors.context import Context
from actors.live_feed import LiveFeedActor
from actors.live_memory import LiveKept
from actors.live_memory import new_memory as new_live_memory
from actors.strategy import Kept, StrategyActor
from actors.thread_runtime import ThreadRuntime
from decisions.strategy import new_memory
from messages.errors import ActorUnavailable
from messages.ids import NS_PER_MS, NS_PER_S, AccountId, Epoch, OrderKey, StrategyId
from messages.market import Tick
from messages.orders import SubmitDone
from messages.stops import StopActed
from messages.values import OrderState as S
from messages.values import Side
from persistence.ledger import LedgerEntry, SqliteLedger
from strategies.protocol import Decision, Strategy, market_order
from tests.actors.exit_path import answer_of, answer_one, leave, path, sold, with_most
from tests.actors.live_feed.desk import Line
from tests.actors.order_path import BTC, OrderPath, key_of
from tests.actors.stopped_path import AGE_NS, Stopped
from tests.waiting import until


class Slow(OrderPath):
    """Its third executor takes long to open the ledger, and meets something meanwhile."""

    def __init__(self, folder: Path, meanwhile: Callable[["Slow"], object]) -> None:
        self.opened, self.meanwhile = 0, meanwhile
        super().__init__(folder, open_ledger=lambda: self._open(folder))

    def _open(self, folder: Path) -> SqliteLedger:
        self.opened += 1
        if self.opened == 3:
            self.runtime.fence(self.cell)
            self.meanwhile(self)
        return SqliteLedger(folder / "ledger.db")


@pytest.mark.parametrize("successor_runs", [False, True])
def test_an_executor_that_comes_back_from_a_slow_start_leaves_all_to_its_successor(
    tmp_path: Path, successor_runs: bool
) -> None:
    """It took its successor's hold: each later decision was dropped, in no ledger, untold."""
    desk = Slow(tmp_path, lambda it: it.runtime.start(it.cell) if successor_runs else None).start()
    desk.tell(desk.intent(1))  # its outcome is unknown to the next one
    desk.start()
    desk.tell(desk.intent(2), desk.intent(3))  # they wait until that is settled

    desk.runtime.start(desk.cell)
    desk.rest()
    if not successor_runs:
        desk.start()
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(1, S.ACCEPTED)))
    desk.after(3)
    desk.tell(*map(desk.intent, (4, 5, 6)))
    desk.after(3)

    assert [desk.sends(number) for number in range(1, 7)] == [1] * 6
    assert [key_of(number) in desk.orders() for number in range(1, 7)] == [True] * 6


def strategy_of(desk: OrderPath, build: Callable[[], Strategy], kept: Kept) -> Any:
    arguments = {
        "build": build,
        "kept": kept,
        "account": AccountId("main"),
        "strategy_id": StrategyId("one"),
        "symbol": BTC,
        "executor": desk.address,
        "feeds": {},
    }
    cell = desk.runtime.populate("strategy", StrategyActor, arguments)
    desk.runtime.start(cell)
    return cell


@pytest.mark.parametrize("kind", ["plain", "wide", "managing"])
def test_a_decision_on_a_tick_of_a_strategy_that_was_given_up_over_it_is_its_successors(
    tmp_path: Path, kind: str
) -> None:
    """It was counted and never sent: an exit decided so would have stayed held."""
    manages = kind == "managing"
    managed = [StrategyId("one")] if manages else []
    desk = OrderPath(tmp_path, max_decision_age_ns=AGE_NS, managed=managed).start()
    kept, hangs = Kept(new_memory(0, manages_orders=manages)), [True]

    class Once(Strategy):
        timer_s = 3_600 if kind == "wide" else 0
        manages_orders = manages

        def on_tick(self, tick: Tick, position: Decimal) -> Sequence[Decision]:
            if hangs:
                hangs.clear()
                desk.runtime.fence(cell)
                return [market_order(Side.BUY, Decimal(1), "once")]
            return []

    cell = strategy_of(desk, Once, kept)
    now_ns = desk.runtime.clock.utc_ns()
    tick = Tick(
        symbol=BTC,
        bid_price=Decimal(99),
        ask_price=Decimal(101),
        ts_event_ns=now_ns,
        ts_received_ns=now_ns,
    )
    desk.runtime.address("strategy").tell(tick)
    desk.rest()
    desk.runtime.start(cell)
    desk.after(1)

    assert (len(desk.orders()), len(desk.gateway.sent)) == (1, 1)
    if kept.memory.managed is None:
        assert kept.memory.position == 1
    else:  # one that manages its orders counts what has filled
        assert list(kept.memory.managed.open) == list(desk.orders())


@pytest.mark.parametrize("is_late", [False, True])
def test_what_a_stop_did_is_told_though_the_executor_is_given_up_in_the_middle_of_telling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    """Marked as told first, it was told by nobody: the strategy held for ever what was sold."""
    desk = Stopped(tmp_path, max_decision_age_ns=AGE_NS).start()
    kept, tell = Kept(new_memory(0)), Context.tell
    kept.memory.position = Decimal(1)
    cell = strategy_of(desk, Strategy, kept)
    desk.price("100")
    desk.enter(0)

    def fenced(ctx: Context, address: Any, message: Any) -> bool:
        if isinstance(message, StopActed) and not ctx.fenced:
            desk.runtime.fence(desk.cell)
        return tell(ctx, address, message)

    if is_late:
        desk.runtime.fence(cell)
        desk.runtime.close(cell, "halted")
        desk.price("90")
        desk.runtime.start(cell)  # a person revives it
    with monkeypatch.context() as patch:
        patch.setattr(Context, "tell", fenced)
        desk.price("90")
    desk.start()
    desk.price("89")
    desk.after(10)

    assert len(desk.exits) == 1
    assert kept.memory.position == 0


def test_what_follows_an_exit_is_sold_though_the_executor_is_given_up_between_two(
    tmp_path: Path,
) -> None:
    """The abandoned one went on to the next, which nobody took for still to be sold."""
    desk = path(tmp_path)
    with_most(desk, "0.4")
    for number in (0, 5):
        desk.tell(desk.intent(number, quantity=Decimal(1)))
        desk.fills(number, "1", S.FILLED)
    leave(desk, 1)
    leave(desk, 2)
    exits = [one for one in desk.gateway.sent if desk.orders()[one.key].side is Side.SELL]
    submit, left = desk.gateway.submit, [True]

    def given_up(*order: Any, **more: Any) -> None:
        submit(*order, **more)
        if left:
            left.clear()
            desk.runtime.fence(desk.cell)
            desk.runtime.start(desk.cell)

    desk.gateway.submit = given_up  # type: ignore[method-assign]  # planted
    done = [answer_of(desk, one.key, S.FILLED, "0.4") for one in exits]
    desk.tell(
        *(
            SubmitDone(order_key=one.key, epoch=one.epoch, report=report)
            for one, report in zip(exits, done, strict=True)
        )
    )
    desk.rest()
    while open_ones := [
        one
        for one in {sent.key: sent for sent in desk.gateway.sent}.values()
        if desk.orders()[one.key].side is Side.SELL and desk.orders()[one.key].state is not S.FILLED
    ]:
        for one in open_ones:
            report = answer_of(desk, one.key, S.FILLED, f"{desk.orders()[one.key].quantity}")
            asked = [q for q in desk.gateway.asked if q.key == one.key]
            said = SubmitDone(order_key=one.key, epoch=desk.cell.epoch, report=report)
            desk.tell(desk.answer(asked[-1], report) if asked else said)
            desk.after(1)

    assert sum(Decimal(quantity) for quantity, _ in sold(desk)) == 2


class Asked(SqliteLedger):
    """Its answer to the question of an exit takes long, once, and meets something meanwhile."""

    about: ClassVar[list[OrderKey]] = []
    meanwhile: ClassVar[list[Callable[[], object]]] = []

    def lookup(self, keys: Sequence[OrderKey]) -> dict[OrderKey, LedgerEntry]:
        found = super().lookup(keys)
        if self.meanwhile and set(self.about) & set(keys):
            self.meanwhile.pop()()
        return found


def test_an_executor_that_comes_back_with_an_old_answer_takes_nothing_from_its_successor(
    tmp_path: Path,
) -> None:
    """By that answer the further order was not there: it followed once more."""
    desk = path(tmp_path, open_ledger=lambda: Asked(tmp_path / "ledger.db"))
    with_most(desk, "0.4")
    desk.tell(desk.intent(0, quantity=Decimal(1)))
    desk.fills(0, "1", S.FILLED)
    leave(desk, 1)

    def goes_on() -> None:
        desk.runtime.fence(desk.cell)
        desk.start()
        desk.tell(desk.answer(desk.gateway.asked[-1], answer_of(desk, key_of(1), S.FILLED, "0.4")))

    Asked.about, Asked.meanwhile = [key_of(1)], [goes_on]
    desk.runtime.start(desk.cell)
    desk.rest()
    desk.tell(desk.intent(2, quantity=Decimal(5)))
    desk.fills(2, "5", S.FILLED)
    desk.after(1)
    while answer_one(desk, Random(0), fails=False):
        desk.after(1)

    assert sum(Decimal(quantity) for quantity, _ in sold(desk)) == 1


def test_who_is_given_up_writes_nothing_though_nobody_has_taken_over_yet(tmp_path: Path) -> None:
    desk = path(tmp_path, open_ledger=lambda: Asked(tmp_path / "ledger.db"))
    Asked.about, Asked.meanwhile = [key_of(0)], [lambda: desk.runtime.fence(desk.cell)]

    desk.tell(desk.intent(0))

    assert (desk.orders(), desk.sends(0)) == ({}, 0)


def test_a_feed_that_comes_back_from_a_slow_connection_leaves_its_successors_open() -> None:
    """It closed that, and no event came any more: nothing restarts what ended by our own hand."""
    runtime, lines, gate = ThreadRuntime(), list[Line](), threading.Event()
    follower, metrics = runtime.address("follower"), runtime.address("metrics")

    def connect() -> Line:
        line = Line()
        lines.append(line)
        if line is lines[0]:
            gate.wait(20)
        return line

    arguments = {
        "connect": connect,
        "followers": [follower],
        "kept": LiveKept(new_live_memory([follower.path], 100)),
        "metrics": metrics,
        "max_age_ns": None,
    }
    cell = runtime.populate("feed", LiveFeedActor, arguments)
    runtime.start(cell, 50 * NS_PER_MS)
    late = cell.zombies
    runtime.start(cell)
    gate.set()
    until(lambda: not any(one.runs_on for one in late))

    assert not lines[1].closed
    runtime.stop(cell, NS_PER_S)


def test_an_executor_that_was_replaced_while_it_waited_takes_nothing_over(tmp_path: Path) -> None:
    gateway = OrderPath(tmp_path).gateway
    gateway.take_over(Epoch(2))

    with pytest.raises(ActorUnavailable, match="executor 1 was replaced by 2"):
        gateway.take_over(Epoch(1))
    with gateway.holding(Epoch(2)):
        pass
