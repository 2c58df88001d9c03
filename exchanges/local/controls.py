"""What can be done to the local exchange beside trading at it: faults, and conditions of its own.

Each method may be called from any thread; each is also a word of the control API.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from threading import RLock

from exchanges.local.clock import Clock
from exchanges.local.engine import Engine
from exchanges.local.faults import CATALOGUE, Armed, Faults, Plan
from exchanges.local.faults_streams import ArmedStream, StreamFault, StreamFaults, StreamPlan
from exchanges.local.market import Player
from exchanges.local.orders import Order


class Controls(ABC):
    """An exchange as who torments it sees it."""

    lock: RLock
    clock: Clock
    faults: Faults
    stream_faults: StreamFaults
    strikers: list[Callable[[StreamPlan], None]]
    open_streams: dict[int, list[str]]
    engine: Engine
    players: dict[str, Player]
    is_under_maintenance: bool
    is_key_revoked: bool
    is_key_restricted: bool
    may_key_withdraw: bool
    page_status: int | None

    @abstractmethod
    def operation(self) -> AbstractContextManager[None]:
        """Do something at the present moment: the market is brought up to it before."""

    @abstractmethod
    def _open_order(self, client_order_id: str) -> Order:
        """Give the open order of that name."""

    @abstractmethod
    def _keep_rules(self) -> None:
        """Write the markets' rules down, where there is a state file."""

    # ------------------------------------------------------------ faults

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

    # ------------------------------------------------------------ conditions

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
            self.engine.fill(order, quantity or order.left, self.clock.market_ns())

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

    def let_key_withdraw(self, *, is_allowed: bool = True) -> None:
        """Let the key withdraw, too, as far as it is told; or not."""
        with self.lock:
            self.may_key_withdraw = is_allowed

    def revoke_key(self, *, is_revoked: bool = True) -> None:
        """Refuse the account's key, or accept it again."""
        with self.lock:
            self.is_key_revoked = is_revoked
