"""Entries and exits that overlap, in any order of events, over commits that fail and new starts."""

from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import settings

from decisions.following_exits import rest_of
from messages.ids import OrderKey
from messages.lifecycle import ActorState
from messages.order_states import FINAL_STATES
from messages.values import OrderState as S
from messages.values import Side
from persistence.ledger import LedgerEntry
from tests.actors.exit_path import MARGIN, SPOT, Failing, answer_of, leave, path, with_most
from tests.actors.order_path import key_of
from tests.actors.stopped_path import Stopped

MOST_ENTRIES = 4
SEEDS = settings().max_examples // 5
"""Each takes half a second, and hundreds are tried by `tox -e stress`."""


class Trader:
    """A strategy that is in or out, and its venue, which knows what became of each order."""

    def __init__(self, folder: Path, chance: Random) -> None:
        self.chance, self.number, self.is_in = chance, 0, False
        self.folder, self.limits = folder, chance.choice([SPOT, MARGIN])
        self.most = chance.choice(["0.3", "10"])
        self.sent_before: list[OrderKey] = []
        """By processes that were killed."""
        self.desk = self.process()
        self.exits: list[int] = []
        self.bought: dict[int, Decimal] = {}
        self.truth: dict[OrderKey, tuple[S, Decimal]] = {}

    def process(self) -> Stopped:
        where = self.folder / "ledger.db"
        desk = path(self.folder, self.limits, open_ledger=lambda: Failing(where))
        with_most(desk, self.most)
        return desk

    @property
    def sent(self) -> list[OrderKey]:
        return [*self.sent_before, *(call.key for call in self.desk.gateway.sent)]

    def decide(self, quantity: str = "1") -> None:
        if self.is_in:
            self.exits.append(self.number)
            leave(self.desk, self.number, quantity)
        elif len(self.bought) < MOST_ENTRIES:
            self.desk.tell(self.desk.intent(self.number))
            self.bought[self.number] = Decimal(0)
        self.is_in = self.number in self.bought
        self.number += 1

    def open_entries(self) -> list[int]:
        told = ((one, self.truth.get(key_of(one))) for one in self.bought)
        return [one for one, then in told if then is None or then[0] not in FINAL_STATES]

    def fill_some(self) -> None:
        if not (entries := self.open_entries()):
            return
        entry = self.chance.choice(entries)
        more = Decimal(self.chance.randint(1, 6)) / 10
        filled = self.bought[entry] = min(self.bought[entry] + more, Decimal(1))
        is_last = self.chance.random() < 0.15
        state = S.FILLED if filled == 1 else S.CANCELED if is_last else S.PARTIALLY_FILLED
        self.say(key_of(entry), state, filled)

    def answer_exit(self) -> bool:
        orders = self.desk.orders()
        for key in self.sent:
            if orders[key].side is Side.SELL and key not in self.truth:
                self.say(key, S.FILLED, orders[key].quantity)
                return True
        return False

    def say(self, key: OrderKey, state: S, filled: Decimal) -> None:
        self.truth[key] = state, filled
        self.desk.tell(answer_of(self.desk, key, state, f"{filled}"))
        while self.desk.cell.state not in {ActorState.RUNNING, ActorState.RECONCILING}:
            self.begin_anew()

    def begin_anew(self) -> None:
        seen = len(self.desk.gateway.asked)
        self.desk.start()
        self.settle(seen)

    def settle(self, seen: int) -> None:
        desk = self.desk
        for asked in desk.gateway.asked[seen:]:
            state, filled = self.truth.get(asked.key, (S.ACCEPTED, Decimal(0)))
            is_there = asked.key in self.sent
            report = answer_of(desk, asked.key, state, f"{filled}") if is_there else None
            desk.tell(desk.answer(asked, report))

    def die(self) -> None:
        """The process is killed; the next one's strategy begins with what it holds."""
        self.sent_before = self.sent
        self.desk = self.process()
        self.settle(0)
        self.is_in = bool(self.held())

    def held(self) -> Decimal:
        """What is, or may yet be."""
        held = Decimal(0)
        for one in self.desk.orders().values():
            much = one.filled_quantity if one.state in FINAL_STATES else one.quantity
            held += much if one.side is Side.BUY else -much
        return held

    def step(self) -> None:
        what = self.chance.random()
        if what < 0.3:
            self.decide()
            return
        if self.chance.random() < 0.3:
            Failing.left, Failing.is_late = self.chance.randint(1, 3), self.chance.random() < 0.5
        if what < 0.75:
            self.fill_some()
        elif what < 0.95:
            self.answer_exit()
        else:
            self.begin_anew()
        Failing.left = 0

    def end(self) -> None:
        for entry in self.open_entries():
            self.say(key_of(entry), S.CANCELED, self.bought[entry])
        while self.answer_exit():
            pass

    def sold(self) -> Decimal:
        """What was, and may yet be, by the exits that were decided."""
        return sum((one.quantity for one in self.sales(self.exits)), start=Decimal(0))

    def sales(self, exits: list[int]) -> list[LedgerEntry]:
        those = {key_of(one) for one in exits}
        return [
            one
            for one in self.desk.orders().values()
            if one.side is Side.SELL
            and one.state is not S.REFUSED
            and (rest_of(one.reason) or one.order_key) in those
        ]

    def sells_what_was_bought_before(self) -> bool:
        """Whether the exits up to each moment sell no more than the entries up to it brought."""
        sold = [
            (rest_of(one.reason) or one.order_key, one.quantity) for one in self.sales(self.exits)
        ]
        for exit_ in self.exits:
            those = {key_of(one) for one in self.exits if one <= exit_}
            bought = sum(filled for entry, filled in self.bought.items() if entry < exit_)
            if sum(quantity for exit_key, quantity in sold if exit_key in those) > bought:
                return False
        return True


@pytest.mark.parametrize("seed", range(SEEDS))
def test_all_that_is_left_is_sold_once_whatever_overlaps_and_fails(
    tmp_path: Path, seed: int
) -> None:
    trader = Trader(tmp_path, Random(seed))
    for _ in range(25):
        trader.step()
        assert trader.sold() <= sum(trader.bought.values())
        assert trader.sells_what_was_bought_before()

    trader.end()

    assert len(trader.sent) == len(set(trader.sent))
    assert trader.desk.actor.inspect()["leaving"] == []
    assert trader.is_in or trader.sold() == sum(trader.bought.values())


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_process_that_is_killed_sells_nothing_twice_and_leaves_each_decision_in_the_ledger(
    tmp_path: Path, seed: int
) -> None:
    """What waited is refused by the next one, whose strategy decides anew."""
    trader = Trader(tmp_path, Random(seed))
    for _ in range(30):
        if trader.chance.random() < 0.2:
            trader.die()
        elif trader.is_in and trader.chance.random() < 0.3:
            trader.decide(f"{trader.held()}")
        else:
            trader.step()
        assert trader.sold() <= sum(trader.bought.values())
        assert trader.sells_what_was_bought_before()

    trader.end()
    if trader.held():
        trader.is_in = True
        trader.decide(f"{trader.held()}")
        trader.end()

    assert len(trader.sent) == len(set(trader.sent))
    assert trader.desk.actor.inspect()["leaving"] == []
    assert {key_of(number) for number in trader.exits} <= set(trader.desk.orders())
    assert trader.sold() == sum(trader.bought.values())
