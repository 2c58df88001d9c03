"""An executor whose venue is the test: what it sends and asks is written down, answered by hand."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from actors.account_desk import AccountSettings, AccountView
from actors.address import Address
from actors.executor import ExecutorActor, ExecutorKept
from actors.gateway import Gateway
from decisions.order_keys import client_order_id, order_key
from decisions.risk import RiskLimits
from exchanges.protocol import NewOrder
from messages.base import Message
from messages.ids import (
    NS_PER_S,
    AccountId,
    Epoch,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
    TradeId,
    VenueOrderId,
)
from messages.market import MarketBatch, MarketEvent, Trade
from messages.orders import Fill, LookupDone, OrderIntent, OrderReport, SubmitDone
from messages.values import Liquidity, OrderState, OrderType, Side, TimeInForce
from persistence.ledger import LedgerEntry, SqliteLedger, read_orders
from tests.actors.hand_runtime import DRIVEN, Driven, HandRuntime

BTC = Symbol("BTC/USDT")
ONE = Decimal(1)
PATIENCE_NS = 60 * NS_PER_S
OPENED: list[Any] = []
"""Ledgers that a test has opened; closed after it (`close_all`)."""

RUNNING: list[HandRuntime] = []
"""Threads that a test has begun; ended after it."""


MADE: deque["OrderPath"] = deque(maxlen=256)
"""Those of this test, the last ones of a machine's: what brought an executor down is looked at."""

PLANTED = (
    "ActorCrashed",
    "ActorUnavailable",
    "LedgerConflict",
    "LedgerFenced",
    "LedgerLost",
    "LedgerUnavailable",
    "Planted",
    "VenueFailed",
)
"""What tests have an executor meet; any other error is a mistake of ours."""


class Planted(Exception):
    """What no code of ours raises: a test brings an executor down with it."""


def mistakes() -> list[str]:
    """Give what has brought executors down and no test has planted; forget about them."""
    errors = [path.cell.last_error for path in MADE if path.cell.last_error]
    MADE.clear()
    return [error for error in errors if error.partition(":")[0] not in PLANTED]


def close_all() -> None:
    """Threads before ledgers: what runs may yet use one, and is to close it.

    A ledger that the thread of its incarnation has left open refuses to be closed by another.
    """
    while RUNNING:
        RUNNING.pop().end()
    while OPENED:
        OPENED.pop().close()


class Asked(NamedTuple):
    """A call of the gateway that waits for its answer."""

    epoch: Epoch
    key: OrderKey
    order: NewOrder


class HandGateway(Gateway):
    """Writes down what reaches it, and does nothing."""

    def __init__(self, executor: Address[Any], utc_ns: Callable[[], TimestampNs]) -> None:
        super().__init__(executor, utc_ns)
        self.sent: list[Asked] = []
        self.asked: list[Asked] = []
        self.canceled: list[Asked] = []
        self.listed: list[tuple[Epoch, int, tuple[Symbol, ...]]] = []
        self.accounts: list[Epoch] = []
        """Who asked what the account holds."""

    def submit(
        self,
        epoch: Epoch,
        key: OrderKey,
        order: NewOrder,
        *,
        sent_at_ns: int,
        good_until_ns: int | None,
    ) -> None:
        self.sent.append(Asked(epoch, key, order))

    def find(self, epoch: Epoch, key: OrderKey, order: NewOrder, *, sent_at_ns: int) -> None:
        self.asked.append(Asked(epoch, key, order))

    def cancel(self, epoch: Epoch, key: OrderKey, order: NewOrder) -> None:
        self.canceled.append(Asked(epoch, key, order))

    def list_open(self, epoch: Epoch, question: int, symbols: Iterable[Symbol]) -> None:
        self.listed.append((epoch, question, self._all_symbols(symbols)))

    def ask_account(self, epoch: Epoch) -> None:
        self.accounts.append(epoch)

    def market(self, batch: MarketBatch, done: Callable[[int], object]) -> None:
        done(batch.first_index + len(batch.events))

    def live_market(self, event: MarketEvent) -> None:
        """Nothing follows."""

    def flush(self, timeout_ns: int) -> bool:
        return True


class OrderPath:
    """One executor cell on a ledger file, from one incarnation to the next."""

    runs_on: ClassVar[str] = "steps"
    """Which of `DRIVEN` a path is made on; an actor test says (`conftest`)."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: RiskLimits | None = None,
        max_decision_age_ns: int | None = None,
        open_ledger: Callable[[], Any] | None = None,
        account: tuple[AccountSettings, AccountView] | None = None,
        make_gateway: Callable[[Address[Any], Callable[[], TimestampNs]], Any] = HandGateway,
        start_ns: int = 1_000_000 * NS_PER_S,
        managed: Collection[StrategyId] = (),
        traded: Collection[tuple[StrategyId, Symbol]] = (),
    ) -> None:
        self.runtime: Driven = DRIVEN[self.runs_on](start_ns=start_ns, ttl_enforced=False)
        if isinstance(self.runtime, HandRuntime):
            RUNNING.append(self.runtime)
        MADE.append(self)
        self.path = folder / "ledger.db"
        self.address = self.runtime.address("executor")
        self.gateway: HandGateway = make_gateway(self.address, self.runtime.clock.utc_ns)
        self.kept = ExecutorKept()
        strategy = self.runtime.address("strategy")
        self.cell = self.runtime.populate(
            "executor",
            ExecutorActor,
            {
                "open_ledger": lambda: self._opened(open_ledger),
                "gateway": self.gateway,
                "limits": limits or RiskLimits(),
                "max_decision_age_ns": max_decision_age_ns,
                "kept": self.kept,
                "metrics": self.runtime.address("metrics"),
                "strategies": {StrategyId("one"): strategy},
                "feeds": {},
                "account": account,
                "managed": managed,
                "traded": traded,
            },
        )

    def _opened(self, open_ledger: Callable[[], Any] | None) -> Any:
        ledger = open_ledger() if open_ledger is not None else SqliteLedger(self.path)
        OPENED.append(ledger)
        return ledger

    # ------------------------------------------------------------ lives

    def start(self) -> Self:
        """Begin an incarnation; a living one is fenced, as a hung one is."""
        started = self.runtime.start(self.cell)
        assert not started.problem, started.problem
        return self.rest()

    def stop(self) -> None:
        self.runtime.stop(self.cell, PATIENCE_NS, drain=True)

    def rest(self) -> Self:
        """Let everybody work until nothing waits; time stands still."""
        self.runtime.run_until_idle()
        return self

    def after(self, seconds: float) -> Self:
        self.runtime.run_for(int(seconds * NS_PER_S))
        return self

    # ------------------------------------------------------------ what is told

    def tell(self, *messages: Message) -> Self:
        """Put all of them in the mailbox before any is worked off."""
        held = self.runtime.held() if isinstance(self.runtime, HandRuntime) else nullcontext()
        with held:
            for message in messages:
                self.address.tell(message)
        return self.rest()

    def price(self, price: str) -> Self:
        """Let the market trade at it, a second later."""
        self.after(1)
        at = self.runtime.clock.utc_ns()
        return self.tell(
            Trade(
                symbol=BTC,
                price=Decimal(price),
                quantity=Decimal(1),
                aggressor_side=None,
                ts_event_ns=at,
            )
        )

    def intent(self, number: int = 0, side: Side = Side.BUY, **changes: Any) -> OrderIntent:
        now_ns = self.runtime.clock.utc_ns()
        fields: dict[str, Any] = {
            "order_key": key_of(number),
            "account": AccountId("main"),
            "strategy_id": StrategyId("one"),
            "symbol": BTC,
            "side": side,
            "order_type": OrderType.MARKET,
            "time_in_force": TimeInForce.GTC,
            "quantity": ONE,
            "limit_price": None,
            "reference_price": Decimal(100),
            "decided_at_ns": TimestampNs(now_ns),
            "ts_created_ns": TimestampNs(now_ns),
            "reason": "",
        }
        return OrderIntent(**fields | changes)

    def submitted(self, number: int, state: OrderState, filled: str = "0") -> SubmitDone:
        """The answer to the last send of an order."""
        call = [one for one in self.gateway.sent if one.key == key_of(number)][-1]
        report = self.report(number, state, filled)
        return SubmitDone(order_key=call.key, epoch=call.epoch, report=report)

    def answer(self, asked: Asked, report: OrderReport | None, problem: str = "") -> LookupDone:
        return LookupDone(order_key=asked.key, epoch=asked.epoch, report=report, problem=problem)

    def report(
        self, number: int, state: OrderState, filled: str = "0", fills: tuple[Fill, ...] = ()
    ) -> OrderReport:
        return OrderReport(
            client_order_id=client_order_id(key_of(number)),
            symbol=BTC,
            state=state,
            venue_order_id=VenueOrderId(f"v{number}"),
            filled_quantity=Decimal(filled),
            average_price=Decimal(100) if Decimal(filled) else None,
            fills=fills,
            reason="",
            evidence="test",
            ts_event_ns=TimestampNs(0),
        )

    # ------------------------------------------------------------ what is seen

    @property
    def actor(self) -> ExecutorActor:
        """Only while all rest; what holds the ledger is looked at `inside`."""
        assert self.cell.life is not None
        actor = self.cell.life.actor_ref._actor_weakref()
        assert isinstance(actor, ExecutorActor)
        return actor

    def inside(self, look: Callable[[ExecutorActor], Any]) -> Any:
        """Look at the executor where it runs: on threads its ledger answers no other thread."""
        actor = self.actor
        if isinstance(self.runtime, HandRuntime):
            return self.runtime.inside(self.cell, lambda: look(actor))
        return look(actor)

    def order(self, number: int) -> LedgerEntry:
        return self.orders()[key_of(number)]

    def orders(self) -> Mapping[OrderKey, LedgerEntry]:
        return {entry.order_key: entry for entry in read_orders(self.path)}

    def matters(self) -> dict[str, str]:
        """Give what a person must settle, by kind."""
        return {one.kind: one.problem for one in self.kept.board.matters}

    def sends(self, number: int) -> int:
        return sum(one.key == key_of(number) for one in self.gateway.sent)


class OnSteps(OrderPath):
    """Where no fixture says it: in the machines of Hypothesis."""

    runs_on = "steps"


class OnThreads(OrderPath):
    """The same on threads."""

    runs_on = "threads"


def key_of(number: int) -> OrderKey:
    return order_key(AccountId("main"), StrategyId("one"), BTC, TimestampNs(1), number)


def fill(name: str, quantity: str = "1", price: str = "100") -> Fill:
    return Fill(
        trade_id=TradeId(name),
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(0),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(1),
    )
