"""What a search found, the honest part first: numbers, a table, and one JSON object."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from decisions.performance import Sharpe
from decisions.performance_trials import Deflated, deflated_sharpe
from decisions.tear_sheet_rows import amount, money
from research.optimise.figures import Figures, Score, added, sharpe_of
from research.optimise.outcome import (
    FAILED,
    REFUSED,
    TRIED,
    UNJUDGED,
    Outcome,
    PassedOver,
    spread_of,
)
from research.optimise.space import Value, params_text
from research.optimise.windows import Window

SCHEMA = 1
NO_EDGE = "no edge claimed: this is what was, and not what will be"
SURE = 0.95
"""A deflated Sharpe ratio below this is probably luck."""
LEAST_DAYS = 30
"""A ratio of fewer daily returns is worth little, however it is deflated."""
MANY_TRIALS = 20
"""From so many on the number of trials is warned of, whatever came out."""

MOST_FAILED = 10
"""So many of a window's trials that failed are told."""
_FAILED_TOLD = 3
"""And so many of them in the table."""

Params = dict[str, dict[str, Value]]


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """What was won or lost in some time; money is exact, ratios are floats."""

    net: Decimal
    net_share: float | None
    """Of the capital."""
    fees: Decimal
    orders: int
    max_drawdown: float
    """Of parts that follow each other, at the ends of days."""
    sharpe: Sharpe | None


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The best trial of a window."""

    trial: int
    params: Params
    value: float
    """By the objective, on what it was chosen on."""
    net: Decimal
    orders: int
    max_drawdown: float


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A trial that failed: raised, did not come back, or took its process with it."""

    trial: int
    params: Params
    reason: str


class WindowReport(msgspec.Struct, frozen=True, kw_only=True):
    """One window; times are UTC."""

    number: int
    seen_from: str
    seen_until: str
    unseen_until: str | None
    trials: dict[str, int]
    """How many ended how: done, given_up, unjudged, failed. What was refused, or is the same as
    one before, was not tried and does not count."""
    best: Chosen | None
    unseen: Stretch | None
    """What the best did on the part after the window."""
    failures: list[Failed]
    """The first of the trials that failed."""
    problem: str | None
    """Why there is no best one."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    schema: int
    name: str
    study: str
    storage: str
    objective: str
    quote: str
    capital: Decimal
    space: list[str]
    seed: int
    is_complete: bool
    """Whether all that was asked for was tried."""
    trials: int
    """Tried in all windows."""
    unseen: Stretch | None
    """The sum of all unseen parts: what choosing like this would have brought."""
    as_configured: Stretch | None
    """The same parts with the values of the configuration."""
    windows: list[WindowReport]
    best: Chosen | None
    """Of the last window: what one would go on with."""
    deflated: Deflated | None
    """Of its Sharpe ratio, whatever the objective was."""
    warnings: list[str]
    claim: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What one window brought, before it is told."""

    window: Window
    outcomes: list[Outcome]
    passed: PassedOver
    best: Chosen | None
    unseen: Figures | None
    as_configured: Figures | None
    is_exhausted: bool
    """Every set of values that there is was tried."""
    failures: list[Failed]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is of."""

    name: str
    study: str
    storage: str
    objective: str
    quote: str
    capital: Decimal
    space: list[str]
    seed: int
    asked: int


def report_on(about: About, facts: Sequence[Facts], again: Figures | None) -> Report:
    """Sum up a search. `again` is the last window's best on that window once more."""
    capital = float(about.capital)
    windows = [_window(fact, capital) for fact in facts]
    unseen = [fact.unseen for fact in facts if fact.unseen is not None]
    plain = [fact.as_configured for fact in facts if fact.as_configured is not None]
    wanted = sum(fact.window.has_unseen for fact in facts)
    whole = len(unseen) == wanted
    last = facts[-1]
    deflated = None if again is None else _deflated(last, again, capital)
    tried = sum(_tried(fact.outcomes) for fact in facts)
    complete = all(f.is_exhausted or _tried(f.outcomes) >= about.asked for f in facts)
    found = _stretch(added(unseen), capital) if unseen else None
    report = Report(
        schema=SCHEMA,
        name=about.name,
        study=about.study,
        storage=about.storage,
        objective=about.objective,
        quote=about.quote,
        capital=about.capital,
        space=about.space,
        seed=about.seed,
        is_complete=complete,
        trials=tried,
        unseen=found,
        as_configured=_stretch(added(plain), capital) if plain and whole else None,
        windows=windows,
        best=last.best,
        deflated=deflated,
        warnings=[],
        claim=NO_EDGE,
    )
    days = 0 if again is None else len(again.returns(capital))
    warnings = [*_warnings(report, days), *_unseen_warnings(report, wanted, len(unseen))]
    return msgspec.structs.replace(report, warnings=warnings)


def chosen(number: int, params: Params, score: Score) -> Chosen:
    """Give a trial as a report tells it."""
    return Chosen(
        trial=number,
        params=params,
        value=score.value,
        net=score.net,
        orders=score.orders,
        max_drawdown=score.drawdown,
    )


def as_json(report: Report) -> bytes:
    """Give it as one line, keys sorted."""
    return msgspec.json.encode(report, order="sorted")


def as_table(report: Report) -> Iterator[str]:
    """Give the lines for a person."""
    yield f"optimize of {report.name}, by {report.objective}"
    yield from _rows(_summary(report))
    for window in report.windows:
        yield from _window_lines(window, report.quote)
    yield from _rows(_best(report))
    for warning in report.warnings:
        yield f"  warning: {warning}"
    yield f"  {report.claim}"


# ---------------------------------------------------------------- from facts


def _window(fact: Facts, capital: float) -> WindowReport:
    window, outcomes = fact.window, fact.outcomes
    counts = Counter(outcome.how for outcome in outcomes)
    return WindowReport(
        number=window.number,
        seen_from=moment(window.begin_ns),
        seen_until=moment(window.end_ns),
        unseen_until=moment(window.unseen_end_ns) if window.has_unseen else None,
        trials={how: counts[how] for how in TRIED}
        | {REFUSED: counts[REFUSED] + fact.passed.refused, "same": fact.passed.same},
        best=fact.best,
        unseen=None if fact.unseen is None else _stretch(fact.unseen, capital),
        failures=fact.failures,
        problem=None if fact.best is not None else _why_none(outcomes, fact.passed),
    )


def _why_none(outcomes: Sequence[Outcome], passed: PassedOver) -> str:
    reasons = {REFUSED: passed.reason} if passed.reason else {}
    reasons |= {o.how: o.reason for o in outcomes if o.how in (FAILED, UNJUDGED, REFUSED)}
    if not reasons:
        return "no trial is over yet"
    told = "; ".join(f"the last {how.replace('_', ' ')}: {why}" for how, why in reasons.items())
    return f"no trial came to a value ({told})"


def _stretch(figures: Figures, capital: float) -> Stretch:
    return Stretch(
        net=figures.net,
        net_share=float(figures.net) / capital if capital > 0 else None,
        fees=figures.fees,
        orders=figures.orders,
        max_drawdown=figures.drawdown,
        sharpe=sharpe_of(figures, capital),
    )


def _tried(outcomes: Iterable[Outcome]) -> int:
    return sum(outcome.how in TRIED for outcome in outcomes)


def _deflated(last: Facts, again: Figures, capital: float) -> Deflated | None:
    tried = max(_tried(last.outcomes), 1)
    return deflated_sharpe(again.returns(capital), tried, spread_of(last.outcomes))


def _warnings(report: Report, days: int) -> Iterator[str]:
    trials = sum(count for how, count in report.windows[-1].trials.items() if how in TRIED)
    found = report.deflated
    if found is not None and found.probability < SURE:
        yield (
            f"the best is probably luck: the best of {trials} without any skill is expected to"
            f" show a Sharpe ratio of {found.threshold:.2f}, and the probability that this one's"
            f" true ratio is above that is {found.probability:.0%} (deflated Sharpe ratio)"
        )
    if report.best is not None and 0 < days < LEAST_DAYS:
        yield (
            f"the last window has {days} daily returns: with fewer than {LEAST_DAYS} nothing tells"
            " the best from luck, so take a longer market"
        )
    if trials >= MANY_TRIALS:
        yield (
            f"{trials} trials were made to find it; whatever you tried on this market before"
            " counts too, and is not counted here"
        )


def _unseen_warnings(report: Report, wanted: int, judged: int) -> Iterator[str]:
    if not wanted:
        yield "nothing was kept unseen (--windows 0): no figure here says what it is worth"
    elif judged < wanted:
        yield f"only {judged} of {wanted} unseen parts were judged"
    if report.unseen is not None and report.unseen.net <= 0 < _best_net(report):
        yield "what was chosen won where it was chosen, and lost on what it had not seen"


def _best_net(report: Report) -> Decimal:
    nets = [window.best.net for window in report.windows if window.best is not None]
    return sum(nets, start=Decimal(0))


# ---------------------------------------------------------------- for a person


def _summary(report: Report) -> Iterator[tuple[str, str]]:
    if report.unseen is not None:
        yield "unseen", _told(report.unseen, report.quote)
    if report.as_configured is not None:
        yield "as configured", _told(report.as_configured, report.quote)
    yield "searched", ", ".join(report.space)
    yield "trials", f"{report.trials:,} in {len(report.windows)} windows, seed {report.seed}"


def _window_lines(window: WindowReport, quote: str) -> Iterator[str]:
    until = f", unseen until {window.unseen_until}" if window.unseen_until else ""
    yield f"  window {window.number}: {window.seen_from} to {window.seen_until}{until}"
    counts = {how: count for how, count in window.trials.items() if count}
    told = ", ".join(f"{count} {how.replace('_', ' ')}" for how, count in counts.items())
    yield f"    trials   {told or 'none'}"
    for failed in window.failures[:_FAILED_TOLD]:
        yield f"    failed   {params_text(failed.params)}: {failed.reason}"
    if window.best is None:
        yield f"    {window.problem}"
        return
    best = window.best
    yield f"    chosen   {params_text(best.params)}"
    net = money(best.net, quote, signed=True)
    yield f"    seen     {net}, {best.orders:,} orders, value {best.value:.3f}"
    if window.unseen is not None:
        yield f"    unseen   {_told(window.unseen, quote)}"


def _best(report: Report) -> Iterator[tuple[str, str]]:
    if report.best is None:
        return
    yield "go on with", params_text(report.best.params)
    found = report.deflated
    if found is not None:
        yield (
            "deflated",
            f"{found.probability:.0%} that it is better than the luck of {found.trials} trials"
            f" (a Sharpe ratio of {found.threshold:.2f})",
        )


def _told(stretch: Stretch, quote: str) -> str:
    share = "" if stretch.net_share is None else f" ({stretch.net_share:+.2%})"
    text = f"{money(stretch.net, quote, signed=True)}{share}, {stretch.orders:,} orders"
    text += f", drawdown {amount(stretch.max_drawdown, quote)}"
    found = stretch.sharpe
    if found is None:
        return f"{text}, Sharpe not known"
    return f"{text}, Sharpe {found.ratio:.2f} (95 % {found.low:.2f} to {found.high:.2f})"


def _rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"  {name:<13} {text}" for name, text in rows)


def moment(ts_ns: int) -> str:
    """Give a time in UTC, to the minute."""
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%MZ")
