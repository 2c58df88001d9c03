"""What a live run has around its orders; each can be left out, to see what it costs."""

from decimal import Decimal
from typing import NamedTuple

from decisions.risk import RiskLimits
from ops.config_records import JournalConfig, JournalWhen

_MUCH = Decimal(10**15)
_MANY = 10**9
SAMPLE_EVERY = 1_000
JOURNAL = JournalConfig(when=JournalWhen.LIVE, rotate_mb=16, keep=100, keep_mb=1_000, keep_days=30)
"""As a config has it that says nothing of it."""


class Safety(NamedTuple):
    """Whether a system has each; the ledger, the executor and the lines of orders it always has."""

    limits: bool = True
    """Every limit of `[risk]`, and the market that they are asked of shown to the executor."""
    journal: bool = True
    metrics: bool = True
    """Stages and hops gathered, the ledger measured, the summary written."""
    lease: bool = True
    """Of the account, renewed, asked at each request; and the ledger fenced by its writer."""


WHOLE = Safety()
LEDGER_ALONE = Safety(limits=False, journal=False, metrics=False, lease=False)
PARTS = {name: LEDGER_ALONE._replace(**{name: True}) for name in Safety._fields}


def limits_of(safety: Safety, *, straight: bool) -> RiskLimits:
    """Give limits that are all asked and refuse nothing.

    `straight`: for who tells intents without a strategy, many of one moment, which sell what is
    not bought yet.
    """
    if not safety.limits:
        return RiskLimits()
    return RiskLimits(
        max_order_notional=_MUCH,
        max_position_notional=_MUCH,
        max_open_orders=_MANY,
        max_open_orders_per_symbol=_MANY,
        max_orders_per_minute=_MANY,
        price_collar_bps=_MUCH,
        max_daily_loss={"USDT": _MUCH},
        max_drawdown={"USDT": _MUCH},
        max_market_age_ms=10**15,  # the ticks of a benchmark have a clock of their own
        cooldown_ms=0 if straight else 1,
        allow_short=straight,
    )
