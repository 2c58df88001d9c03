"""What a backtest found, as numbers, and as bytes that are the same every time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from hashlib import blake2b

import msgspec

from decisions.performance import Sharpe, sharpe
from decisions.performance_figures import figures
from decisions.performance_of_trades import trade_figures
from decisions.performance_trials import Deflated, deflated_sharpe
from decisions.round_trips import round_trips
from decisions.tear_sheet import Part, Sheet, Trials
from decisions.why_no_order import Hindsight, reasons_without_a_fill, small_targets
from exchanges.paper_order import BY_REQUEST
from exchanges.paper_settings import DEFAULT_QUOTE_BALANCE, PaperSettings
from messages.ids import NS_PER_MS, Symbol, quote_of
from messages.values import OrderState, OrderType, plain_instrument
from research.backtest.loop import MarketOutcome, Outcome
from research.backtest.order import Order
from research.backtest.plan import Plan
from research.backtest.sheet import executed

NO_EDGE = "no edge claimed: this is what was, on one trial, and not what will be"


def claim(trials: int) -> str:
    """Give what may be said of the best of so many trials."""
    return NO_EDGE if trials < 2 else NO_EDGE.replace("on one trial", f"of {trials:,} trials")


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
    """The part of all moments with a price after which something was held, of any symbol."""
    buy_and_hold: Decimal
    """What the capital would have won, spent in equal parts at the first prices, a fee paid."""
    sharpe: Sharpe | None
    """Of four days and more: its interval says how little that is."""
    deflated: Deflated | None
    """The same against the best of all trials."""
    parts: list[Part]
    """The whole, and with `--split` what was before and what after; statistics, in floats."""


class SymbolReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one market was traded; amounts are in its quote currency."""

    symbol: str
    events: int
    fills: int
    net: Decimal
    fees: Decimal
    turnover: Decimal
    exposure: float
    first_price: Decimal
    last_price: Decimal


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `trials` is how many ways were tried before this one was shown."""

    name: str
    events: int
    from_ns: int
    """The first price, UTC nanoseconds; 0 where there was none."""
    until_ns: int
    orders: dict[str, int]
    """By the states that they ended in."""
    fills: int
    refused: dict[str, int]
    """By the limit that refused them."""
    rejected: dict[str, int]
    """What the venue said of those that it rejected; the five that it said most often."""
    why: list[str]
    """Why a strategy got no execution, one sentence each."""
    quotes: list[QuoteReport]
    markets: list[SymbolReport]
    split_ns: int | None
    """The last moment of what is in sample."""
    dropped: dict[str, int]
    """Rows of the data that were not used, by why, and the bars that are missing."""
    cut_off: list[str]
    """A sentence for each file whose end cannot be read; each is one of the malformed."""
    never_called: dict[str, list[str]]
    """By strategy: handlers that it has, and no event of its markets was for."""
    trials: int
    is_told: bool
    """Whether somebody said how many; else it is 1, and nobody knows."""
    claim: str
    run_hash: str
    """Of the venue, the limits, every order and every execution (`run_hash`)."""


def report_on(name: str, plan: Plan, outcome: Outcome, trials: Trials | None = None) -> Report:
    """Sum up a run."""
    states = Counter(str(order.state) for order in outcome.orders)
    refused = Counter(
        order.state_reason.partition(":")[0] for order in outcome.orders if order.state == "refused"
    )
    walks = [meter.walk for meter in outcome.meters.values() if meter.walk.events]
    told, dropped = trials or Trials(), _dropped(plan)
    return Report(
        name=name,
        events=sum(market.events for market in outcome.markets),
        from_ns=min((walk.first_ns for walk in walks), default=0),
        until_ns=max((walk.last_ns for walk in walks), default=0),
        orders=dict(sorted(states.items())),
        fills=sum(order.executions for order in outcome.orders),
        refused=dict(sorted(refused.items())),
        rejected=dict(_said(outcome.orders, "rejected").most_common(5)),
        why=list(_why(plan, outcome, dropped)),
        quotes=[_of_quote(quote, plan, outcome, told) for quote in outcome.meters],
        markets=[_of_symbol(market, outcome) for market in outcome.markets],
        never_called={name: list(found) for name, found in outcome.never_called.items()},
        split_ns=None,
        dropped=dropped,
        cut_off=[text for market in plan.markets for text in market.stats().cut_off],
        trials=told.count,
        is_told=told.is_told,
        claim=claim(told.count),
        run_hash=run_hash(plan, outcome),
    )


def with_parts(report: Report, sheets: Mapping[str, Sheet], split_ns: int | None) -> Report:
    """Put in what only another reading of the market tells: its parts, and what holding did."""
    quotes = [msgspec.structs.replace(one, parts=sheets[one.quote].parts) for one in report.quotes]
    return msgspec.structs.replace(report, quotes=quotes, split_ns=split_ns)


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


def _of_quote(quote: str, plan: Plan, outcome: Outcome, trials: Trials) -> QuoteReport:
    markets = [market for market in outcome.markets if quote_of(market.symbol) == quote]
    capital = plan.venue.balances.get(quote, DEFAULT_QUOTE_BALANCE)
    net = _sum(market.profit for market in markets)
    meter = outcome.meters[quote]
    exposure = meter.held_events / meter.walk.events if meter.walk.events else 0.0
    returns = meter.walk.returns()
    turnover, fees = _sum(m.turnover for m in markets), _sum(m.fees for m in markets)
    return QuoteReport(
        quote=quote,
        capital=capital,
        net=net,
        equity=capital + net,
        fees=fees,
        turnover=turnover,
        max_drawdown=meter.drawdown,
        exposure=exposure,
        buy_and_hold=_held(markets, capital, plan.venue.taker_fee_bps),
        sharpe=sharpe(returns),
        deflated=deflated_sharpe(returns, trials.count, trials.variance),
        parts=[_whole(quote, outcome, exposure, turnover, fees)],
    )


def _whole(quote: str, outcome: Outcome, exposure: float, turnover: Decimal, fees: Decimal) -> Part:
    ours = [one for one in executed(outcome) if quote_of(one[2]) == quote]
    trips = round_trips(ours)
    return Part(
        name="whole",
        figures=figures(outcome.meters[quote].walk),
        trades=trade_figures(trips.ended, trips.still_open),
        executions=len(ours),
        exposure=exposure,
        turnover=turnover,
        fees=fees,
        hold=None,
    )


def _of_symbol(market: MarketOutcome, outcome: Outcome) -> SymbolReport:
    fills = sum(one.executions for one in outcome.orders if one.intent.symbol == market.symbol)
    return SymbolReport(
        symbol=market.symbol,
        events=market.events,
        fills=fills,
        net=market.profit,
        fees=market.fees,
        turnover=market.turnover,
        exposure=market.held_events / market.events if market.events else 0.0,
        first_price=market.first_price,
        last_price=market.last_price,
    )


def _why(plan: Plan, outcome: Outcome, dropped: Mapping[str, int]) -> Iterator[str]:
    """Say of each strategy without an execution why it has none."""
    events = {market.symbol: market.events for market in outcome.markets}
    ends = {market.symbol: market.last_ns for market in outcome.markets}
    filled = {order.intent.strategy_id for order in outcome.orders if order.executions}
    last_ns = max((meter.walk.last_ns for meter in outcome.meters.values()), default=0)
    for one in plan.strategies:
        if one.id in filled:
            continue
        ours = [order for order in outcome.orders if order.intent.strategy_id == one.id]
        seen = Hindsight(
            strategy=one.id,
            symbol=one.symbol,
            events=events.get(one.symbol, 0),
            warmup=max(one.build().warmup_events, 0),
            is_history=one.decided_until_ns >= last_ns,
            states=Counter(str(order.state) for order in ours),
            refusals=_said(ours, "refused"),
            rejections=_said(ours, "rejected"),
            ended=_said(ours, "canceled")[BY_REQUEST],
            without_volume=sum(_met_no_volume(order, ends, plan.venue) for order in ours),
            too_small=one.too_small,
            small_targets=small_targets(outcome.small_targets.get(one.id, {}), plain_instrument),
            dropped={name: dropped[name] for name in ("malformed", "duplicate", "out_of_order")},
        )
        yield from reasons_without_a_fill(seen)


def _met_no_volume(order: Order, ends: Mapping[Symbol, int], venue: PaperSettings) -> bool:
    """Whether an event came that fills a market order of any size, as far as it has volume."""
    intent, latency_ns = order.intent, venue.latency_ms * NS_PER_MS
    waits = intent.order_type is OrderType.MARKET and order.state is OrderState.ACCEPTED
    return waits and intent.decided_at_ns + latency_ns < ends.get(intent.symbol, 0)


def _said(orders: Iterable[Order], state: str) -> Counter[str]:
    return Counter(order.state_reason for order in orders if order.state == state)


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
