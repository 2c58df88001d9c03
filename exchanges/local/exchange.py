"""The local exchange: engine, market, clock, faults and log behind one lock.

Every method may be called from any thread. What is acknowledged has been written to the
state file before, where there is one.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from threading import RLock

from exchanges.local.cashier import FEE_ASSET
from exchanges.local.clearing import Now
from exchanges.local.clock import Clock
from exchanges.local.controls import Controls
from exchanges.local.depth import Depth
from exchanges.local.effects import Effects
from exchanges.local.engine import Engine
from exchanges.local.faults import Fault, Faults, Plan
from exchanges.local.faults_engine import Sight, fill_cap, race
from exchanges.local.faults_streams import StreamFaults, StreamPlan
from exchanges.local.filters import rules_for
from exchanges.local.market import Player
from exchanges.local.orders import Order, Placement, PublicTrade, Trade, copied
from exchanges.local.refusals import Reason, Refused
from exchanges.local.request_log import Request, RequestLog
from exchanges.local.settings import Settings
from exchanges.local.sources import open_events
from exchanges.local.state import State

_SLOW = 10
"""Up to this speed the market trades once a market second; beyond, every five."""

Listener = Callable[[Effects], None]


class LocalExchange(Controls):
    """One account at one exchange, its market, and everything that can be done to them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lock = RLock()
        self.clock = Clock(settings.speed)
        self.faults = Faults(settings.seed)
        self.stream_faults = StreamFaults()
        self.strikers: list[Callable[[StreamPlan], None]] = []
        self.open_streams: dict[int, list[str]] = {}
        self.log = RequestLog()
        self.is_under_maintenance = False
        self.is_key_revoked = False
        self.is_key_restricted = False
        self.may_key_withdraw = False
        self.page_status: int | None = None
        self._listeners: list[Listener] = []
        events = {symbol: open_events(settings, symbol) for symbol in _symbols(settings)}
        self.engine = Engine(
            [rules_for(symbol, price) for symbol, (price, _) in events.items()],
            settings.balances,
            fees_in_bnb=settings.fees_in_bnb,
        )
        self._state = self._open_state()
        played = self._state.played() if self._state else {}
        self.players = {
            symbol: Player(
                market,
                events[symbol][1],
                seed=settings.seed,
                start_ns=self.clock.market_ns(),
                skip=played.get(symbol, 0),
                prints_per_candle=60 if settings.speed <= _SLOW else 12,
            )
            for symbol, market in self.engine.markets.items()
        }
        self.depth = {symbol: Depth() for symbol in self.players}
        with self.operation():
            for symbol, player in self.players.items():
                self.engine.last_prices.setdefault(symbol, player.mid)
                player.quote(self.engine, self.clock.market_ns())

    def close(self) -> None:
        """Write how far the market has come, and let the state file go."""
        with self.lock:
            if self._state is not None:
                self._keep_rules()
                self._state.close()
                self._state = None

    def listen(self, listener: Listener) -> None:
        """Tell `listener` all that happens from now on, in order, on whichever thread it does."""
        with self.lock:
            self._listeners.append(listener)

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Do something at the present moment: the market is brought up to it before."""
        with self.lock:
            now = Now(account_ns=self.clock.now_ns(), market_ns=self.clock.market_ns())
            self.engine.begin(now)
            for player in self.players.values():
                player.advance_to(now.market_ns, self.engine)
            try:
                yield
            finally:
                self._commit(self.engine.take_effects())

    # What clients ask for

    def place(self, placement: Placement, plan: Plan | None = None) -> tuple[Order, list[Trade]]:
        """Place an order. See `Engine.place`."""
        with self.operation():
            self.engine.fill_cap = fill_cap(self.engine, placement, plan)
            try:
                order, trades = self.engine.place(placement, self.clock.now_ns())
                return copied(order), trades
            finally:
                self.engine.fill_cap = None

    def check(self, placement: Placement) -> None:
        """Hold a request against the rules of its market, without placing anything.

        Raises:
            Refused: it breaks one.
        """
        with self.operation():
            self.engine.check(placement)

    def cancel(
        self,
        symbol: str,
        *,
        order_id: int | None,
        client_order_id: str | None,
        cancel_id: str,
        plan: Plan | None = None,
    ) -> Order:
        """Cancel an order by either id.

        Raises:
            Refused: there is none, or it is not open.
        """
        with self.operation():
            order = self.engine.orders.find(
                symbol, order_id=order_id, client_order_id=client_order_id
            )
            if order is None:
                raise Refused(Reason.UNKNOWN_ORDER)
            race(self.engine, order, plan, self.clock.market_ns())
            return copied(self.engine.cancel(symbol, order, cancel_id, self.clock.now_ns()))

    def find(
        self,
        symbol: str,
        *,
        order_id: int | None,
        client_order_id: str | None,
        plan: Plan | None = None,
    ) -> Order:
        """Give one order by either id.

        Raises:
            Refused: there is none, or a stale read does not see it yet.
        """
        with self.operation():
            order = self.engine.orders.find(
                symbol, order_id=order_id, client_order_id=client_order_id
            )
            sight = self._sight(plan)
            if order is None or not sight.sees(order.ts_created_ns):
                raise Refused(Reason.UNKNOWN_ORDER)
            return sight.of_order(order, self.engine.trades.of(order.order_id))

    def open_orders(self, symbol: str | None = None, plan: Plan | None = None) -> list[Order]:
        """Give what is open, oldest first."""
        with self.operation():
            register = self.engine.orders
            found: Iterable[Order] = register.open(symbol)
            if plan is not None and plan.fault is Fault.LAGGING_READ:
                found = register.by_id.values() if symbol is None else self.orders_of(symbol)
            return [seen for seen in self._seen(found, plan) if seen.is_open]

    def orders_of(self, symbol: str, plan: Plan | None = None) -> list[Order]:
        """Give every order of a symbol, oldest first."""
        with self.operation():
            return self._seen(self.engine.orders.of(symbol), plan)

    def depth_update_id(self, symbol: str) -> int:
        """Give the number of the newest change of a book."""
        with self.lock:
            return self.depth[symbol].look(self.engine.books[symbol])

    # The truth

    def orders(self) -> list[Order]:
        """Give every order that was ever accepted, oldest first."""
        with self.operation():
            return [copied(order) for order in self.engine.orders.by_id.values()]

    def orders_with(self, client_order_id: str) -> list[Order]:
        """Give every order under a client id: more than one is what must never happen."""
        with self.operation():
            return [copied(order) for order in self.engine.orders.under(client_order_id)]

    def doubled(self) -> dict[str, list[int]]:
        """Give each client id under which more than one order was accepted, and those orders."""
        by_name: dict[str, list[int]] = {}
        for order in self.orders():
            by_name.setdefault(order.client_order_id, []).append(order.order_id)
        return {name: ids for name, ids in by_name.items() if len(ids) > 1}

    def trades(self, plan: Plan | None = None) -> list[Trade]:
        """Give every trade of the account, oldest first."""
        with self.operation():
            return self._sight(plan).of_trades(self.engine.trades.all)

    def trades_behind(self, order: Order) -> list[Trade]:
        """Give the trades that make up what was filled when an order stood as it was given."""
        with self.lock:
            return [*self.engine.trades.behind(order)]

    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Give what is free and what is locked of every asset."""
        with self.operation():
            balances = self.engine.account.balances
            return {asset: (one.free, one.locked) for asset, one in balances.items()}

    def requests(
        self, *, operation: str | None = None, client_order_id: str | None = None
    ) -> list[Request]:
        """Give every request that arrived, oldest first."""
        with self.lock:
            return self.log.select(operation=operation, client_order_id=client_order_id)

    # Inside

    def _open_state(self) -> State | None:
        if self.settings.state is None:
            return None
        state = State(self.settings.state, profile=self.settings.profile)
        try:
            state.load(self.engine)
        except BaseException:
            state.close()
            raise
        return state

    def _played(self) -> dict[str, int]:
        return {symbol: player.played for symbol, player in self.players.items()}

    def _keep_rules(self) -> None:
        if self._state is not None:
            self._state.write_markets(self.engine, self._played())

    def _commit(self, effects: Effects) -> None:
        if self._state is not None and effects.is_durable:
            self._state.write(effects, self.engine, self._played())
        for event in effects.events:
            if isinstance(event, PublicTrade):
                self.players[event.symbol].note(event)
        for listener in self._listeners:
            listener(effects)

    def _open_order(self, client_order_id: str) -> Order:
        for order in self.engine.orders.under(client_order_id):
            if order.is_open:
                return order
        raise Refused(Reason.UNKNOWN_ORDER)

    def _sight(self, plan: Plan | None) -> Sight:
        return Sight(plan, self.clock.now_ns())

    def _seen(self, orders: Iterable[Order], plan: Plan | None) -> list[Order]:
        sight, trades = self._sight(plan), self.engine.trades
        seen = [one for one in orders if sight.sees(one.ts_created_ns)]
        return [sight.of_order(one, trades.of(one.order_id)) for one in seen]


def _symbols(settings: Settings) -> list[str]:
    return list(dict.fromkeys((*settings.symbols, f"{FEE_ASSET}/USDT")))
