"""What a strategy gave for one moment, made into intents: checked, targets reckoned, keys given.

Nothing here believes a strategy: what cannot be traded is a `BadDecision` that says what it is,
and then the whole moment gives no intent and moves no position.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from decisions.change_wishes import held_without, is_change, order_meant, replacement
from decisions.order_keys import keys_of, order_key
from decisions.plain_wishes import plain_order, plain_text
from decisions.targets import Order, is_there, order_to
from decisions.wish_checks import (
    NotADecision,
    asked_protection,
    decision_problem,
    no_decisions,
    of_no_symbol,
    protection_problem,
    reason_problem,
)
from messages.errors import BadDecision
from messages.exact import EXACT, NOTHING
from messages.ids import AccountId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.order_changes import Cancel, OrderChange
from messages.orders import CancelIntent, Intent, OrderIntent, OrderUpdate
from messages.values import BUY, Instrument, OrderType, Protection, Side, Target, TimeInForce

__all__ = [
    "Decided",
    "DecisionLike",
    "Desk",
    "Given",
    "Moment",
    "NotADecision",
    "count_decisions",
    "order_to",
]

Decided = dict[tuple[Symbol, TimestampNs], int]
"""How many decisions a moment has had: the next one's ordinal. The moments decided last, no others.

Of more than the newest moment, for a live market does not tell its events in the order of time:
a candle is told when it is sure, after trades and prices that are younger than its close.
"""
_MOMENTS = 256
_MARKET = OrderType.MARKET
_PLAIN = (tuple, list)


class DecisionLike(Protocol):
    """What a strategy gives for one wish to trade."""

    @property
    def side(self) -> Side:
        """Which way."""

    @property
    def order_type(self) -> OrderType:
        """How the price is set."""

    @property
    def time_in_force(self) -> TimeInForce:
        """How long it lives."""

    @property
    def quantity(self) -> Decimal:
        """Base currency, unsigned."""

    @property
    def limit_price(self) -> Decimal | None:
        """None for a market order."""

    @property
    def reason(self) -> str:
        """Why, for a person."""


Given = Sequence[DecisionLike | Target | OrderChange] | DecisionLike | Target | OrderChange | None
"""What a handler may give; None and an empty sequence are nothing."""


class Moment(msgspec.Struct, frozen=True, gc=False):
    """What a strategy was shown: of which symbol, when, and at which prices it decides."""

    symbol: Symbol
    decided_at_ns: TimestampNs
    prices: Mapping[Symbol, Decimal]
    handler: str
    """The method that decided."""


def _on_none(_at_ns: int) -> Collection[Symbol]:
    return ()


class Desk(msgspec.Struct, frozen=True):
    """Whose wishes are read: what does not change from one moment to the next."""

    account: AccountId
    strategy_id: StrategyId
    symbols: tuple[Symbol, ...]
    instrument_of: Callable[[Symbol], Instrument]
    uses_stops: bool = False
    """Whether the strategy has said that it attaches some (`Strategy.uses_stops`)."""
    open_orders: Mapping[OrderKey, OrderUpdate] | None = None
    """None where the strategy has not said that it manages them (`Strategy.manages_orders`)."""
    decided_at: Callable[[int], Collection[Symbol]] = _on_none
    """On which symbols an earlier process has decided at a moment."""
    replaced: set[OrderKey] = msgspec.field(default_factory=set)
    """Of the event under way: who shows it empties this before."""
    small_targets: dict[Symbol, int] = msgspec.field(default_factory=dict)
    """See `StrategyMemory.small_targets`; counted here."""

    def intents(
        self,
        given: Any,
        moment: Moment,
        created_ns: TimestampNs,
        positions: dict[Symbol, Decimal],
        decided: Decided,
    ) -> list[Intent]:
        """Give the intents, and move `positions` and `decided` by them.

        Raises:
            BadDecision: one of them cannot be traded. The two dictionaries are void then.
        """
        try:
            return self._made(given, moment, created_ns, positions, decided)
        except BadDecision as error:
            error.handler = moment.handler
            raise

    def plain(
        self, wish: Any, at: TimestampNs, created_ns: TimestampNs, price: Decimal, held: Decimal
    ) -> OrderIntent | None:
        """Give the intent of a moment's only wish on the first symbol, as `intents` would.

        Only where it is a market order without stops and its reason plain letters, as nearly all
        are; None: ask `intents`. `held` is the position before it.
        """
        symbol = self.symbols[0]
        try:
            side, quantity, time_in_force = wish.side, wish.quantity, wish.time_in_force
            is_plain = (
                wish.order_type is _MARKET
                and wish.limit_price is None
                and type(side) is Side
                and type(time_in_force) is TimeInForce
                and type(wish.reason) is str
                and wish.reason.isascii()
                and type(quantity) is Decimal
                and (wish.symbol is None or wish.symbol == symbol)
                and wish.stop_loss is None
                and wish.take_profit is None
                and wish.trailing is None
            )
        except AttributeError:
            return None
        if not is_plain or not quantity.is_finite() or quantity < 0:
            return None
        account, strategy_id = self.account, self.strategy_id
        against = held.copy_negate() if side is BUY else held
        return OrderIntent(
            order_key=keys_of(account, strategy_id, symbol)(at, 0),
            account=account,
            strategy_id=strategy_id,
            symbol=symbol,
            side=side,
            order_type=_MARKET,
            time_in_force=time_in_force,
            quantity=quantity,
            limit_price=None,
            reference_price=price,
            decided_at_ns=at,
            ts_created_ns=created_ns,
            reason=wish.reason,
            leaves=NOTHING if against <= 0 else quantity if quantity <= against else against,
        )

    def _made(
        self,
        given: Any,
        moment: Moment,
        created_ns: TimestampNs,
        positions: dict[Symbol, Decimal],
        decided: Decided,
    ) -> list[Intent]:
        intents: list[Intent] = []
        wishes = given if type(given) in _PLAIN else _each(given)
        done = self.decided_at(moment.decided_at_ns)
        if done and any(self._symbol_of(wish, moment) in done for wish in wishes):
            return []  # all of it, or half of another decision would stand beside what was done
        for wish in wishes:
            if is_change(wish):
                intent = self._changed(wish, moment, created_ns, positions, decided)
            else:
                intent = self._wished(wish, moment, created_ns, positions, decided)
            if intent is not None:
                intents.append(intent)
        return intents

    def _symbol_of(self, wish: Any, moment: Moment) -> Any:
        if is_change(wish):
            first = order_meant(wish, self.open_orders)
            return None if first is None else first.symbol
        return getattr(wish, "symbol", None) or moment.symbol

    def _wished(
        self,
        wish: Any,
        moment: Moment,
        created_ns: TimestampNs,
        positions: dict[Symbol, Decimal],
        decided: Decided,
    ) -> Intent | None:
        symbol = self._symbol_of(wish, moment)
        wished = self._order(wish, symbol, moment, positions)
        if wished is None:
            return None
        symbol, order = Symbol(plain_text(symbol)), plain_order(wished)
        held = positions.get(symbol, NOTHING)
        positions[symbol] = EXACT.add(held, order.side.signed(order.quantity))
        return self._intent(wish, order, symbol, held, moment, created_ns, decided)

    def _changed(
        self,
        wish: OrderChange,
        moment: Moment,
        created_ns: TimestampNs,
        positions: dict[Symbol, Decimal],
        decided: Decided,
    ) -> Intent | None:
        first = order_meant(wish, self.open_orders)
        if first is None or first.order_key in self.replaced:
            return None
        symbol, at = first.symbol, moment.decided_at_ns
        if isinstance(wish, Cancel):
            ordinal = count_decisions(decided, symbol, at, 1)
            return CancelIntent(
                order_key=order_key(self.account, self.strategy_id, symbol, at, ordinal),
                cancels=first.order_key,
                strategy_id=self.strategy_id,
                symbol=symbol,
                side=first.side,
                quantity=first.quantity,
                decided_at_ns=at,
                ts_created_ns=created_ns,
                reason=plain_text(wish.reason),
            )
        if symbol not in moment.prices:
            raise _no_price(symbol)
        wished = replacement(wish, first)
        if problem := decision_problem(wished):
            raise BadDecision(problem)
        held, order = held_without(first, positions), plain_order(wished)
        positions[symbol] = EXACT.add(held, order.side.signed(order.quantity))
        intent = self._intent(wished, order, symbol, held, moment, created_ns, decided)
        self.replaced.add(first.order_key)
        return msgspec.structs.replace(intent, replaces=first.order_key)

    def _intent(
        self,
        wish: Any,
        order: DecisionLike,
        symbol: Symbol,
        held: Decimal,
        moment: Moment,
        created_ns: TimestampNs,
        decided: Decided,
    ) -> OrderIntent:
        """Give the intent of one order; `held` is the position without it."""
        at = moment.decided_at_ns
        ordinal = count_decisions(decided, symbol, at, 1)
        leaves = _leaves(order, held)
        price = moment.prices[symbol]
        asked = asked_protection(wish)
        return OrderIntent(
            order_key=order_key(self.account, self.strategy_id, symbol, at, ordinal),
            account=self.account,
            strategy_id=self.strategy_id,
            symbol=symbol,
            side=order.side,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            quantity=order.quantity,
            limit_price=order.limit_price,
            reference_price=price,
            decided_at_ns=at,
            ts_created_ns=created_ns,
            reason=order.reason,
            leaves=leaves,
            protection=None if asked is None else self._protection(asked, order, leaves, price),
        )

    def _protection(
        self, asked: Protection, order: DecisionLike, leaves: Decimal, price: Decimal
    ) -> Protection | None:
        if not self.uses_stops:
            raise BadDecision(
                "attaches a stop, and its class does not say so: write uses_stops = True into it"
            )
        if problem := protection_problem(asked, order.side, order.limit_price or price):
            raise BadDecision(problem)
        return asked if leaves < order.quantity else None

    def _order(
        self, wish: Any, symbol: Symbol, moment: Moment, positions: Mapping[Symbol, Decimal]
    ) -> DecisionLike | None:
        if symbol not in self.symbols:
            raise of_no_symbol(wish, symbol, self.symbols)
        if isinstance(wish, Target):
            if problem := reason_problem(wish.reason):
                raise BadDecision(f"a Target with {problem}")
            return self._order_to(wish, symbol, moment, positions)
        if symbol not in moment.prices:
            raise _no_price(symbol)
        problem = decision_problem(wish)
        if problem:
            raise BadDecision(problem)
        checked: DecisionLike = wish
        return checked

    def _order_to(
        self, target: Target, symbol: Symbol, moment: Moment, positions: Mapping[Symbol, Decimal]
    ) -> Order | None:
        held = positions.get(symbol, NOTHING)
        if is_there(target, held):
            return None
        if symbol not in moment.prices:
            raise _no_price(symbol)
        order = order_to(target, held, moment.prices[symbol], self.instrument_of(symbol))
        # Of nothing, all that is wanted and comes to no order is too small; who is there looks no
        # further, for that is asked at each event.
        if order is None and not held and (target.quantity or target.notional):
            self.small_targets[symbol] = self.small_targets.get(symbol, 0) + 1
        return order


def _leaves(order: DecisionLike, held: Decimal) -> Decimal:
    """Give the part of an order that leaves what is held."""
    against = held.copy_negate() if order.side is BUY else held
    return min(order.quantity, against) if against > 0 else NOTHING


def count_decisions(decided: Decided, symbol: Symbol, at_ns: TimestampNs, count: int) -> int:
    """Count a moment's decisions, and forget the moment that was decided on longest ago.

    Gives how many it had before.
    """
    moment = symbol, at_ns
    before = decided.pop(moment, 0)
    decided[moment] = before + count
    if len(decided) > _MOMENTS:
        del decided[next(iter(decided))]
    return before


def _no_price(symbol: Symbol) -> BadDecision:
    return BadDecision(f"no price of {symbol} has been seen yet")


def _each(given: Any) -> Sequence[Any]:
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return given
    is_wish = isinstance(given, Target | type) or hasattr(given, "order_type")
    if is_wish or is_change(given):
        return (given,)
    raise no_decisions(given)
