"""The gate as a whole, under any sequence of decisions, fills, ends, marks and unknowns."""

from copy import deepcopy
from decimal import Decimal
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.risk import RiskLimits, RiskState, accept, refusal, saw_fill, saw_market
from decisions.risk_equity import Mark, SidedFill, rebuild_equity
from decisions.risk_state import OpenOrder, recall
from messages.exact import EXACT
from messages.ids import OrderKey, Symbol
from messages.orders import OrderIntent
from messages.values import Side
from tests.decisions.naive_risk import DAY, SYMBOLS, Naive, Order
from tests.decisions.risk_orders import at, canceled, fill, filled_by, intent

pytestmark = pytest.mark.slow

LIMITS = RiskLimits(
    max_order_notional=Decimal(500),
    max_position_notional=Decimal(700),
    max_open_orders=4,
    max_open_orders_per_symbol=3,
    max_orders_per_minute=4,
    price_collar_bps=Decimal(500),
    max_daily_loss={"USDT": Decimal(4)},
    max_drawdown={"USDT": Decimal(7)},
    max_market_age_ms=100_000,
    cooldown_ms=1_000,
)
SIZES_ONLY = RiskLimits(max_order_notional=Decimal(500), max_position_notional=Decimal(1000))

symbols = st.sampled_from(SYMBOLS)
quantities = st.decimals("0.1", "6", places=1)
prices = st.decimals("96", "104", places=1)
places = st.integers(0, 9)
DECIDE = st.tuples(
    st.just("decide"), symbols, st.sampled_from(Side), quantities, st.none() | prices
)
EXIT = st.tuples(st.just("exit"), symbols, st.none() | prices, st.booleans())
FILL = st.tuples(st.just("fill"), places, st.sampled_from(["half", "all"]), prices)
END = st.tuples(st.just("end"), places)
UNKNOWN = st.tuples(st.just("unknown"), places)
MARK = st.tuples(st.just("mark"), symbols, prices)
WAIT = st.tuples(st.just("wait"), st.sampled_from([1, 2, 2, 3, 9, 29, 60, DAY // 2]))
EVENT = st.one_of(DECIDE, DECIDE, DECIDE, WAIT, WAIT, FILL, FILL, MARK, EXIT, END, UNKNOWN)
LIFE = st.lists(EVENT, min_size=15, max_size=50)


class Drive:
    """Lives a life in both the state under test and the naive one."""

    def __init__(self, limits: RiskLimits, *, moving: bool = True) -> None:
        self.limits = limits
        self.state = RiskState(open_orders={})
        self.naive = Naive(limits)
        self.now = 1
        self.moving = moving
        self.verdicts: list[tuple[OrderIntent, str | None]] = []
        for symbol in SYMBOLS:
            self.mark(symbol, Decimal(100))

    def step(self, event: tuple[Any, ...]) -> None:
        kind, *what = event
        getattr(self, kind)(*what)
        self.state.now_ns = at(self.now)

    def wait(self, seconds: int) -> None:
        self.now += seconds

    def mark(self, symbol: Symbol, price: Decimal) -> None:
        if not self.moving:
            return
        saw_market(symbol, price, at(self.now), self.state)
        self.naive.marks[symbol] = (self.now, price)
        self.naive.saw_price(symbol, self.now, price, is_mark=True)
        self.naive.note_worth(self.now)

    def decide(
        self, symbol: Symbol, side: Side, quantity: Decimal, limit_price: Decimal | None
    ) -> None:
        mark = self.naive.marks.get(symbol)
        reference = "100" if mark is None else str(mark[1])
        limit = None if limit_price is None or not self.moving else str(limit_price)
        key = f"{len(self.verdicts)}"
        order = intent(str(quantity), side, reference, limit, self.now, symbol, key)
        self.judge(order)

    def exit(self, symbol: Symbol, limit_price: Decimal | None, half: bool) -> None:
        """Leave all or half of what the exposure is."""
        exposure = self.state.exposure.get(symbol, Decimal(0))
        quantity = abs(exposure) / 2 if half else abs(exposure)
        if quantity:
            side = Side.SELL if exposure > 0 else Side.BUY
            self.decide(symbol, side, quantity, limit_price)

    def judge(self, order: OrderIntent) -> None:
        mark = self.naive.marks.get(order.symbol)
        self.state.now_ns = at(self.now)
        before = deepcopy(self.state)
        against = refusal(order, self.limits, self.state, mark and mark[1])
        assert self.state == before
        self.verdicts.append((order, None if against is None else against.code))
        if against is None:
            added = self.naive.added(order) > 0
            accept(order, self.state)
            self.naive.orders.append(Order(order, added))

    def fill(self, place: int, how: str, price: Decimal) -> None:
        order = self.one_open(place)
        if order is None:
            return
        left = order.intent.quantity - sum((f.quantity for f in order.fills), Decimal(0))
        quantity = left if how == "all" else left / 2
        paid = price if self.moving else Decimal(100)
        symbol = order.intent.symbol
        if symbol not in self.naive.marks:
            paid = Decimal(100)
        execution = fill(str(quantity), str(paid), self.now, "0.1")
        order.fills.append(execution)
        self.naive.saw_price(symbol, self.now, paid, is_mark=False)
        filled_by(order.intent, str(order.intent.quantity - left + quantity), self.state)
        saw_fill(symbol, order.intent.side, execution, self.state)
        self.naive.note_worth(self.now)
        self.settle()

    def end(self, place: int) -> None:
        order = self.one_open(place)
        if order is not None:
            order.ended = True
            filled = sum((f.quantity for f in order.fills), Decimal(0))
            canceled(order.intent, self.state, str(filled))
            self.settle()

    def unknown(self, place: int) -> None:
        order = self.one_open(place)
        if order is not None:
            order.unknown = True
            self.settle()

    def settle(self) -> None:
        doubtful = (o for o in self.naive.orders if o.unknown and not o.is_done)
        self.state.unsettled = {order.intent.symbol for order in doubtful}

    def one_open(self, place: int) -> Order | None:
        waiting = [order for order in self.naive.orders if not order.is_done]
        return waiting[place % len(waiting)] if waiting else None


@given(life=LIFE)
def test_every_answer_is_that_of_an_independent_computation(life: list[Any]) -> None:
    drive = Drive(LIMITS)

    for event in life:
        count = len(drive.verdicts)
        past = deepcopy(drive.naive)
        drive.step(event)

        for order, code in drive.verdicts[count:]:
            reasons = past.reasons(order, drive.now)
            assert code in reasons if reasons else code is None


@given(life=LIFE)
def test_no_fills_and_ends_bring_a_position_over_its_limit(life: list[Any]) -> None:
    drive = Drive(SIZES_ONLY, moving=False)

    for event in life:
        drive.step(event)

        for symbol in SYMBOLS:
            assert max(drive.naive.most(symbol)) * 100 <= 1000
            assert abs(drive.naive.position(symbol)) * 100 <= 1000


@given(life=LIFE)
def test_open_orders_are_never_more_than_their_limit_but_for_exits(life: list[Any]) -> None:
    drive = Drive(LIMITS)

    for event in life:
        drive.step(event)

        adding = [o for o in drive.naive.orders if not o.is_done and o.added]
        assert len(adding) <= 4
        assert all(sum(o.intent.symbol == s for o in adding) <= 3 for s in SYMBOLS)


@given(life=LIFE, half=st.booleans())
def test_whatever_has_happened_there_is_a_way_out_at_the_market(
    life: list[Any], half: bool
) -> None:
    drive = Drive(LIMITS)
    for event in life:
        drive.step(event)

    for symbol in SYMBOLS:
        exposure = drive.state.exposure.get(symbol, Decimal(0))
        held = drive.naive.position(symbol)
        if exposure * (1 if held >= 0 else -1) < 0:
            continue  # short, with more being bought: selling again is no way out
        count = len(drive.verdicts)
        drive.exit(symbol, None, half)
        assert [code for _, code in drive.verdicts[count:]] == ([None] if exposure else [])


@given(life=LIFE)
def test_a_rebuilt_state_is_the_one_that_lived_through_it(life: list[Any]) -> None:
    drive = Drive(LIMITS)
    marks = {symbol: [(at(drive.now), Decimal(100))] for symbol in SYMBOLS}
    for event in life:
        # One event a second: a rebuild puts fills before marks of the same moment.
        drive.now += 1
        drive.step(event)
        if event[0] == "mark":
            marks[event[1]].append((at(drive.now), event[2]))
    orders = drive.naive.orders
    fills = {
        symbol: sorted(
            ((o.intent.side, f) for o in orders if o.intent.symbol == symbol for f in o.fills),
            key=lambda sided: sided[1].ts_event_ns,
        )
        for symbol in SYMBOLS
    }

    rebuilt = rebuilt_of(fills, open_in(drive.naive), marks)

    now, lived = at(drive.now + 1), drive.state
    for symbol in SYMBOLS:
        recall(symbol, (o.intent.decided_at_ns for o in drive.naive.on(symbol)), now, rebuilt)
    assert rebuilt.equity == lived.equity
    assert rebuilt.open_orders == lived.open_orders
    assert without_zeros(rebuilt.exposure) == without_zeros(lived.exposure)
    for symbol in SYMBOLS:
        recent = [moment for moment in lived.decided.get(symbol, ()) if moment > now - at(60)]
        assert list(rebuilt.decided[symbol]) == recent
        assert rebuilt.risk_added_at.get(symbol, 0) >= lived.risk_added_at.get(symbol, 0)


def rebuilt_of(
    fills: dict[Symbol, list[SidedFill]],
    open_orders: dict[OrderKey, OpenOrder],
    marks: dict[Symbol, list[Mark]],
) -> RiskState:
    """Give the state that living through all this would have left, but for `recall`'s part."""
    state = RiskState(open_orders=open_orders, equity=rebuild_equity(fills, marks))
    for symbol in SYMBOLS:
        changes = [side.signed(fill.quantity) for side, fill in fills[symbol]]
        mine = (order for order in open_orders.values() if order.symbol == symbol)
        changes += [order.side.signed(order.unfilled) for order in mine]
        state.exposure[symbol] = reduce(EXACT.add, changes, Decimal(0))
    return state


def open_in(naive: Naive) -> dict[OrderKey, OpenOrder]:
    return {
        order.intent.order_key: OpenOrder(
            symbol=order.intent.symbol,
            side=order.intent.side,
            unfilled=order.intent.quantity - sum((f.quantity for f in order.fills), Decimal(0)),
            strategy_id=order.intent.strategy_id,
        )
        for order in naive.orders
        if not order.is_done
    }


def without_zeros(exposure: dict[Symbol, Decimal]) -> dict[Symbol, Decimal]:
    return {symbol: held for symbol, held in exposure.items() if held}
