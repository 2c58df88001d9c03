"""One order's life, as messages: from the decision to the last fill."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from messages.base import Delivery, Message, OnRestart, Overflow
from messages.ids import (
    AccountId,
    ClientOrderId,
    Epoch,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
    TradeId,
    VenueOrderId,
)
from messages.values import (
    Instrument,
    Liquidity,
    OrderState,
    OrderType,
    Protection,
    Side,
    TimeInForce,
)

_ORDER_FACT = Delivery(overflow=Overflow.GROW, traced=True)


class OrderIntent(Message, kw_only=True, frozen=True):
    """A strategy decided to trade; nothing is sent yet.

    Strategy -> Executor. Kept over a restart, however long it waits: the Executor refuses one that
    is late, so that it is in the ledger and its strategy hears of it. While the Executor's mailbox
    is full it waits with its strategy; of 1024 that wait, one more is refused (a dead letter).
    """

    delivery: ClassVar[Delivery] = Delivery(traced=True)

    order_key: OrderKey
    account: AccountId
    strategy_id: StrategyId
    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    reference_price: Decimal
    """The price the decision was made at; risk values a market order with it."""
    decided_at_ns: TimestampNs
    """When, on the market's clock."""
    ts_created_ns: TimestampNs
    """When, on the runtime's clock: what its age is counted from."""
    reason: str
    """Why, for a person: ``fast 61480.0 above slow 61475.2``."""
    leaves: Decimal = Decimal(0)
    """The part of `quantity` that leaves what the strategy's decisions would hold. If less is
    really held, for some were refused, less is sent."""
    protection: Protection | None = None
    """Kept by the executor, of what this order adds to the position."""
    replaces: OrderKey | None = None
    """An order of the strategy that is ended first. `quantity` is then that of both together (FIX
    OrderQty of a cancel/replace request): what the former has filled is not asked for again."""

    def trace_id(self) -> str:
        """The decision's own name."""
        return self.order_key

    @property
    def notional(self) -> Decimal:
        """Quantity times limit or reference price, in quote currency, unsigned."""
        return self.quantity * (self.limit_price or self.reference_price)


class CancelIntent(Message, kw_only=True, frozen=True):
    """A strategy decided to end one of its orders; nothing is asked of the venue yet.

    Strategy -> Executor. Kept over a restart, for ever: there is no harm in a late or a second one.
    """

    delivery: ClassVar[Delivery] = _ORDER_FACT

    order_key: OrderKey
    """The decision's own."""
    cancels: OrderKey
    strategy_id: StrategyId
    symbol: Symbol
    side: Side
    """This and the next one are of the order that is to end."""
    quantity: Decimal
    decided_at_ns: TimestampNs
    """When, on the market's clock."""
    ts_created_ns: TimestampNs
    """When, on the runtime's clock."""
    reason: str
    """Why, for a person."""

    def trace_id(self) -> str:
        """The order that is to end."""
        return self.cancels


Intent = OrderIntent | CancelIntent
"""What a strategy decides."""


class CancelAgain(Message, kw_only=True, frozen=True):
    """An order that a strategy wants ended is open still: time for the next cancel.

    Executor -> itself, after a pause. Lost with its incarnation: the next one reads what is wanted.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP, overflow=Overflow.GROW)

    order_key: OrderKey

    def trace_id(self) -> str:
        """The order that is to end."""
        return self.order_key


class Fill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One execution (FIX LastQty, LastPx). `fee` is a cost: positive when paid."""

    trade_id: TradeId
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    ts_event_ns: TimestampNs


class OrderReport(Message, kw_only=True, frozen=True):
    """What the venue says of one order now: its answer, its stream or our question.

    Gateway -> Executor. Kept for ever; a repeated one changes nothing.
    `fills` holds those not reported before, by best effort; trade ids settle it.
    """

    delivery: ClassVar[Delivery] = _ORDER_FACT

    client_order_id: ClientOrderId
    symbol: Symbol
    state: OrderState
    venue_order_id: VenueOrderId | None
    filled_quantity: Decimal
    average_price: Decimal | None
    fills: tuple[Fill, ...]
    reason: str
    evidence: str
    """Where this is known from: ``submit``, ``find``, ``market``, ``error: ...``."""
    ts_event_ns: TimestampNs
    namesakes: tuple[VenueOrderId, ...] = ()
    """Other orders that the venue showed under the same client order id, where it was seen."""


class SubmitDone(Message, kw_only=True, frozen=True):
    """The gateway finished one send; `report.state` says what is known of it.

    Gateway -> Executor. Kept for ever. `epoch` is the Executor incarnation that asked.
    """

    delivery: ClassVar[Delivery] = _ORDER_FACT

    order_key: OrderKey
    epoch: Epoch
    report: OrderReport

    def trace_id(self) -> str:
        """The decision that was sent."""
        return self.order_key


class SendAgain(Message, kw_only=True, frozen=True):
    """An order that was proved absent at the venue is due for its next send.

    Executor -> itself, after a pause. Lost with its incarnation: the next one asks the venue
    about every order that is not final.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP, overflow=Overflow.GROW)

    order_key: OrderKey

    def trace_id(self) -> str:
        """The decision that is sent again."""
        return self.order_key


class LookupDone(Message, kw_only=True, frozen=True):
    """The venue was asked for an order; `report` is None when it surely has no such order.

    Gateway -> Executor. Kept for ever. When the question itself failed, `problem` says
    why and nothing is known.
    """

    delivery: ClassVar[Delivery] = _ORDER_FACT

    order_key: OrderKey
    epoch: Epoch
    report: OrderReport | None
    problem: str

    def trace_id(self) -> str:
        """The decision that was asked about."""
        return self.order_key


class MarketReports(Message, kw_only=True, frozen=True):
    """The paper venue moved orders when the market moved.

    Gateway -> Executor. Kept for ever; the venue's book can be asked again.
    """

    delivery: ClassVar[Delivery] = _ORDER_FACT

    reports: tuple[OrderReport, ...]


class VenueStream(Message, kw_only=True, frozen=True):
    """The venue's stream of our own orders changed its phase.

    Gateway -> Executor. Only the newest matters; REST is asked whatever the stream does.
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.CONFLATE)

    phase: str
    """``connecting``, ``live``, ``stale``, ``backoff`` or ``stopped``."""
    reason: str
    attempt: int
    """Connection attempts since it was last live; 0 while it is."""
    retry_in_ms: int
    ts_ns: TimestampNs


class VenueNotice(Message, kw_only=True, frozen=True):
    """Something about the venue or the account lasts; with no text it is over.

    Gateway -> Executor. Of each name only the newest matters; told anew to each incarnation.
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.CONFLATE)

    name: str
    """What it is about: ``away``, ``key``, ``funds``, ``symbol BTC/USDT``, ``account`` ..."""
    text: str
    """One sentence for `health`: what it is and what a person can do."""

    def conflation_key(self) -> str:
        """A newer word on the same thing replaces the queued one."""
        return self.name


class MarketRules(Message, kw_only=True, frozen=True):
    """A symbol's grid at the venue, as it was read last.

    Gateway -> Executor, anew to each incarnation; Executor -> Strategy when it is another one.
    Only the newest of a symbol matters.
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.CONFLATE)

    instrument: Instrument

    def conflation_key(self) -> Symbol:
        """The newest grid of a symbol replaces the queued one."""
        return self.instrument.symbol


class OrderUpdate(Message, kw_only=True, frozen=True):
    """An order took a step, durably.

    Executor -> Strategy, Metrics. Kept; the ledger is the truth and can be asked.
    """

    delivery: ClassVar[Delivery] = _ORDER_FACT

    order_key: OrderKey
    client_order_id: ClientOrderId
    strategy_id: StrategyId
    symbol: Symbol
    side: Side
    state: OrderState
    quantity: Decimal
    filled_quantity: Decimal
    average_price: Decimal | None
    fills: tuple[Fill, ...]
    reason: str
    decided_at_ns: TimestampNs
    ts_event_ns: TimestampNs
    claim_latency_ns: int | None = None
    """From the decision to its durable claim, on the step that made the claim."""
    late_fills: bool = False
    """Whether this state was told before, and only `fills` are new. Of the strategy,
    only `on_fill` is told."""
    limit_price: Decimal | None = None
    """None for a market order."""
    taken_by_fees: Decimal = Decimal(0)
    """What fees had taken of an exit: so much more was decided than is sent. It is left, too, once
    all that was sent has filled."""

    def trace_id(self) -> str:
        """The decision that moved."""
        return self.order_key


class DuplicateFiltered(Message, kw_only=True, frozen=True):
    """A decision was made again and its key was known: nothing was sent.

    Executor -> Metrics. Kept.
    """

    delivery: ClassVar[Delivery] = _ORDER_FACT

    order_key: OrderKey
    strategy_id: StrategyId
    state: OrderState

    def trace_id(self) -> str:
        """The decision that was made again."""
        return self.order_key


class PriceMark(Message, kw_only=True, frozen=True):
    """The last price of a symbol, for valuing positions.

    Executor -> Metrics. Only the newest matters; dropped at a restart.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP, overflow=Overflow.CONFLATE)

    symbol: Symbol
    price: Decimal
    ts_event_ns: TimestampNs

    def conflation_key(self) -> Symbol:
        """The newest price of a symbol replaces the queued one."""
        return self.symbol
