"""What a live venue tells of itself, its account and its stream."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from exchanges.capabilities import Capability
from messages.ids import DurationNs, Symbol, TimestampNs, VenueOrderId
from messages.orders import Fill
from messages.values import Instrument, Side


class MarketFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol as the venue lists it. Fee rates are of the notional: 0.001 is 10 bps."""

    instrument: Instrument
    base: str
    quote: str
    max_quantity: Decimal | None
    maker_fee_rate: Decimal | None
    taker_fee_rate: Decimal | None


class VenueFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured and read when the venue was opened."""

    exchange: str
    skew_ns: int
    """The venue's clock minus ours, at the middle of the quickest round trip; either sign."""
    round_trip_ns: DurationNs
    markets: dict[Symbol, MarketFacts]
    capability: Capability
    recv_window_ms: int


class RightState(StrEnum):
    """What is known of a key's right to trade."""

    PROVED = "proved"
    """The exchange has checked an order of this key, and placed none."""
    NOT_ASKED = "not_asked"
    """The exchange has no way to tell, or none that is known: the first order shows it."""
    UNANSWERED = "unanswered"
    """It was asked, and gave no clear answer."""


class TradingRight(msgspec.Struct, frozen=True):
    """Whether the key may trade, and in one sentence how that is known."""

    state: RightState
    text: str


class WithdrawalRight(msgspec.Struct, frozen=True):
    """Whether the key may withdraw, None where nobody told, and that in one sentence."""

    may_withdraw: bool | None
    text: str
    is_unanswered: bool = False
    """It was asked, and gave no clear answer."""


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """One currency of the account: `locked` is held by open orders."""

    free: Decimal
    locked: Decimal


class AccountTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One of the account's executions, whoever placed the order."""

    symbol: Symbol
    side: Side
    venue_order_id: VenueOrderId
    fill: Fill


class StreamPhase(StrEnum):
    """How far the private stream can be relied on."""

    CONNECTING = "connecting"
    LIVE = "live"
    """Subscribed, and compared with REST since."""
    STALE = "stale"
    """REST knew something that the stream had not told in time."""
    BACKOFF = "backoff"
    STOPPED = "stopped"


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """The private stream changed its phase; `retry_in_ms` is set while in backoff."""

    phase: StreamPhase
    reason: str
    attempt: int
    """Connection attempts since it was last live; 0 while it is."""
    retry_in_ms: int
    ts_ns: TimestampNs
