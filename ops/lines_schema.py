"""The JSON schemas of lines: of `orders`, `trades`, `positions`, and of `start`'s stdout.

`ops.metrics_schema` writes them down. Money is text, exact. A line has these keys and no other.
"""

from typing import Literal

import msgspec

from messages.stops import Cause, StopState
from messages.values import Liquidity, OrderState, OrderType, Side
from ops.left_open import Left


class _Line(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """No other keys."""


class _TimedLine(_Line, kw_only=True):
    at_ns: int
    """When it was so: UTC nanoseconds by the clock of the process."""


class OrderRow(_Line, kw_only=True):
    """One order, as `orders` has it."""

    order_key: str | None
    """Null of an order of the paper venue that the ledger has no decision of."""
    client_order_id: str
    strategy_id: str | None
    symbol: str
    side: Side
    order_type: OrderType
    quantity: str
    limit_price: str | None
    state: OrderState
    filled_quantity: str
    average_price: str | None
    decided_at_ns: int
    """The market's clock."""
    venue_order_id: str | None


class StopRow(_Line, kw_only=True):
    """One stop, as `orders --stops` has it; prices in the quote currency."""

    entry_key: str
    strategy_id: str
    symbol: str
    side: Side
    """The entry's."""
    state: StopState
    protects: str
    stop_loss: str | None
    take_profit: str | None
    trailing: str | None
    best_price: str
    acts_at: str | None
    cause: Cause | None
    acted_at_ns: int | None
    """The market's clock."""
    acted_price: str | None
    released: str
    exits: list[str]
    failed: int
    why: str | None
    problem: str | None
    """Why it cannot act, or leave, by itself, as `health` says; null where it can."""


class TradeRow(_Line, kw_only=True):
    """One execution, as `trades` has it."""

    trade_id: str
    order_key: str
    strategy_id: str
    symbol: str
    side: Side
    price: str
    quantity: str
    fee: str
    fee_currency: str
    liquidity: Liquidity
    ts_event_ns: int
    """The market's clock."""


class PositionRow(_Line, kw_only=True):
    """What a strategy holds of a symbol, or all of them, as `positions` has it."""

    scope: Literal["strategy", "total"]
    strategy_id: str | None
    """Null of a total."""
    symbol: str
    quantity: str
    """Signed: base currency."""
    average_cost: str
    realized: str
    unrealized: str
    mark_price: str | None
    mark_source: Literal["market", "last_fill"] | None
    fees: dict[str, str]
    """By currency."""
    executions: int
    filled_without_executions: str
    in_config: bool | None
    """Null where no start's configuration is known."""
    stops: list[StopRow]


class LineCounters(_Line, kw_only=True):
    """Of this process."""

    processed: int
    allowed: int
    sent: int
    accepted: int
    rejected: int
    filled: int
    errors: int
    retries: int
    dupes_filtered: int


class StartLine(_TimedLine, kw_only=True, tag_field="event", tag="start"):
    """The first line: what runs."""

    name: str
    mode: Literal["paper", "live"]
    feed: str
    venue: str
    symbols: list[str]
    strategies: list[str]
    run_dir: str


class StatusLine(_TimedLine, kw_only=True, tag_field="event", tag="status"):
    """Once a second."""

    verdict: Literal["OK", "WARNING", "CRITICAL", "UNKNOWN"]
    why: str
    counters: LineCounters
    market: dict[str, str]
    """The last price by symbol."""
    uptime_s: float


class OrderLine(_TimedLine, kw_only=True, tag_field="event", tag="order"):
    """A step of an order."""

    decided_at_ns: int
    """The market's clock."""
    order_key: str
    strategy_id: str
    symbol: str
    side: Side
    state: OrderState
    quantity: str
    filled_quantity: str
    average_price: str | None
    reason: str


class SupervisionLine(_TimedLine, kw_only=True, tag_field="event", tag="supervision"):
    """An actor was started, ended, restarted, or was given up."""

    child: str
    what: str
    reason: str
    epoch: int


class DemoKillLine(_TimedLine, kw_only=True, tag_field="event", tag="demo_kill"):
    """The demo kills an actor of its own, on purpose; what supervision does about it follows."""

    actor: str
    reason: str


class VenueEnd(_Line, kw_only=True):
    """The paper venue's book against the ledger."""

    orders: int
    doubled: int
    unexplained: int


class DroppedRows(_Line, kw_only=True):
    """What one feed could not use of its recording."""

    malformed: int
    duplicate: int
    out_of_order: int
    cut_off: list[str]
    """A sentence for each file whose end cannot be read; each is one of the malformed."""
    first: list[str]
    """The first few rows, each ``file:line: sentence``."""


class RecordingGap(_Line, kw_only=True):
    """Where something is missing between two rows; `missing` is 0 where nobody knows how many."""

    symbol: str
    place: str
    """``file:line`` of the row after it."""
    missing: int
    lasted_s: float


class RecordingGaps(_Line, kw_only=True):
    """The gaps of one recording."""

    gaps: int
    missing: int
    first: list[RecordingGap]
    """The first few."""


class EndLine(_TimedLine, kw_only=True, tag_field="event", tag="end"):
    """The last line: what came of it."""

    reason: str
    exit_code: int
    counters: LineCounters
    rejects_by_reason: dict[str, int]
    why_nothing: dict[str, str]
    dropped: dict[str, DroppedRows]
    """By feed; empty where every row was used."""
    gaps: dict[str, RecordingGaps]
    """By feed of a recording; empty where there is none."""
    profit: dict[str, str]
    """By quote currency, since this process began; to two digits, small ones to more."""
    profit_since_beginning: dict[str, str] | None
    """Of the run directory; null where it is not known."""
    other_fees: dict[str, str]
    """Of the run directory, in a third currency: no price of it is known, and no profit has it."""
    restarts: int
    left: Left | None
    """Of a live run: what may still fill, and which stops nobody keeps; null on paper."""
    venue: VenueEnd | None
    run_dir: str


START_LINES: tuple[type, ...] = (
    StartLine, StatusLine, OrderLine, SupervisionLine, DemoKillLine, EndLine,
)  # fmt: skip
