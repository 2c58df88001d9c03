"""What a configuration is once every mistake is out of it."""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec

from decisions.alert_rules import AlertLimits
from decisions.alerting import NoticeLimits
from decisions.risk_limits import Notional
from messages.ids import NS_PER_S, StrategyId, Symbol
from ops.config_records import JournalConfig, LogsConfig

SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
"""The letters that a timeframe ends in, as ccxt writes them."""


class Mode(StrEnum):
    """Whose money is traded."""

    PAPER = "paper"
    LIVE = "live"


class OnDifference(StrEnum):
    """What follows when the account holds something else than the executions explain."""

    REPORT = "report"
    HALT = "halt"


class FeedType(StrEnum):
    """Where the market comes from."""

    DEMO = "demo"
    REPLAY = "replay"
    CCXT = "ccxt"
    NATS = "nats"
    """Another process follows the market and publishes it."""


class BusClock(StrEnum):
    """Whose time a market on the bus goes by."""

    REAL = "real"
    MARKET = "market"
    """A generated or recorded one: all that the stream has is decided, as in a replay."""


class VenueType(StrEnum):
    """Where orders go."""

    PAPER = "paper"
    CCXT = "ccxt"


class IdempotencyBackend(StrEnum):
    """What remembers the orders."""

    SQLITE = "sqlite"
    MEMORY = "memory"
    """Forgets everything with the process: for trials and benchmarks."""
    POSTGRES = "postgres"


class NatsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[feed.nats]`. Secrets are in the environment; here are the names of the variables."""

    url: str
    stream: str
    clock: BusClock
    user_env: str | None
    password_env: str | None
    token_env: str | None
    credentials_env: str | None
    """The variable with the path of a ``.creds`` file."""
    ca_file: str | None = None
    """Certificates in PEM, whose word is taken for the server's; absolute."""

    @property
    def secret_variables(self) -> tuple[str, ...]:
        """The environment variables whose values must never be shown."""
        named = (self.user_env, self.password_env, self.token_env)
        return tuple(name for name in named if name)


class FeedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[feed]`."""

    type: FeedType
    symbols: tuple[Symbol, ...]
    paths: dict[Symbol, Path | list[Path]]
    """A file or a folder per symbol, or several files, absolute; empty unless this is a replay."""
    speed: float
    """Market seconds per second; 0 is as fast as possible."""
    timeframe: str
    seed: int
    """Of the demo's market: the same seed makes the same candles."""
    limit: int | None
    """End after so many events per symbol."""
    window: int
    """Events that a feed may run ahead of its slowest follower."""
    batch: int
    channels: tuple[str, ...]
    """Of a ccxt feed: ``candles``, ``trades``, ``ticks``."""
    quiet_ms: int
    """Of a ccxt feed: a stream that is silent for longer is compared with REST."""
    poll_ms: int
    """Of a ccxt feed: how often is asked where there is no stream."""
    ccxt: dict[str, Any]
    """For ccxt's constructor; empty takes the venue's."""
    nats: NatsConfig | None = None
    """Of a feed over NATS, and of none other."""

    @property
    def is_connected(self) -> bool:
        """Whether the market comes over a connection, which has a gate and may be lost."""
        return self.type in (FeedType.CCXT, FeedType.NATS)

    @property
    def is_live(self) -> bool:
        """Whether it happens now, on a clock that waits for nobody."""
        if self.nats is not None:
            return self.nats.clock is BusClock.REAL
        return self.type is FeedType.CCXT

    @property
    def timeframe_ns(self) -> int:
        """The length of one candle."""
        return int(self.timeframe[:-1]) * SECONDS_PER_UNIT[self.timeframe[-1]] * NS_PER_S


class VenueConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[venue]`. One basis point (bps) is a hundredth of a percent."""

    type: VenueType
    exchange: str
    api_key_env: str | None
    """The name of an environment variable, never the key; as are the next two."""
    api_secret_env: str | None
    api_password_env: str | None
    balances: dict[str, Decimal]
    maker_fee_bps: Decimal
    """Of the notional; negative is a rebate."""
    taker_fee_bps: Decimal
    slippage_bps: Decimal
    latency_ms: int
    account_interval_s: int
    """Live: how often the account is compared with the ledger."""
    participation: Decimal
    """How much of a candle's volume one order may take, above 0 and at most 1."""
    lease_dir: Path | None
    """Where the leases of accounts stand; None is this user's own place."""
    lease_ms: int | None
    """How long a lease lasts; None is as long as suits the exchange."""
    ccxt: dict[str, Any]

    @property
    def secret_variables(self) -> tuple[str, ...]:
        """The environment variables whose values must never be shown."""
        named = (self.api_key_env, self.api_secret_env, self.api_password_env)
        return tuple(name for name in named if name)


class StrategyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[strategy]]`."""

    id: StrategyId
    uses: str
    """A registered name, or ``/path/to/file.py:ClassName``."""
    symbol: Symbol
    """The first of its symbols."""
    symbols: tuple[Symbol, ...]
    """All that it trades."""
    order_notional: Decimal
    params: dict[str, Any]


class RiskConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[risk]`. Money is in quote currency; None or empty is no limit."""

    max_order_notional: Notional
    max_position_notional: Notional | None
    max_open_orders: int
    max_open_orders_per_symbol: int
    max_orders_per_minute: int
    """Per symbol."""
    max_decision_age_ms: int
    price_collar_bps: Decimal
    max_daily_loss: dict[str, Decimal]
    """By quote currency."""
    max_drawdown: dict[str, Decimal]
    """By quote currency."""
    max_market_age_ms: int
    cooldown_ms: int
    on_account_difference: OnDifference
    allow_short: bool
    """Live: whether more may be sold than this run has bought."""


class IdempotencyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[idempotency]`."""

    backend: IdempotencyBackend
    database_url_env: str | None
    """The name of an environment variable, never the address: that holds a password."""


class MetricsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[metrics]`."""

    enabled: bool
    rotate_max_mb: int
    rotate_max_lines: int | None
    rotate_max_age_s: int | None
    rotate_keep: int
    sample_every: int
    interval_s: int
    prometheus_file: Path | None
    """Relative to the run directory."""
    http: str | None
    http_token_env: str | None
    """The name of an environment variable, never the token."""


class SupervisionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[supervision]`."""

    strategy_max_restarts: int
    strategy_window_s: int
    backoff_min_ms: int
    backoff_max_ms: int
    hang_after_s: int


class RuntimeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[runtime]`."""

    one_cpu: bool | Literal["auto"]
    """Keep all threads on one CPU: one runs at a time anyway, and waking the next is cheaper.
    With ``auto`` for as long as nobody else needs it."""
    wait_for_services_s: int
    """How long a start waits for an exchange, a bus or a database that is only away."""


class AlertsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[alerts]`."""

    enabled: bool
    urls_env: str
    """The name of an environment variable, never an address: those hold secrets."""
    unknown_after_s: int
    stale_after_s: int | None
    """None: each feed's own limit."""
    drawdown: dict[str, Decimal]
    """By quote currency; empty is none."""
    errors_per_minute: int
    disk_free_mb: int
    per_hour: int
    per_key_per_hour: int
    calm_s: int

    @property
    def limits(self) -> AlertLimits:
        """From where on a measure is a fault."""
        return AlertLimits(
            unknown_after_s=self.unknown_after_s,
            stale_after_s=self.stale_after_s,
            drawdown=self.drawdown,
            errors_per_minute=self.errors_per_minute,
            disk_free_mb=self.disk_free_mb,
        )

    @property
    def notice_limits(self) -> NoticeLimits:
        """How much a person is told."""
        return NoticeLimits(
            per_hour=self.per_hour,
            per_key_per_hour=self.per_key_per_hour,
            calm_s=self.calm_s,
        )


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file, with every default filled in."""

    name: str
    run_dir: Path
    """Relative to the working directory, as `--run-dir` is."""
    mode: Mode
    feed: FeedConfig
    venue: VenueConfig
    strategies: tuple[StrategyConfig, ...]
    risk: RiskConfig
    idempotency: IdempotencyConfig
    metrics: MetricsConfig
    supervision: SupervisionConfig
    runtime: RuntimeConfig
    logs: LogsConfig
    alerts: AlertsConfig
    journal: JournalConfig

    @property
    def traded_symbols(self) -> tuple[Symbol, ...]:
        """The symbols of all strategies, each once, in their order."""
        return tuple(dict.fromkeys(s for strategy in self.strategies for s in strategy.symbols))
