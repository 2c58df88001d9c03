"""The `[risk]` of a configuration, and the limits that it makes."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from decisions.risk_limits import Notional, RiskLimits
from messages.ids import Symbol, quote_of
from messages.values import DEAR_QUOTES
from ops.config_reader import TableReader
from ops.config_schema import OnDifference, RiskConfig, StrategyConfig

_MAX_ORDER = "1000"


def check_defaults(root: TableReader, strategies: Sequence[StrategyConfig]) -> None:
    """Refuse to send a hundred bitcoins because nobody said how much: with money that is real."""
    dear = ""
    for reader, strategy in zip(root.tables("strategy"), strategies, strict=False):
        found = [quote for quote in map(quote_of, strategy.symbols) if quote in DEAR_QUOTES]
        dear = dear or "".join(found[:1])
        if found and not reader.has("order_notional"):
            reader.expected("order_notional", _said_how_much(strategy.order_notional, found[0]))
    risk = root.table("risk")
    if dear and not risk.has("max_order_notional"):
        default = risk.money("max_order_notional", _MAX_ORDER)
        risk.expected("max_order_notional", _said_how_much(default, dear))
    quotes = dict.fromkeys(quote_of(symbol) for one in strategies for symbol in one.symbols)
    for key in ("max_order_notional", "max_position_notional"):
        if dear and len(quotes) > 1 and risk.has(key) and not isinstance(risk.raw(key), Mapping):
            _expected_for_each(risk, key, tuple(quotes))


def _said_how_much(default: Decimal, quote: str) -> str:
    return f"a quoted decimal: the default would be {default} {quote}"


def read_risk(reader: TableReader, symbols: tuple[Symbol, ...]) -> RiskConfig:
    """Give the limits; what is wrong with them is noted with the reader."""
    quotes = tuple(dict.fromkeys(quote_of(symbol) for symbol in symbols))
    risk = RiskConfig(
        max_order_notional=_notional(reader, "max_order_notional", quotes),
        max_position_notional=_optional_notional(reader, "max_position_notional", quotes),
        max_open_orders=reader.integer("max_open_orders", 20, least=1),
        max_open_orders_per_symbol=reader.integer("max_open_orders_per_symbol", 10, least=1),
        max_orders_per_minute=reader.integer("max_orders_per_minute", 60, least=1),
        max_decision_age_ms=reader.integer("max_decision_age_ms", 5_000, least=1),
        price_collar_bps=_above_nothing(reader, "price_collar_bps", "500"),
        max_daily_loss=read_loss(reader, "max_daily_loss", quotes),
        max_drawdown=read_loss(reader, "max_drawdown", quotes),
        max_market_age_ms=reader.integer("max_market_age_ms", 60_000, least=1),
        cooldown_ms=reader.integer("cooldown_ms", 0, least=0),
        on_account_difference=reader.choice(
            "on_account_difference", OnDifference, OnDifference.REPORT
        ),
        allow_short=reader.flag("allow_short", default=False),
    )
    reader.finish()
    return risk


def risk_limits(risk: RiskConfig, *, replayed: bool, live: bool = False) -> RiskLimits:
    """Give what the gate holds orders to.

    `replayed`: the market's clock waits, so a market has no age, and an order is open for as
    long as the machine takes: neither is a limit then, nor what has filled by now, or the same
    recording would not give the same orders twice. `live`: the venue is real, and so are the
    coins that were there before, which are not sold on any clock.
    """
    return RiskLimits(
        max_order_notional=risk.max_order_notional,
        max_position_notional=risk.max_position_notional,
        max_open_orders=None if replayed else risk.max_open_orders,
        max_open_orders_per_symbol=None if replayed else risk.max_open_orders_per_symbol,
        max_orders_per_minute=risk.max_orders_per_minute,
        price_collar_bps=risk.price_collar_bps,
        max_daily_loss=risk.max_daily_loss,
        max_drawdown=risk.max_drawdown,
        max_market_age_ms=None if replayed else risk.max_market_age_ms,
        cooldown_ms=risk.cooldown_ms,
        allow_short=risk.allow_short or (replayed and not live),
    )


def _notional(reader: TableReader, key: str, quotes: tuple[str, ...]) -> Notional:
    """Give one amount, which holds in each quote currency, or an amount for each of them."""
    if isinstance(reader.raw(key), Mapping):
        each = _amount_of_each(reader, key, quotes, lambda one, quote: one.money(quote, _MAX_ORDER))
        return each if len(quotes) > 1 else next(iter(each.values()), Decimal(0))
    return reader.money(key, _MAX_ORDER)


def _optional_notional(reader: TableReader, key: str, quotes: tuple[str, ...]) -> Notional | None:
    limited = reader.has(key)
    reader.raw(key)
    return _notional(reader, key, quotes) if limited else None


def _above_nothing(reader: TableReader, key: str, example: str) -> Decimal:
    value = reader.money(key, example)
    if not value:
        reader.expected(key, f'a quoted decimal above 0, such as "{example}"')
    return value


def read_loss(reader: TableReader, key: str, quotes: tuple[str, ...]) -> dict[str, Decimal]:
    """Give one amount where there is one quote currency, else an amount for each of them."""
    value = reader.raw(key)
    if value is None or not quotes:
        return {}
    if isinstance(value, Mapping):
        return _amount_of_each(
            reader, key, quotes, lambda one, quote: _above_nothing(one, quote, "100")
        )
    if len(quotes) == 1:
        return {quotes[0]: _above_nothing(reader, key, "100")}
    _expected_for_each(reader, key, quotes)
    return {}


def _expected_for_each(reader: TableReader, key: str, quotes: tuple[str, ...]) -> None:
    example = ", ".join(f'{quote} = "100"' for quote in quotes)
    reader.expected(key, f"an amount for each quote currency, such as {{ {example} }}")


def _amount_of_each(
    reader: TableReader,
    key: str,
    quotes: tuple[str, ...],
    read: Callable[[TableReader, str], Decimal],
) -> dict[str, Decimal]:
    table = reader.table(key)
    if any(not table.has(quote) for quote in quotes):
        reader.expected(key, f"an amount for each of {', '.join(quotes)}")
    amounts = {
        quote: read(table, quote) if table.has(quote) else table.raw(quote) for quote in quotes
    }
    table.finish()
    return amounts
