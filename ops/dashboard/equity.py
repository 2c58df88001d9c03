"""Equity and drawdown against buying and holding, per quote currency, ready to be drawn."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from decisions.chart_numbers import drawn, seconds, shown
from decisions.decimate import kept_indices
from decisions.equity_curve import Curve, Execution, PricePoint, curve
from decisions.metrics import money
from decisions.quiet import quiet_after
from messages.exact import NOTHING, is_sane, is_sane_signed
from messages.ids import base_of, quote_of

_COLUMNS = 500
_MOST_QUOTES = 12
_MOST_GAPS = 100
_BPS = Decimal(10_000)


def equities(
    config: Mapping[str, Any], prices: Sequence[PricePoint], executions: Sequence[Execution]
) -> dict[str, Any]:
    """Give a curve for each currency that was traded in."""
    quotes = dict.fromkeys(quote_of(one[1]) for one in executions)
    if not quotes:
        quotes = dict.fromkeys(quote_of(one[1]) for one in prices[:1_000])
    return {
        quote: _equity(quote, config, prices, executions) for quote in list(quotes)[:_MOST_QUOTES]
    }


def _equity(
    quote: str,
    config: Mapping[str, Any],
    prices: Sequence[PricePoint],
    executions: Sequence[Execution],
) -> dict[str, Any]:
    start = start_balance(config, quote)
    in_use = most_in_use(quote, executions)
    whole = curve(
        quote,
        prices,
        executions,
        capital=start if start is not None else in_use,
        fee_share=fee_share_of(config),
    )
    return {
        **_drawn(whole),
        **_headline(whole),
        "start": None if start is None else money(start),
        "in_use": money(in_use),
        "basis": _basis(quote, start, in_use, whole),
    }


def _drawn(whole: Curve) -> dict[str, Any]:
    kept = set(kept_indices(whole.profit, _COLUMNS))
    kept |= set(kept_indices(whole.hold, _COLUMNS // 2))
    if whole.drawdown:
        kept.add(max(range(len(whole.drawdown)), key=whole.drawdown.__getitem__))
    # Both ends of a quiet time are drawn, so that what is left out is the quiet and no more.
    quiet = quiet_after(whole.times_ns, most=_MOST_GAPS)
    kept |= {at + end for at in quiet for end in (0, 1)}
    chosen = sorted(kept)
    return {
        "t": [seconds(whole.times_ns[i]) for i in chosen],
        "profit": [drawn(whole.profit[i]) for i in chosen],
        "hold": [drawn(whole.hold[i]) for i in chosen],
        "drawdown": [-drawn(whole.drawdown[i]) for i in chosen],
        "hold_drawdown": [-drawn(whole.hold_drawdown[i]) for i in chosen],
        "points": len(whole.profit),
        "gaps": [[seconds(whole.times_ns[i]), seconds(whole.times_ns[i + 1])] for i in quiet],
    }


def _headline(whole: Curve) -> dict[str, Any]:
    profit = whole.profit[-1] if whole.profit else NOTHING
    hold = whole.hold[-1] if whole.hold else NOTHING
    return {
        "final": money(profit),
        "final_shown": shown(profit),
        "hold_final": money(hold),
        "hold_shown": shown(hold),
        "deepest": money(whole.deepest),
        "deepest_shown": shown(whole.deepest),
        "hold_deepest_shown": shown(whole.deepest_of_hold),
        "capital": money(whole.capital),
        "executions": whole.executions,
        "symbols": list(whole.symbols),
        "other_fees": {name: money(fee) for name, fee in whole.other_fees.items()},
        "profit_percent": _percent(profit, whole.capital),
        "hold_percent": _percent(hold, whole.capital),
        "deepest_percent": _percent(whole.deepest, whole.capital),
        "hold_deepest_percent": _percent(whole.deepest_of_hold, whole.capital),
    }


def _percent(amount: Decimal, capital: Decimal) -> str | None:
    return f"{amount / capital * 100:.2f}" if capital else None


def _basis(quote: str, start: Decimal | None, in_use: Decimal, whole: Curve) -> str:
    names = ", ".join(whole.symbols) or "the market"
    used = f"{shown(in_use)} {quote}, the most that the run had in use"
    money_is = used if start is None else f"the whole start of {shown(start)} {quote}, or {used}"
    return f"Buy and hold puts {money_is}, into {names} at the first price, fee included."


def most_in_use(quote: str, executions: Sequence[Execution]) -> Decimal:
    """Give the greatest sum of what the open positions had cost."""
    held: dict[str, tuple[Decimal, Decimal]] = {}
    in_use = most = NOTHING
    for _, symbol, side, fill in executions:
        if quote_of(symbol) != quote:
            continue
        quantity, cost = held.get(symbol, (NOTHING, NOTHING))
        change = side.signed(fill.quantity)
        if fill.fee_currency == base_of(symbol):
            change -= fill.fee
        after = quantity + change
        if quantity * change >= 0:
            new_cost = cost + fill.quantity * fill.price
        elif quantity * after > 0:
            new_cost = cost * after / quantity
        else:
            new_cost = abs(after) * fill.price
        in_use += new_cost - cost
        held[symbol] = (after, new_cost)
        most = max(most, in_use)
    return most


def start_balance(config: Mapping[str, Any], quote: str) -> Decimal | None:
    """Give what a paper run began with; None for a live one."""
    venue = config.get("venue")
    if not isinstance(venue, Mapping) or venue.get("type") != "paper":
        return None
    balances = venue.get("balances")
    amount = _decimal(balances.get(quote)) if isinstance(balances, Mapping) else None
    return amount if amount is not None and is_sane(amount) else None


def fee_share_of(config: Mapping[str, Any]) -> Decimal:
    """Give the taker fee as a part of the notional; 0 where it is not known."""
    venue = config.get("venue")
    fee = _decimal(venue.get("taker_fee_bps")) if isinstance(venue, Mapping) else None
    return fee / _BPS if fee is not None and is_sane_signed(fee) and fee < _BPS else NOTHING


def _decimal(text: object) -> Decimal | None:
    try:
        return Decimal(text) if isinstance(text, str) else None
    except ArithmeticError:
        return None
