"""The local exchange: engine, market, clock, faults and log behind one lock.

Every method may be called from any thread. What is acknowledged has been written to the
state file before, where there is one.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from threading import RLock

from exchanges.local.cashier import FEE_ASSET
from exchanges.local.clock import Clock
from exchanges.local.depth import Depth
from exchanges.local.effects import Effects
from exchanges.local.engine import Engine
from exchanges.local.faults import CATALOGUE, Armed, Fault, Faults, Plan
from exchanges.local.faults_engine import Sight, fill_cap, race
from exchanges.local.faults_streams import ArmedStream, StreamFault, StreamFaults, StreamPlan
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


class LocalExchange:
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
            for player in self.players.values():
                player.advance_to(self.clock.market_ns(), self.engine)
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
            race(self.engine, order, plan, self.clock.now_ns())
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
            return sight.of_order(order, self.engine.trades)

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
            return self._sight(plan).of_trades(self.engine.trades)

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

    # What can be done to it

    def arm(self, plan: Plan) -> int:
        """Arm a fault and give its number."""
        with self.lock:
            return self.faults.arm(plan)

    def disarm(self, plan_id: int | None = None) -> None:
        """Disarm one fault, or all, also those of streams."""
        with self.lock:
            self.faults.disarm(plan_id)
            if plan_id is None:
                self.stream_faults.armed.clear()

    def arm_stream(self, plan: StreamPlan) -> None:
        """Arm a fault that strikes an event or a subscription."""
        with self.lock:
            self.stream_faults.armed.append(ArmedStream(plan=plan))

    def strike_streams(self, fault: StreamFault, stream: str = "*") -> None:
        """Let a fault strike all connections with such a stream now."""
        with self.lock:
            for striker in self.strikers:
                striker(StreamPlan(fault=fault, stream=stream))

    def streams(self) -> dict[int, list[str]]:
        """Give what each open connection has subscribed to."""
        with self.lock:
            return dict(self.open_streams)

    def catalogue(self) -> dict[str, str]:
        """Give every fault and condition there is, with a sentence on each."""
        return CATALOGUE

    def armed(self) -> list[Armed]:
        """Give every armed fault, with what it has struck."""
        with self.lock:
            return self.faults.armed()

    def advance(self, seconds: float) -> None:
        """Let the market play on."""
        with self.operation():
            self.clock.advance(seconds)
        with self.operation():
            pass

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market to a price and keep it there; resting orders that it meets trade."""
        with self.operation():
            self.engine.market(symbol)
            self.players[symbol].pin(price, self.engine, self.clock.market_ns())

    def release_price(self, symbol: str) -> None:
        """Let the market go its own way again."""
        with self.operation():
            self.engine.market(symbol)
            self.players[symbol].unpin()

    def set_liquidity(self, symbol: str, factor: Decimal) -> None:
        """Make the book thinner or deeper; 0 leaves one step at each best price."""
        with self.operation():
            self.engine.market(symbol)
            self.players[symbol].liquidity = factor
            self.players[symbol].quote(self.engine, self.clock.market_ns())

    def fill_order(self, client_order_id: str, quantity: Decimal | None = None) -> None:
        """Let somebody trade with a resting order now, wholly or in part."""
        with self.operation():
            order = self._open_order(client_order_id)
            self.engine.fill(order, quantity or order.left, self.clock.now_ns())

    def expire_order(self, client_order_id: str) -> None:
        """Let the exchange take an open order out."""
        with self.operation():
            self.engine.expire(self._open_order(client_order_id), self.clock.now_ns())

    def halt(self, symbol: str, *, is_halted: bool = True) -> None:
        """Stop or resume trading in a symbol; open orders stay."""
        with self.operation():
            self.engine.market(symbol).is_trading = not is_halted
            self._keep_rules()

    def delist(self, symbol: str) -> None:
        """Take a symbol off the list: its open orders expire."""
        with self.operation():
            market = self.engine.market(symbol)
            for order in self.engine.orders.open(symbol):
                self.engine.expire(order, self.clock.now_ns())
            market.is_listed = market.is_trading = False
            self._keep_rules()

    def set_tick(self, symbol: str, tick: Decimal) -> None:
        """Change the price step; open orders stay where they are."""
        with self.operation():
            self.engine.market(symbol).tick = tick
            self._keep_rules()
            self.players[symbol].quote(self.engine, self.clock.market_ns())

    def set_max_orders(self, symbol: str, count: int) -> None:
        """Change how many orders may be open in a symbol."""
        with self.operation():
            self.engine.market(symbol).max_num_orders = count
            self._keep_rules()

    def set_minimum(
        self, symbol: str, quantity: Decimal | None = None, notional: Decimal | None = None
    ) -> None:
        """Change how small an order may be; what is not given stays."""
        with self.operation():
            market = self.engine.market(symbol)
            market.min_quantity = market.min_quantity if quantity is None else quantity
            market.min_notional = market.min_notional if notional is None else notional
            self._keep_rules()

    def deposit(self, asset: str, quantity: Decimal) -> None:
        """Add to a balance, or with a negative quantity withdraw."""
        with self.operation():
            self.engine.move_balance(asset, quantity, self.clock.now_ns())

    def skew_clock(self, skew_ms: int) -> None:
        """Let the exchange's clock differ from the machine's."""
        with self.lock:
            self.clock.skew_ms = skew_ms

    def set_maintenance(self, *, is_on: bool) -> None:
        """Refuse everything, or serve again."""
        with self.lock:
            self.is_under_maintenance = is_on

    def set_page(self, status: int | None) -> None:
        """Answer everything with a page of HTML and this status, or with None serve again."""
        with self.lock:
            self.page_status = status

    def restrict_key(self, *, is_restricted: bool = True) -> None:
        """Let the key read and not trade, or trade again."""
        with self.lock:
            self.is_key_restricted = is_restricted

    def revoke_key(self, *, is_revoked: bool = True) -> None:
        """Refuse the account's key, or accept it again."""
        with self.lock:
            self.is_key_revoked = is_revoked

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
        return [sight.of_order(one, trades) for one in orders if sight.sees(one.ts_created_ns)]


def _symbols(settings: Settings) -> list[str]:
    return list(dict.fromkeys((*settings.symbols, f"{FEE_ASSET}/USDT")))
