"""One trial: one set of values on one stretch of the market, part by part."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from decisions.strategy import warmup_candles
from exchanges.event_blocks import Block
from exchanges.paper_settings import DEFAULT_QUOTE_BALANCE
from messages.errors import ConfigError, WatchkeeperError
from messages.ids import quote_of
from messages.patience import LIMIT_S, Hung, Patience, last_line
from research.backtest.equity import EquityMeter
from research.backtest.loop import Backtest
from research.backtest.own_code import OwnCode
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from research.optimise.columns import MappedMarket, MarketIndex
from research.optimise.figures import Figures, days_from
from research.optimise.space import params_text

_HANDLERS = ("on_candle", "on_bar", "on_trade", "on_tick", "on_book", "on_timer")

GoOn = Callable[[int, Figures], bool]
"""Is told of a part's end, with its number from 1, and says whether to go on."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What all trials of a study have in common: goes to each worker once."""

    plan: Plan
    """Without markets: they are in the mapped file."""
    indices: tuple[MarketIndex, ...]
    event_limit_s: float = LIMIT_S
    """How long a strategy may take over one event."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One trial to be made."""

    ticket: int
    """By which the answer is known."""
    params: Mapping[str, Mapping[str, Any]]
    """By strategy: what is other than in the configuration."""
    begin_ns: int
    end_ns: int
    cuts_ns: tuple[int, ...] = ()
    """Moments between, at each of which it may be given up; none makes it whole."""


class Refused(Exception):
    """The strategy does not take these values, and says why."""


class GivenUp(Exception):
    """It was not worth going on."""


def refusal(plan: Plan, params: Mapping[str, Mapping[str, Any]], patience: Patience) -> str:
    """Say why a strategy does not take these values; empty when all do."""
    made_with = params_text(params)

    def make() -> None:
        for one in plan.strategies:
            with_params(one, params.get(one.id, {})).build()

    try:
        patience.over(make, lambda: None, lambda: f"a strategy that is made with {made_with}")
    except ConfigError as error:
        return "; ".join(error.problems)
    except Hung as error:
        return f"making it did not end within {patience.limit_s:g} s ({last_line(error)})"
    return ""


def with_params(strategy: StrategyPlan, params: Mapping[str, Any]) -> StrategyPlan:
    """Give the same strategy with other values."""
    if not params:
        return strategy
    build = strategy.build
    assert isinstance(build, partial), "a configuration's strategies are built by a partial"
    uses, before, *rest = build.args
    changed = partial(build.func, uses, {**before, **params}, *rest, **build.keywords)
    return msgspec.structs.replace(strategy, build=changed)


def uses_of(strategy: StrategyPlan) -> tuple[str, dict[str, Any]]:
    """Give what a strategy of a configuration is, and its parameters."""
    build = strategy.build
    assert isinstance(build, partial), "a configuration's strategies are built by a partial"
    return build.args[0], dict(build.args[1])


def size_of(strategy: StrategyPlan) -> list[Any]:
    """Give what else it is built with: the notional of its orders, the grids of its symbols."""
    build = strategy.build
    assert isinstance(build, partial), "a configuration's strategies are built by a partial"
    return [*build.args[2:], build.keywords]


def capital_of(plan: Plan) -> tuple[str, Decimal]:
    """Give the quote currency of all that is traded, and what the account begins with.

    Raises:
        ConfigError: there are several currencies, and no sum of them.
    """
    quotes = sorted({quote_of(market.symbol) for market in plan.markets})
    if len(quotes) != 1:
        text = f"the markets are quoted in {', '.join(quotes)}: search one currency at a time"
        raise ConfigError([text])
    return quotes[0], plan.venue.balances.get(quotes[0], DEFAULT_QUOTE_BALANCE)


def make(
    work: Work,
    data: memoryview,
    task: Task,
    go_on: GoOn,
    watched: Callable[[OwnCode], object] = lambda _: None,
) -> Figures:
    """Run one. `watched` is given what tells whether its strategies come back.

    A strategy is shown as many events before the beginning as it declares for its warm-up, where
    the market has them, and decides nothing on them.

    Raises:
        Refused: the strategy does not take these values.
        GivenUp: `go_on` said no.
        ConfigError: the strategy raised.
    """
    markets = [MappedMarket(index, data) for index in work.indices]
    chosen = [with_params(one, task.params.get(one.id, {})) for one in work.plan.strategies]
    own = OwnCode(msgspec.structs.replace(work.plan, strategies=tuple(chosen)))
    watched(own)
    strategies = own.plan.strategies
    lead = _lead(strategies, work)
    run: list[Backtest] = []

    def told(part: int) -> None:
        if not go_on(part, _so_far(run[0], task)):
            raise GivenUp

    plans = [
        MarketPlan(
            symbol=market.symbol,
            blocks=partial(_blocks, market, lead, task, None if place else told),
        )
        for place, market in enumerate(markets)
    ]
    plan = msgspec.structs.replace(
        work.plan,
        markets=tuple(plans),
        strategies=tuple(_silent_until(one, task.begin_ns) for one in strategies),
    )
    run.append(Backtest(plan))
    outcome = run[0].run()
    (meter,) = outcome.meters.values()
    return Figures(
        net=sum((one.profit for one in outcome.markets), start=Decimal(0)),
        fees=sum((one.fees for one in outcome.markets), start=Decimal(0)),
        orders=sum(1 for order in outcome.orders if order.filled_quantity),
        drawdown=meter.drawdown,
        days=days_from(meter.days, task.begin_ns),
    )


def _so_far(run: Backtest, task: Task) -> Figures:
    """Give what is known between: orders and fees are not asked for then."""
    meter: EquityMeter
    (meter,) = run.meters.values()
    days = days_from(meter.days, task.begin_ns)
    return Figures(
        net=Decimal(repr(days[max(days)])),
        fees=Decimal(0),
        orders=1,
        drawdown=meter.drawdown,
        days=days,
    )


def _lead(strategies: Sequence[StrategyPlan], work: Work) -> int:
    """Give how many events the strategies want to have seen before they begin."""
    lengths = [one.timeframe_ns for index in work.indices for one in index.segments]
    base = min((length for length in lengths if length), default=1)
    try:
        return max(warmup_candles(one.build(), base) for one in strategies)
    except ConfigError as error:
        raise Refused("; ".join(error.problems)) from error
    except (WatchkeeperError, ValueError) as error:
        raise Refused(str(error)) from error


def _blocks(
    market: MappedMarket, lead: int, task: Task, told: Callable[[int], None] | None
) -> Iterator[Block]:
    start = market.place_after(task.begin_ns)
    place = max(start - lead, 0)
    stop = market.place_after(task.end_ns)
    for part, cut_ns in enumerate(task.cuts_ns, 1):
        cut = min(market.place_after(cut_ns), stop)
        yield from market.blocks(place, cut)
        place = max(place, cut)
        if told is not None and cut > start:
            told(part)
    yield from market.blocks(place, stop)


def _silent_until(strategy: StrategyPlan, begin_ns: int) -> StrategyPlan:
    """Have it decide nothing until then, by whichever of its handlers it is asked."""

    def build() -> Any:
        made: Any = strategy.build()
        _silence(made, begin_ns)
        return made

    until_ns = max(strategy.decided_until_ns, begin_ns)
    return msgspec.structs.replace(strategy, build=build, decided_until_ns=until_ns)


def _silence(strategy: Any, begin_ns: int) -> None:
    """Throw away what it decides on events that are not after a moment."""
    covered: list[str] = []

    def cover(handler: Callable[..., Any]) -> Callable[..., Any]:
        def shown(event: Any, *more: Any) -> Any:
            given = handler(event, *more)
            at_ns = event if isinstance(event, int) else event.ts_event_ns
            if at_ns <= begin_ns:
                return ()
            while covered:  # from here on it is as it was
                delattr(strategy, covered.pop())
            return given

        return shown

    for name in _HANDLERS:
        handler = getattr(strategy, name, None)
        if handler is not None:
            setattr(strategy, name, cover(handler))
            covered.append(name)
