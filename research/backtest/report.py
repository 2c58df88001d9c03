"""What a backtest found, as numbers, as a table, and as bytes that are the same every time."""

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from decisions.performance import Sharpe, daily_returns, sharpe
from decisions.risk_equity import quote_of
from exchanges.paper_settings import DEFAULT_QUOTE_BALANCE
from research.backtest.desk import Order
from research.backtest.loop import MarketOutcome, Outcome
from research.backtest.plan import Plan

_NO_SUCH_DATA = "there is no such event in the data"
NO_EDGE = "no edge claimed: this is what was, on one trial, and not what will be"


class QuoteReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was won or lost in one currency; amounts are exact, ratios are floats."""

    quote: str
    capital: Decimal
    """What the account began with."""
    net: Decimal
    """The profit, all fees paid, what is held valued at the last price."""
    equity: Decimal
    fees: Decimal
    turnover: Decimal
    """The value of all that was bought and sold."""
    max_drawdown: float
    """The deepest fall from a peak, at the prices of all events."""
    exposure: float
    """The part of all events after which something was held."""
    buy_and_hold: Decimal
    """What the capital would have won, spent in equal parts at the first prices, a fee paid."""
    sharpe: Sharpe | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `trials` is how many ways were tried before this one was shown."""

    name: str
    events: int
    orders: dict[str, int]
    """By the states that they ended in."""
    fills: int
    refused: dict[str, int]
    """By the limit that refused them."""
    quotes: list[QuoteReport]
    dropped: dict[str, int]
    """Rows of the data that were not used, by why, and the bars that are missing."""
    never_called: dict[str, list[str]]
    """By strategy: handlers that it has, and no event of its markets was for."""
    trials: int
    claim: str
    run_hash: str
    """Of the venue, the limits, every order and every execution (`run_hash`)."""


def report_on(name: str, plan: Plan, outcome: Outcome) -> Report:
    """Sum up a run."""
    states = Counter(str(order.state) for order in outcome.orders)
    refused = Counter(
        order.state_reason.partition(":")[0] for order in outcome.orders if order.state == "refused"
    )
    return Report(
        name=name,
        events=sum(market.events for market in outcome.markets),
        orders=dict(sorted(states.items())),
        fills=sum(len(order.fills) for order in outcome.orders),
        refused=dict(sorted(refused.items())),
        quotes=[_of_quote(quote, plan, outcome) for quote in outcome.meters],
        dropped=_dropped(plan),
        never_called={name: list(found) for name, found in outcome.never_called.items()},
        trials=1,
        claim=NO_EDGE,
        run_hash=run_hash(plan, outcome),
    )


def run_hash(plan: Plan, outcome: Outcome) -> str:
    """Give a name to what happened: another order or execution gives another one.

    Of a market only its length, its first and its last price are in it.
    """
    hashed = blake2b(digest_size=16, person=b"backtest")
    for line in _lines(plan, outcome):
        hashed.update(line.encode() + b"\n")
    return hashed.hexdigest()


def as_json(report: Report) -> bytes:
    """Give it as one line, keys sorted, the same for the same input."""
    return msgspec.json.encode(report, order="sorted")


def as_table(report: Report) -> Iterator[str]:
    """Give the lines for a person."""
    rows: list[tuple[str, str]] = [
        ("events", f"{report.events:,}"),
        ("orders", _counted(report.orders)),
        ("fills", f"{report.fills:,}"),
    ]
    if report.refused:
        rows.append(("refused by", _counted(report.refused)))
    if dropped := {name: count for name, count in report.dropped.items() if count}:
        rows.append(("data", _counted(dropped)))
    for strategy, handlers in report.never_called.items():
        rows.append(("never called", f"{' and '.join(handlers)} of {strategy}: {_NO_SUCH_DATA}"))
    for one in report.quotes:
        rows += _quote_rows(one)
    rows += [("trials", str(report.trials)), ("run hash", report.run_hash)]
    yield f"backtest of {report.name}"
    yield from (f"  {name:<13} {text}" for name, text in rows)
    yield f"  {report.claim}"


def _of_quote(quote: str, plan: Plan, outcome: Outcome) -> QuoteReport:
    markets = [market for market in outcome.markets if quote_of(market.symbol) == quote]
    capital = plan.venue.balances.get(quote, DEFAULT_QUOTE_BALANCE)
    net = _sum(market.profit for market in markets)
    meter = outcome.meters[quote]
    events = sum(market.events for market in markets)
    return QuoteReport(
        quote=quote,
        capital=capital,
        net=net,
        equity=capital + net,
        fees=_sum(market.fees for market in markets),
        turnover=_sum(market.turnover for market in markets),
        max_drawdown=meter.drawdown,
        exposure=sum(market.held_events for market in markets) / events if events else 0.0,
        buy_and_hold=_held(markets, capital, plan.venue.taker_fee_bps),
        sharpe=sharpe(daily_returns(meter.days, float(capital))),
    )


def _held(markets: list[MarketOutcome], capital: Decimal, fee_bps: Decimal) -> Decimal:
    growth = [one.last_price / one.first_price for one in markets if one.first_price]
    if not growth:
        return Decimal(0)
    return capital * (1 - fee_bps / 10_000) * _sum(growth) / len(growth) - capital


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, start=Decimal(0))


def _dropped(plan: Plan) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for market in plan.markets:
        stats = market.stats()
        for name in ("malformed", "duplicate", "out_of_order", "gaps", "missing"):
            counts[name] += getattr(stats, name)
    return dict(counts)


def _lines(plan: Plan, outcome: Outcome) -> Iterator[str]:
    for settings in (plan.venue, plan.limits):
        yield msgspec.json.encode(settings, order="sorted").decode()
    for market in outcome.markets:
        yield f"{market.symbol} {market.events} {market.first_price} {market.last_price}"
    for order in outcome.orders:
        yield _order_line(order)
        for fill in order.fills:
            yield f"{fill.ts_event_ns} {fill.quantity} {fill.price} {fill.fee} {fill.liquidity}"


def _order_line(order: Order) -> str:
    intent = order.intent
    what = (intent.order_key, intent.strategy_id, intent.symbol, intent.side, intent.quantity)
    how = (intent.limit_price, order.state, order.filled_quantity, order.state_reason)
    return " ".join(map(str, (*what, *how, intent.reason)))


def _quote_rows(one: QuoteReport) -> list[tuple[str, str]]:
    percent = f" ({one.net / one.capital:+.2%})" if one.capital else ""
    rows = [
        ("net", f"{one.net:,.2f} {one.quote}{percent}"),
        ("equity", f"{one.equity:,.2f} {one.quote}"),
        ("fees", f"{one.fees:,.2f} {one.quote}"),
        ("max drawdown", f"{one.max_drawdown:,.2f} {one.quote}"),
        ("exposure", f"{one.exposure:.1%} of all events"),
        ("turnover", f"{one.turnover:,.2f} {one.quote}"),
        ("buy and hold", f"{one.buy_and_hold:,.2f} {one.quote}"),
    ]
    found: Any = one.sharpe
    if found is None:
        return [*rows, ("Sharpe", "not known: too few days, or days that are all alike")]
    interval = (
        f"95 % between {found.low:.2f} and {found.high:.2f}, over {found.days} days; a year has 365"
    )
    return [*rows, ("Sharpe", f"{found.ratio:.2f} ({interval})")]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()) or "0"
