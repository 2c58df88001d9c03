"""What a backtest prints for a person: aligned, with units, its parts side by side."""

from collections.abc import Iterator, Sequence

from decisions.tear_sheet import Part
from decisions.tear_sheet_rows import (
    UNKNOWN,
    exit_text,
    exits_by_reason,
    moment,
    money,
    percent,
    ratio,
    sharpe_text,
    span,
)
from messages.ids import quote_of
from research.backtest.report import QuoteReport, Report

_LABEL = 13

_Row = tuple[str, list[str]]

_NO_SUCH_DATA = "there is no such event in the data"


def as_table(report: Report) -> Iterator[str]:
    """Give the lines for a person."""
    yield f"backtest of {report.name}"
    yield from _lines(_head(report))
    for one in report.quotes:
        yield from _lines(_quote_rows(one))
    if len(report.markets) > 1:
        yield from _markets(report)
    yield from _lines([("trials", [_trials(report)]), ("run hash", [report.run_hash])])
    yield f"  {report.claim}"


def counted(counts: dict[str, int]) -> str:
    """Give what there is so many of."""
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()) or "0"


def _head(report: Report) -> Iterator[_Row]:
    yield "events", [f"{report.events:,}"]
    if report.until_ns:
        days = (report.until_ns - report.from_ns) / 86_400e9
        between = f"{moment(report.from_ns)} to {moment(report.until_ns)} UTC"
        yield "period", [f"{between} ({days:,.4g} days)"]
    yield "orders", [counted(report.orders)]
    yield "fills", [f"{report.fills:,}"]
    for sentence in report.why:
        yield "but no fill" if report.orders else "why no order", [sentence]
    if report.refused:
        yield "refused by", [counted(report.refused)]
    for sentence, many in report.rejected.items():
        yield "rejected", [f"{many:,}: {sentence}"]
    if dropped := {name: count for name, count in report.dropped.items() if count}:
        yield "data", [counted(dropped)]
    for sentence in report.cut_off:
        yield "not whole", [sentence]
    for strategy, handlers in report.never_called.items():
        yield "never called", [f"{' and '.join(handlers)} of {strategy}: {_NO_SUCH_DATA}"]


def _trials(report: Report) -> str:
    if report.trials > 1:
        return f"{report.trials:,}"
    return "1" if report.is_told else "1 (what you tell us: --trials N)"


def _quote_rows(one: QuoteReport) -> Iterator[_Row]:
    parts, quote = one.parts, one.quote
    whole = len(parts) == 1
    if not whole:
        yield "", [part.name for part in parts]
    yield "net", [_net(part, quote) for part in parts]
    if whole:
        yield "equity", [money(one.equity, quote)]
    held = percent(float(one.buy_and_hold / one.capital), signed=True) if one.capital else UNKNOWN
    if whole:
        yield "buy and hold", [f"{money(one.buy_and_hold, quote, signed=True)} ({held})"]
    else:
        yield "buy and hold", [_net_of_hold(part, quote) for part in parts]
    yield "fees", [money(part.fees, quote) for part in parts]
    yield "turnover", [money(part.turnover, quote) for part in parts]
    yield "exposure", [f"{percent(part.exposure)} of all events" for part in parts]
    yield "max drawdown", [_fall(part, quote) for part in parts]
    yield "under water", [_under(part) for part in parts]
    yield from _annual_rows(one, parts)
    yield from _trade_rows(parts, quote)


def _net(part: Part, quote: str) -> str:
    share = part.figures.net_share
    behind = f" ({percent(share, signed=True)})" if share is not None else ""
    return f"{money(part.figures.net, quote, signed=True)}{behind}"


def _net_of_hold(part: Part, quote: str) -> str:
    if part.hold is None:
        return UNKNOWN
    share = percent(part.hold.net_share, signed=True)
    return f"{money(part.hold.net, quote, signed=True)} ({share})"


def _fall(part: Part, quote: str) -> str:
    share = part.figures.max_drawdown_share
    behind = f" ({percent(share)})" if share is not None else ""
    return f"{money(part.figures.max_drawdown, quote)}{behind}"


def _under(part: Part) -> str:
    figures = part.figures
    if not figures.longest_under_ns:
        return "never"
    return f"{span(figures.longest_under_ns)}{' and still' if figures.is_longest_open else ''}"


def _annual_rows(one: QuoteReport, parts: Sequence[Part]) -> Iterator[_Row]:
    years = [part.figures.annual for part in parts]
    if not any(years):
        yield "Sharpe", [f"not known: too few days ({parts[0].figures.too_short})"]
        return
    yield "growth", [f"{percent(y.growth, signed=True)} a year" if y else UNKNOWN for y in years]
    yield "volatility", [f"{percent(y.volatility)} a year" if y else UNKNOWN for y in years]
    yield "Sharpe", [f"{sharpe_text(y)}" for y in years]
    yield "", ["95 % interval of daily returns; a year has 365 days"]
    yield "Sortino", [ratio(y.sortino) if y else UNKNOWN for y in years]
    yield "Calmar", [ratio(y.calmar) if y else UNKNOWN for y in years]
    found = one.deflated
    if found is not None and found.trials > 1:
        text = f"a chance of {percent(found.probability)} that the true Sharpe is above"
        text = f"{text} {ratio(found.threshold)}, which the best of {found.trials:,} trials"
        yield "deflated", [f"{text} shows without any skill"]


def _trade_rows(parts: Sequence[Part], quote: str) -> Iterator[_Row]:
    trades = [part.trades for part in parts]
    yield "trades", [f"{t.ended:,}{f' and {t.open} open' if t.open else ''}" for t in trades]
    if not any(t.ended for t in trades):
        return
    yield "hit rate", [percent(t.hit_rate) for t in trades]
    yield "profit factor", [ratio(t.profit_factor) for t in trades]
    yield (
        "win and loss",
        [f"{money(t.average_win, quote)}, {money(t.average_loss, quote)}" for t in trades],
    )
    label = "exits"
    for reason, found in exits_by_reason(parts):
        yield label, [f"{reason} {exit_text(one, quote)}" if one else UNKNOWN for one in found]
        label = ""


def _markets(report: Report) -> Iterator[str]:
    rows = [("symbol", "events", "fills", "net", "fees", "held")]
    for one in report.markets:
        quote = quote_of(one.symbol)
        rows.append(
            (
                one.symbol,
                f"{one.events:,}",
                f"{one.fills:,}",
                money(one.net, quote, signed=True),
                money(one.fees, quote),
                percent(one.exposure),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield f"  {'  '.join(cells)}"


def _lines(rows: Iterator[_Row] | list[_Row]) -> Iterator[str]:
    """Align labels, and the cells of those rows that have several."""
    found = list(rows)
    several = [cells for _, cells in found if len(cells) > 1]
    widths = [max(map(len, column)) for column in zip(*several, strict=True)] if several else [0]
    for label, cells in found:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
        text = "  ".join(padded) if len(cells) > 1 else cells[0]
        yield f"  {label:<{_LABEL}} {text}".rstrip()
