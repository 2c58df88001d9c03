"""Any order of fills, refusals, crashes and prices: stops never sell more than there is."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from decisions.audit_stops import stop_problem, unheld
from decisions.risk import RiskState, fit_exit
from decisions.stop_book import StopBook
from decisions.stop_ending import ended_by_hand, why_not_end
from messages.ids import NS_PER_S, AccountId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.market import Trade
from messages.order_states import FINAL_STATES
from messages.orders import OrderIntent
from messages.stops import Stop, StopState
from messages.values import OrderState, OrderType, Protection, Side, TimeInForce
from tests.decisions.risk_orders import FREE
from tests.system.conftest import STRESS

BTC, ONE = Symbol("BTC/USDT"), StrategyId("one")
PLACE = (ONE, BTC)
ZERO = Decimal(0)


class Row(msgspec.Struct):
    """An order as the ledger of this model holds it."""

    order_key: OrderKey
    side: Side
    quantity: Decimal
    decided_at_ns: TimestampNs
    leaves: Decimal
    entry: OrderKey | None = None
    """Of an exit."""
    state: OrderState = OrderState.SENT
    filled_quantity: Decimal = ZERO
    decided_quantity: Decimal | None = None
    strategy_id: StrategyId = ONE
    symbol: Symbol = BTC
    reason: str = ""

    @property
    def unfilled(self) -> Decimal:
        return ZERO if self.state in FINAL_STATES else self.quantity - self.filled_quantity


class Stops(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.book = StopBook()
        self.rows: dict[OrderKey, Row] = {}
        self.disk: dict[OrderKey, Stop] = {}
        self.second, self.price, self.halted = 0, Decimal(100), False
        self.told: dict[OrderKey, Decimal] = {}
        """By exit, how much of its position the strategy was told to be left by it."""
        self.only_stopped = True
        """Whether nothing was ever done without a stop, or left by the strategy itself."""

    # ---------------------------------------------------------------- the world

    @property
    def held(self) -> Decimal:
        return sum((r.side.sign * r.filled_quantity for r in self.rows.values()), start=ZERO)

    def exposure(self) -> Decimal:
        return self.held + sum((r.side.sign * r.unfilled for r in self.rows.values()), start=ZERO)

    def commit(self) -> None:
        self.disk |= {stop.entry_key: stop for stop in self.book.taken_changes()}

    def intent(self, side: Side, quantity: Decimal, wanted: Protection | None) -> OrderIntent:
        self.second += 1
        held = self.exposure()
        against = held if side is Side.SELL else -held
        return OrderIntent(
            order_key=OrderKey(f"{self.second:032x}"),
            account=AccountId("main"),
            strategy_id=ONE,
            symbol=BTC,
            side=side,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC,
            quantity=quantity,
            limit_price=None,
            reference_price=self.price,
            decided_at_ns=TimestampNs(self.second * NS_PER_S),
            ts_created_ns=TimestampNs(0),
            reason="",
            leaves=max(min(quantity, against), ZERO),
            protection=wanted,
        )

    def claim(self, intent: OrderIntent, entry: OrderKey | None = None) -> None:
        assert intent.order_key not in self.rows, "one decision, one key"
        self.rows[intent.order_key] = Row(
            order_key=intent.order_key,
            side=intent.side,
            quantity=intent.quantity,
            decided_at_ns=intent.decided_at_ns,
            leaves=intent.leaves,
            entry=entry,
        )
        self.book.claimed(intent)
        self.commit()
        if entry is not None:
            self.told[intent.order_key] = abs(self.book.told.take_position_change(intent))

    # ---------------------------------------------------------------- what happens

    @rule(
        side=st.sampled_from(Side),
        quantity=st.integers(1, 9),
        stop=st.integers(0, 9),
        goal=st.integers(0, 9),
        trailing=st.integers(0, 9),
    )
    def enter(self, side: Side, quantity: int, stop: int, goal: int, trailing: int) -> None:
        wanted = Protection(
            stop_loss=self.price - side.sign * stop if stop else None,
            take_profit=self.price + side.sign * goal if goal else None,
            trailing=Decimal(trailing) if trailing else None,
        )
        has_some = bool(stop or goal or trailing)
        intent = self.intent(side, Decimal(quantity), wanted if has_some else None)
        self.only_stopped &= has_some and not intent.leaves
        self.claim(intent)

    @precondition(lambda self: self.exposure())
    @rule(quantity=st.integers(1, 9))
    def leave(self, quantity: int) -> None:
        side = Side.SELL if self.exposure() > 0 else Side.BUY
        intent = self.intent(side, min(Decimal(quantity), abs(self.exposure())), None)
        self.only_stopped = False
        self.claim(intent)

    @precondition(lambda self: any(row.unfilled for row in self.rows.values()))
    @rule(data=st.data())
    def fill_or_end(self, data: Any) -> None:
        row = data.draw(st.sampled_from([r for r in self.rows.values() if r.unfilled]))
        more = Decimal(data.draw(st.integers(0, int(row.unfilled))))
        row.filled_quantity += more
        if not row.unfilled:
            row.state = OrderState.FILLED
        else:
            row.state = data.draw(
                st.sampled_from([OrderState.CANCELED, OrderState.UNKNOWN, OrderState.ACCEPTED])
                if row.filled_quantity
                else st.sampled_from([OrderState.REJECTED, OrderState.UNKNOWN])
            )
        self.book.moved(row, ())
        self.commit()

    def filled(self, place: int, quantity: int) -> None:
        """One order, by its place among all, is filled."""
        row = [*self.rows.values()][place]
        row.filled_quantity, row.state = Decimal(quantity), OrderState.FILLED
        self.book.moved(row, ())
        self.commit()

    @rule(price=st.integers(80, 120), refuses=st.booleans(), crashes=st.booleans())
    def trade(self, price: int, refuses: bool, crashes: bool) -> None:
        """A price; perhaps risk refuses what it makes due, or the executor dies before a claim."""
        self.second += 50
        self.price = Decimal(price)
        at = TimestampNs(self.second * NS_PER_S)
        event = Trade(
            symbol=BTC, price=self.price, quantity=Decimal(1), aggressor_side=None, ts_event_ns=at
        )
        for intent in self.book.look(event, at, may_send=not self.halted):
            assert not self.halted
            entry = self.book.entry_of[intent.order_key]
            if crashes:
                self.crash()
                return
            if refuses:
                self.rows[intent.order_key] = Row(
                    order_key=intent.order_key, side=intent.side, quantity=intent.quantity,
                    decided_at_ns=at, leaves=intent.leaves, entry=entry, state=OrderState.REFUSED,
                )  # fmt: skip
                self.book.refused(intent.order_key)
                self.commit()
                continue
            self.is_covered(intent, entry)
            self.claim(intent, entry)
        self.commit()

    def is_covered(self, intent: OrderIntent, entry: OrderKey) -> None:
        """Of what an exit leaves all is filled, and stands in no other order."""
        sign = self.rows[entry].side.sign
        against = sum((r.unfilled for r in self.rows.values() if r.side is intent.side), start=ZERO)
        assert ZERO < intent.quantity <= self.held * sign - against
        risk = RiskState(held_by={PLACE: self.exposure()})
        assert fit_exit(intent, FREE, risk) is intent or self.exposure() * sign < intent.quantity

    @rule()
    def crash(self) -> None:
        """What was committed is there again, and nothing else."""
        before = {key: self.book.cover.protected(stop) for key, stop in self.book.stops.items()}
        self.book = StopBook()
        self.book.load(
            sorted(
                (s for s in self.disk.values() if s.state is not StopState.DONE),
                key=lambda stop: stop.entry_key,
            ),
            {PLACE: self.exposure()},
            [row for row in self.rows.values() if row.state not in FINAL_STATES],
            lambda keys: {key: self.rows[key] for key in keys if key in self.rows},
            lambda key: [],
            self.told,
        )
        assert before == {key: self.book.cover.protected(s) for key, s in self.book.stops.items()}

    @precondition(lambda self: self.book.stops)
    @rule(data=st.data())
    def end_by_hand(self, data: Any) -> None:
        """A person does, where no order of it is open."""
        stop = self.book.stops[data.draw(st.sampled_from(sorted(self.book.stops)))]
        if why_not_end(stop, self.rows):
            return
        self.only_stopped = False
        self.book.end(ended_by_hand(stop, self.rows, by="ada", at="noon", reason="dust"))
        self.commit()
        assert stop.entry_key not in self.book.stops

    @rule()
    def halt_or_resume(self) -> None:
        self.halted = not self.halted

    # ---------------------------------------------------------------- what always holds

    @invariant()
    def exits_are_at_most_what_was_filled(self) -> None:
        for key, row in self.rows.items():
            exits = [r for r in self.rows.values() if r.entry == key]
            assert sum(r.filled_quantity + r.unfilled for r in exits) <= row.filled_quantity

    @invariant()
    def a_strategy_is_told_of_all_that_was_left_and_never_of_more_than_was_filled(self) -> None:
        for key, row in self.rows.items():
            exits = [r for r in self.rows.values() if r.entry == key]
            told = sum((self.told.get(r.order_key, ZERO) for r in exits), start=ZERO)
            left = sum((r.filled_quantity + r.unfilled for r in exits), start=ZERO)
            assert left <= told <= row.filled_quantity

    @invariant()
    def all_that_is_protected_is_held(self) -> None:
        for side in Side:
            mine = [s for s in self.book.stops.values() if s.side is side]
            protected = sum(map(self.book.cover.protected, mine), start=ZERO)
            assert protected <= max(self.held * side.sign, ZERO)
            if self.only_stopped and not any(s.side is not side for s in self.disk.values()):
                assert protected == max(self.held * side.sign, ZERO), "nothing without its stop"

    @invariant()
    def an_audit_finds_nothing_in_what_is_on_disk(self) -> None:
        for stop in self.disk.values():
            assert stop_problem(stop, self.rows) is None
        assert [*unheld(self.disk.values(), self.rows, {PLACE: self.held})] == []

    @invariant()
    def what_has_acted_stays_so(self) -> None:
        for key, stop in self.book.stops.items():
            was = self.disk.get(key)
            if was is not None and was.state is StopState.ACTED:
                assert (stop.state, stop.cause) == (StopState.ACTED, was.cause)


def test_a_strategy_sells_what_an_open_order_brings_while_an_exit_of_all_is_open() -> None:
    """Found by the machine: what it sold is none of what the exit leaves, and no fault."""
    world = Stops()
    world.enter(side=Side.BUY, quantity=6, stop=0, goal=1, trailing=0)
    world.filled(0, 6)
    world.enter(side=Side.BUY, quantity=1, stop=0, goal=0, trailing=0)
    world.trade(price=101, refuses=False, crashes=False)
    world.enter(side=Side.SELL, quantity=1, stop=0, goal=0, trailing=0)
    for order, quantity in ((3, 1), (2, 6), (1, 1)):
        world.filled(order, quantity)
        world.all_that_is_protected_is_held()
        world.an_audit_finds_nothing_in_what_is_on_disk()
    assert [stop.state for stop in world.disk.values()] == [StopState.DONE]
    assert world.held == 0


TestStops = pytest.mark.slow(Stops.TestCase)
TestStops.settings = settings(
    max_examples=1_000 if STRESS else 60, stateful_step_count=50 if STRESS else 30, deadline=None
)
