"""How a local exchange is set up."""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import msgspec

DEFAULT_SYMBOLS = ("BTC/USDT", "ETH/USDT")
DEFAULT_BALANCES = {
    "USDT": Decimal(1_000_000),
    "BTC": Decimal(10),
    "ETH": Decimal(100),
    "BNB": Decimal(100),
}


class Profile(StrEnum):
    """Whose API is played."""

    BINANCE = "binance"
    OKX = "okx"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange with one account. The credentials are play money: they open nothing else."""

    seed: int = 13
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    """In ccxt's form. The pair that prices fees in BNB is added."""
    speed: float = 1.0
    """Market seconds per second; 0 stands until it is advanced."""
    balances: dict[str, Decimal] = msgspec.field(default_factory=DEFAULT_BALANCES.copy)
    fees_in_bnb: bool = False
    profile: Profile = Profile.BINANCE
    state: Path | None = None
    ping_every_s: float = 20.0
    """How often sockets are pinged, and how long they may take to answer."""
    pong_within_s: float = 60.0
    candles: Path | None = None
    """A recording (CSV, gzip, Parquet) that the first symbol follows."""
    api_key: str = "local-key"
    api_secret: str = "local-secret"  # noqa: S105 - of an exchange that is played
    api_password: str = "local-password"  # noqa: S105 - of an exchange that is played
    """OKX only."""
