"""The figures of a sheet as rows of text, the same on a page and on a terminal. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain

import msgspec

from decisions.exit_reasons import ExitFigures
from decisions.performance_figures import LEAST_DAYS_TAIL, Annual, Daily, Figures
from decisions.performance_trials import Deflated
from decisions.tear_sheet import Part
from messages.ids import DAY_NS
from messages.values import DEAR_QUOTES

UNKNOWN = "-"
_DEAR_PLACES, _MOST_PLACES = 6, 8
_S, _MINUTE, _HOUR = 10**9, 60 * 10**9, 3_600 * 10**9


class Row(msgspec.Struct, frozen=True):
    """One figure: a text for each part of the run, and for holding."""

    group: str
    label: str
    values: list[str]
    hold: str
    """Empty where it means nothing."""
    help: str


def rows_of(quote: str, parts: list[Part], deflated: Deflated | None) -> Iterator[Row]:
    """Give all of them, group by group."""
    yield from _result(quote, parts)
    yield from _falls(quote, parts)
    yield from _of_a_year(parts, deflated)
    yield from _of_days(parts)
    yield from _of_trades(quote, parts)
    yield from _of_exits(quote, parts)


def money(value: float | Decimal | None, quote: str, *, signed: bool = False) -> str:
    """Give an amount with its currency behind it; see `amount`."""
    text = amount(value, quote, signed=signed)
    return text if value is None else f"{text} {quote}"


def amount(value: float | Decimal | None, quote: str, *, signed: bool = False) -> str:
    """Give an amount with two digits behind the point, more of a dear currency or if it is small.

    Six places of BTC are worth about what two of USDT are.
    """
    if value is None:
        return UNKNOWN
    places = _DEAR_PLACES if quote in DEAR_QUOTES else 2
    while places < _MOST_PLACES and value and abs(value) < 10 ** (1 - places):
        places += 1
    text = f"{value:{'+' if signed else ''},.{places}f}"
    return text if text.strip("+-0.,") else text.lstrip("+-")


def percent(share: float | None, *, signed: bool = False) -> str:
    """Give a fraction as percent."""
    if share is None:
        return UNKNOWN
    text = f"{share * 100:{'+' if signed else ''},.2f}"
    return f"{text if text.strip('+-0.,') else text.lstrip('+-')} %"


def ratio(value: float | None) -> str:
    """Give a number without a unit."""
    return UNKNOWN if value is None else f"{value:.2f}"


def span(ns: int) -> str:
    """Give a time in the unit that suits it."""
    for size, unit in ((DAY_NS, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if ns >= 2 * size:
            return f"{ns / size:,.3g} {unit}" if ns < 1_000 * size else f"{ns / size:,.0f} {unit}"
    return f"{ns / _S:.3g} s"


def moment(ts_ns: int) -> str:
    """Give a moment to the minute, UTC."""
    return f"{datetime.fromtimestamp(ts_ns // _S, UTC):%Y-%m-%d %H:%M}" if ts_ns else UNKNOWN


def sharpe_text(annual: Annual | None) -> str:
    """Give the ratio with its interval."""
    if annual is None or annual.sharpe is None:
        return UNKNOWN
    found = annual.sharpe
    return f"{ratio(found.ratio)} ({ratio(found.low)} to {ratio(found.high)})"


def _result(quote: str, parts: list[Part]) -> Iterator[Row]:
    def row(label: str, values: list[str], text: str, hold: str = "") -> Row:
        return Row("Result", label, values, hold, text)

    held = parts[0].hold
    yield row(
        "From", [moment(p.figures.from_ns) for p in parts], "The first price, UTC.",
    )  # fmt: skip
    yield row(
        "Days", [f"{p.figures.days:,.4g}" for p in parts], "From the first price to the last."
    )
    yield row(
        f"Net, {quote}",
        [amount(p.figures.net, quote, signed=True) for p in parts],
        "Profit, all fees paid, what is held valued at the last price.",
        amount(held.net, quote, signed=True) if held else "",
    )
    yield row(
        "Net",
        [percent(p.figures.net_share, signed=True) for p in parts],
        "The same, as a part of what there was at the beginning.",
        percent(held.net_share, signed=True) if held else "",
    )
    if held and len(parts) > 1:
        yield row(
            "Buy and hold",
            [percent(p.hold.net_share if p.hold else None, signed=True) for p in parts],
            "What holding made in the same time.",
        )
    yield row(f"Fees, {quote}", [amount(p.fees, quote) for p in parts], "Of all executions.")
    yield row(
        f"Turnover, {quote}",
        [amount(p.turnover, quote) for p in parts],
        "The value of all that was bought and sold.",
    )
    yield row(
        "Turnover, times the equity",
        [_times(float(p.turnover), p.figures) for p in parts],
        "The same, over what there was at the beginning.",
    )
    yield row(
        "Exposure",
        [percent(p.exposure) for p in parts],
        "The part of all prices after which something was held.",
        percent(1.0) if held else "",
    )


def _times(turnover: float, figures: Figures) -> str:
    return f"{turnover / figures.equity:,.2f} x" if figures.equity > 0 else UNKNOWN


def _falls(quote: str, parts: list[Part]) -> Iterator[Row]:
    held = parts[0].hold
    fall = "The deepest fall from a peak before it, at the prices of all events"

    def row(label: str, values: list[str], hold: str, text: str) -> Row:
        return Row("Falls", label, values, hold, text)

    yield row(
        f"Max drawdown, {quote}",
        [amount(p.figures.max_drawdown, quote) for p in parts],
        amount(held.max_drawdown, quote) if held else "",
        f"{fall}.",
    )
    yield row(
        "Max drawdown",
        [percent(p.figures.max_drawdown_share) for p in parts],
        percent(held.max_drawdown_share) if held else "",
        f"{fall}, as a part of the equity at that peak.",
    )
    yield row(
        "Longest below a peak",
        [_under(p.figures) for p in parts],
        _under(held) if held else "",
        "From a peak until it was reached again; + where the end came first.",
    )


def _under(figures: Figures) -> str:
    return f"{span(figures.longest_under_ns)}{'+' if figures.is_longest_open else ''}"


def _of_a_year(parts: list[Part], deflated: Deflated | None) -> Iterator[Row]:
    years, held = [p.figures.annual for p in parts], parts[0].hold
    kept = held.annual if held else None

    def row(label: str, values: list[str], hold: str, text: str) -> Row:
        return Row("A year of 365 days", label, values, hold, text)

    if not any(years):
        return
    yield row(
        "Growth (CAGR)",
        [percent(y.growth, signed=True) if y else UNKNOWN for y in years],
        percent(kept.growth, signed=True) if kept else "",
        "What it would come to if it went on like this for a year, compounded.",
    )
    yield row(
        "Volatility",
        [percent(y.volatility) if y else UNKNOWN for y in years],
        percent(kept.volatility) if kept else "",
        "Standard deviation of daily returns, times the root of 365.",
    )
    yield row(
        "Sharpe (95 % between)",
        [sharpe_text(y) for y in years],
        sharpe_text(kept) if kept else "",
        "Mean over deviation of daily returns, times the root of 365; interval by Mertens (2002),"
        " with skew and kurtosis. Nothing is taken off for a rate free of risk.",
    )
    yield row(
        "Sharpe by Lo",
        [ratio(y.sharpe_lo) if y else UNKNOWN for y in years],
        ratio(kept.sharpe_lo) if kept else "",
        "Lo (2002): the same, where one day tells of the next.",
    )
    yield row(
        "Chance that Sharpe > 0",
        [percent(y.skill) if y else UNKNOWN for y in years],
        percent(kept.skill) if kept else "",
        "The probability that the true Sharpe ratio is above 0 (PSR, Bailey and Lopez de Prado"
        " 2012), if this had been the only trial.",
    )
    if deflated is not None and deflated.trials > 1:
        yield row(
            f"Chance, best of {deflated.trials:,}",
            [percent(deflated.probability), *[""] * (len(parts) - 1)],
            "",
            f"Deflated Sharpe (2014): the probability that the true ratio is above"
            f" {ratio(deflated.threshold)}, which the best of {deflated.trials:,} trials without"
            f" any skill shows.",
        )
    yield row(
        "Sortino",
        [ratio(y.sortino) if y else UNKNOWN for y in years],
        ratio(kept.sortino) if kept else "",
        "Mean over the root of the mean square of losing days, times the root of 365.",
    )
    yield row(
        "Calmar",
        [ratio(y.calmar) if y else UNKNOWN for y in years],
        ratio(kept.calmar) if kept else "",
        "Growth over the deepest drawdown.",
    )


def _of_days(parts: list[Part]) -> Iterator[Row]:
    days, held = [p.figures.daily for p in parts], parts[0].hold
    kept = held.daily if held else None

    def row(label: str, take: str, text: str, *, is_share: bool = True) -> Row:
        def shown(daily: Daily | None) -> str:
            value = None if daily is None else getattr(daily, take)
            return percent(value, signed=take in ("best", "worst")) if is_share else ratio(value)

        return Row("Days (UTC)", label, [shown(one) for one in days], shown(kept), text)

    if not any(days):
        return
    yield row("Best day", "best", "The highest daily return.")
    yield row("Worst day", "worst", "The lowest daily return.")
    yield row("Days that won", "up", "The part of all days with a return above 0.")
    tail = f"of fewer than {LEAST_DAYS_TAIL} days nobody knows it."
    yield row("Value at risk", "value_at_risk", f"One day in twenty lost so much or more; {tail}")
    yield row(
        "Expected shortfall", "expected_shortfall", f"What those days lost on average; {tail}"
    )
    yield row("Skew", "skew", "Below 0: the bad days are further out.", is_share=False)
    yield row("Kurtosis", "kurtosis", "3 where returns are normal.", is_share=False)
    yield row(
        "Autocorrelation", "autocorrelation", "Of a day's return with the next.", is_share=False
    )


def _of_trades(quote: str, parts: list[Part]) -> Iterator[Row]:
    trades = [p.trades for p in parts]

    def row(label: str, values: list[str], text: str) -> Row:
        return Row("Trades", label, values, "", text)

    yield row("Executions", [f"{p.executions:,}" for p in parts], "Fills, in whole or in part.")
    yield row(
        "Trades",
        [f"{t.ended:,}{f' + {t.open} open' if t.open else ''}" for t in trades],
        "From flat until flat again, by strategy and symbol; those below are of the ended ones.",
    )
    if not any(t.ended for t in trades):
        return
    yield row("Hit rate", [percent(t.hit_rate) for t in trades], "The part of them that won.")
    yield row(
        "Profit factor",
        [ratio(t.profit_factor) for t in trades],
        "What the winners won over what the losers lost.",
    )
    yield row(
        f"Average win, {quote}",
        [amount(t.average_win, quote) for t in trades],
        "Of a winner, fees paid.",
    )
    yield row(
        f"Average loss, {quote}",
        [amount(t.average_loss, quote) for t in trades],
        "Of a loser, fees paid.",
    )
    yield row("Payoff", [ratio(t.payoff) for t in trades], "Average win over average loss.")
    yield row(
        f"Expectancy, {quote}",
        [amount(t.expectancy, quote, signed=True) for t in trades],
        "What a trade brought on average.",
    )
    yield row(f"Best trade, {quote}", [amount(t.best, quote, signed=True) for t in trades], "")
    yield row(f"Worst trade, {quote}", [amount(t.worst, quote, signed=True) for t in trades], "")
    yield row(
        "Losers in a row", [f"{t.losing_streak:,}" for t in trades], "The most, one after another."
    )
    yield row(
        "Held on average",
        [span(t.average_held_ns) if t.ended else UNKNOWN for t in trades],
        "From the first execution of a trade to the one that closed it.",
    )


def _of_exits(quote: str, parts: list[Part]) -> Iterator[Row]:
    for reason, found in exits_by_reason(parts):
        values = [exit_text(one, quote) for one in found]
        yield Row("Exits", reason, values, "", "Ended trades of this reason, and their profit.")


def exits_by_reason(parts: Sequence[Part]) -> Iterator[tuple[str, list[ExitFigures | None]]]:
    """Give each kind of exit that a part has, the most frequent of the first part first."""
    by_reason = [{one.reason: one for one in part.trades.exits} for part in parts]
    for reason in dict.fromkeys(chain.from_iterable(by_reason)):
        yield reason, [found.get(reason) for found in by_reason]


def exit_text(found: ExitFigures | None, quote: str) -> str:
    """Give how many trades ended so, and what they brought."""
    return (
        UNKNOWN
        if found is None
        else f"{found.trades:,} ({money(found.profit, quote, signed=True)})"
    )
