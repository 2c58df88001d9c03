"""What the trades of a run were like, taken together. Pure; floats.

Hit rate: the part of ended trades that won. Profit factor: what the winners won over what the
losers lost. Payoff: the average win over the average loss. Expectancy: the average of all. A trade
that is open counts in none of them; one that won exactly nothing is no winner.
"""

from collections.abc import Sequence
from itertools import groupby
from math import fsum

import msgspec

from decisions.exit_reasons import ExitFigures, exit_figures
from decisions.round_trips import RoundTrip


class TradeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts in the quote currency, all fees paid; None where there is nothing to divide by."""

    ended: int
    open: int
    wins: int
    longs: int
    """Of those that ended."""
    hit_rate: float | None
    profit_factor: float | None
    average_win: float | None
    average_loss: float | None
    """Positive."""
    payoff: float | None
    expectancy: float | None
    best: float | None
    worst: float | None
    losing_streak: int
    """The most losers one after another, by when they ended."""
    average_held_ns: int
    longest_held_ns: int
    exits: list[ExitFigures]
    """By how they ended, the most frequent first; the sums of their trades are `ended`."""


def trade_figures(ended: Sequence[RoundTrip], still_open: int) -> TradeFigures:
    """Sum up trades that are all in one currency."""
    profits = [float(one.profit) for one in ended]
    wins, losses = [p for p in profits if p > 0], [-p for p in profits if p < 0]
    held = [(one.closed_ns or one.opened_ns) - one.opened_ns for one in ended]
    win, loss = _mean(wins), _mean(losses)
    streaks = [len(list(some)) for lost, some in groupby(profits, lambda p: p <= 0) if lost]
    return TradeFigures(
        ended=len(ended),
        open=still_open,
        wins=len(wins),
        longs=sum(one.side.sign > 0 for one in ended),
        hit_rate=len(wins) / len(ended) if ended else None,
        profit_factor=fsum(wins) / fsum(losses) if losses else None,
        average_win=win,
        average_loss=loss,
        payoff=win / loss if win is not None and loss else None,
        expectancy=_mean(profits),
        best=max(profits, default=None),
        worst=min(profits, default=None),
        losing_streak=max(streaks, default=0),
        average_held_ns=sum(held) // len(held) if held else 0,
        longest_held_ns=max(held, default=0),
        exits=exit_figures(ended),
    )


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None
