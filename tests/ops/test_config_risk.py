"""The `[risk]` table: what it says, what it refuses, and what the gate makes of it."""

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from decisions.risk import RiskLimits
from messages.errors import ConfigError
from ops.config import Config, effective_toml, parse
from ops.config_risk import risk_limits
from ops.config_schema import Mode

ONE = 'name = "x"\n[[strategy]]\nid = "a"\nuses = "sma_cross"\n'
TWO = ONE + '[feed]\nsymbols = ["BTC/USDT", "ETH/BTC"]\n'


def config_of(text: str) -> Config:
    return parse(tomllib.loads(text), Path())


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config_of(text)
    return caught.value.problems


def test_every_limit_reaches_the_gate() -> None:
    risk = config_of(
        ONE
        + """
        [risk]
        max_order_notional = "1.1"
        max_position_notional = "2.2"
        max_open_orders = 3
        max_open_orders_per_symbol = 4
        max_orders_per_minute = 5
        max_decision_age_ms = 6
        price_collar_bps = "7.7"
        max_daily_loss = "8.8"
        max_drawdown = "9.9"
        max_market_age_ms = 10
        cooldown_ms = 11
        """
    ).risk

    assert risk.max_decision_age_ms == 6
    assert risk_limits(risk, replayed=False) == RiskLimits(
        max_order_notional=Decimal("1.1"),
        max_position_notional=Decimal("2.2"),
        max_open_orders=3,
        max_open_orders_per_symbol=4,
        max_orders_per_minute=5,
        price_collar_bps=Decimal("7.7"),
        max_daily_loss={"USDT": Decimal("8.8")},
        max_drawdown={"USDT": Decimal("9.9")},
        max_market_age_ms=10,
        cooldown_ms=11,
        allow_short=False,
    )


def test_a_replay_is_not_held_to_what_depends_on_the_speed_of_the_machine() -> None:
    limits = risk_limits(config_of(ONE).risk, replayed=True)

    assert limits.max_market_age_ms is None
    assert limits.max_open_orders is limits.max_open_orders_per_symbol is None
    assert limits.price_collar_bps == 500


@pytest.mark.parametrize(
    ("replayed", "live", "allowed"),
    [(False, True, False), (True, True, False), (False, False, False), (True, False, True)],
)
def test_what_was_not_bought_is_not_sold_on_a_live_market_or_at_a_real_venue(
    replayed: bool, live: bool, allowed: bool
) -> None:
    risk, asked = config_of(ONE).risk, config_of(ONE + "[risk]\nallow_short = true").risk

    assert risk_limits(risk, replayed=replayed, live=live).allow_short is allowed
    assert risk_limits(asked, replayed=replayed, live=live).allow_short


@pytest.mark.parametrize("key", ["max_order_notional", "max_position_notional"])
def test_a_notional_may_be_an_amount_for_each_quote_currency(key: str) -> None:
    """Of ETH/BTC beside BTC/USDT a thousand is a thousand BTC: one amount is no limit for both."""
    config = config_of(f'{TWO}[risk]\n{key} = {{ USDT = "500", BTC = "0.01" }}')

    amounts = {"USDT": Decimal(500), "BTC": Decimal("0.01")}
    assert getattr(config.risk, key) == amounts
    assert getattr(risk_limits(config.risk, replayed=True), key) == amounts
    assert config_of(effective_toml(config)) == config
    one = config_of(f'{ONE}[risk]\n{key} = {{ USDT = "500" }}')
    assert getattr(one.risk, key) == 500


def live(feed: str, more: str = "", risk: str = "") -> str:
    venue = 'type = "ccxt"\nexchange = "binance"\napi_key_env = "K"\napi_secret_env = "S"\n'
    head = f'name = "x"\nmode = "live"\n[venue]\n{venue}[feed]\ntype = "ccxt"\n{feed}\n'
    tail = f'[[strategy]]\nid = "a"\nuses = "sma_cross"\n{more}\n[risk]\n{risk}\n'
    return head + tail


def test_live_no_default_made_for_dollars_is_taken_for_bitcoins() -> None:
    cross = 'symbols = ["ETH/BTC"]'

    assert problems_of(live(cross)) == [
        "strategy[0].order_notional: got nothing, expected a quoted decimal: the default would be"
        " 100 BTC",
        "risk.max_order_notional: got nothing, expected a quoted decimal: the default would be"
        " 1000 BTC",
    ]
    said = live(cross, 'order_notional = "0.01"', 'max_order_notional = "0.02"')
    assert config_of(said).risk.max_order_notional == Decimal("0.02")
    assert config_of(live('symbols = ["BTC/USDT"]')).strategies[0].order_notional == 100
    assert config_of(TWO).risk.max_order_notional == 1000, "on paper nothing is lost"


@pytest.mark.parametrize("key", ["max_order_notional", "max_position_notional"])
def test_live_one_amount_is_not_taken_for_dollars_and_bitcoins(key: str) -> None:
    both = 'symbols = ["BTC/USDT", "ETH/BTC"]'
    more = 'order_notional = "0.01"\nsymbols = ["BTC/USDT", "ETH/BTC"]'
    each = {"max_order_notional": '{ USDT = "9", BTC = "1" }'}

    def said(value: str) -> str:
        limits = "\n".join(f"{name} = {text}" for name, text in (each | {key: value}).items())
        return live(both, more, limits)

    assert problems_of(said('"5"')) == [
        f'risk.{key}: got "5", expected an amount for each quote currency, such as'
        ' { USDT = "100", BTC = "100" }'
    ]
    assert config_of(said('{ USDT = "9", BTC = "1" }')).mode is Mode.LIVE


def test_loss_limits_are_there_only_when_they_are_set() -> None:
    limits = risk_limits(config_of(ONE).risk, replayed=False)

    assert limits.max_daily_loss == limits.max_drawdown == {}


@pytest.mark.parametrize("key", ["max_daily_loss", "max_drawdown"])
def test_each_quote_currency_has_its_own_loss_limit(key: str) -> None:
    config = config_of(f'{TWO}[risk]\n{key} = {{ USDT = "100", BTC = "0.01" }}')

    assert getattr(config.risk, key) == {"USDT": Decimal(100), "BTC": Decimal("0.01")}
    assert config_of(effective_toml(config)) == config


@pytest.mark.parametrize(
    ("base", "line", "sentence"),
    [
        (ONE, "max_open_orders = 0", "risk.max_open_orders: got 0, expected a whole number of 1"),
        (ONE, "cooldown_ms = -1", "risk.cooldown_ms: got -1, expected a whole number of 0 or more"),
        (ONE, "price_collar_bps = 0", "risk.price_collar_bps: got 0, expected a quoted decimal ab"),
        (ONE, "price_collar_bps = 1.5", 'got 1.5, expected it quoted, to be exact: "1.5"'),
        (ONE, 'max_drawdown = "0"', 'risk.max_drawdown: got "0", expected a quoted decimal above'),
        (ONE, 'max_drawdown = "NaN"', 'risk.max_drawdown: got "NaN", expected a quoted decimal'),
        (ONE, "max_drawdown = []", "risk.max_drawdown: got a list, expected a quoted decimal"),
        (ONE, "max_daily_los = 5", 'risk.max_daily_los: unknown key; did you mean "max_daily_l'),
        (ONE, "max_position_notional = -1", "risk.max_position_notional: got -1, expected a quo"),
        (
            TWO,
            'max_order_notional = { USDT = "5" }',
            "risk.max_order_notional: got a table, expected an amount for each of USDT, BTC",
        ),
        (
            TWO,
            'max_daily_loss = "5"',
            'risk.max_daily_loss: got "5", expected an amount for each quote currency, such as '
            '{ USDT = "100", BTC = "100" }',
        ),
        (
            TWO,
            'max_daily_loss = { USDT = "5" }',
            "risk.max_daily_loss: got a table, expected an amount for each of USDT, BTC",
        ),
        (
            TWO,
            'max_daily_loss = { USDT = "5", BTC = "1", BTX = "1" }',
            'risk.max_daily_loss.BTX: unknown key; did you mean "BTC"?',
        ),
        (
            TWO,
            'max_daily_loss = { USDT = "5", BTC = "1", XMR = "1" }',
            "risk.max_daily_loss.XMR: unknown key (known: USDT, BTC)",
        ),
        (
            TWO,
            'max_daily_loss = { USDT = "5", BTC = 0.1 }',
            'risk.max_daily_loss.BTC: got 0.1, expected it quoted, to be exact: "0.1"',
        ),
    ],
)
def test_a_limit_that_is_none_is_named_with_what_is_expected(
    base: str, line: str, sentence: str
) -> None:
    (found,) = problems_of(f"{base}[risk]\n{line}")

    assert sentence in found
