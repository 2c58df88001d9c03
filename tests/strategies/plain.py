"""Each strategy's rule computed from whole columns: nothing incremental, nothing of ours.

A column has one number per candle, None where there is none yet. A signal is 1 enter, -1 leave.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import floor, fsum, log, sqrt
from typing import Any

from messages.market import Candle
from tests.strategies.market import BTC, NOTIONAL, Trade

Column = list[float | None]
Signals = list[int]
NEAR = 1e-12
MINUTES_A_YEAR = 365 * 24 * 60


# ---------------------------------------------------------------- columns


def windows(values: Sequence[float], n: int, of: Callable[[Sequence[float]], float]) -> Column:
    """`of` each full window, the newest value included."""
    return [of(values[i - n + 1 : i + 1]) if i >= n - 1 else None for i in range(len(values))]


def mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def deviation(values: Sequence[float]) -> float:
    middle = mean(values)
    return sqrt(fsum((value - middle) ** 2 for value in values) / len(values))


def before(column: Column) -> Column:
    return [None, *column[:-1]]


def wilder(values: Sequence[float], n: int) -> Column:
    """Seeded by the mean of the first n, as the book's worksheet is."""
    column: Column = [None] * len(values)
    if len(values) >= n:
        column[n - 1] = last = fsum(values[:n]) / n
        for i in range(n, len(values)):
            column[i] = last = (last * (n - 1) + values[i]) / n
    return column


def ema(values: Sequence[float], n: int) -> list[float]:
    k = 2 / (n + 1)
    column = [values[0]]
    for value in values[1:]:
        column.append(k * value + (1 - k) * column[-1])
    return column


def rsi(closes: Sequence[float], n: int) -> Column:
    moves = [b - a for a, b in pairwise(closes)]
    ups, downs = wilder([max(m, 0) for m in moves], n), wilder([max(-m, 0) for m in moves], n)
    column: Column = [None]
    for close, up, down in zip(closes[1:], ups, downs, strict=True):
        if up is None or down is None:
            column.append(None)
        else:
            rests = up + down <= NEAR * close
            column.append(50.0 if rests else 100 - 100 / (1 + up / down) if down else 100.0)
    return column


def atr(candles: Sequence[Candle], n: int) -> Column:
    highs, lows, closes = columns(candles)
    ranges = [
        max(high, close) - min(low, close)
        for high, low, close in zip(highs[1:], lows[1:], closes, strict=False)
    ]
    return [None, *wilder(ranges, n)]


def efficiency(closes: Sequence[float], n: int) -> Column:
    def of(window: Sequence[float]) -> float:
        path = fsum(abs(b - a) for a, b in pairwise(window))
        return 0.0 if path <= NEAR * window[-1] else abs(window[-1] - window[0]) / path

    return windows(closes, n + 1, of)


def columns(candles: Sequence[Candle]) -> tuple[list[float], list[float], list[float]]:
    return (
        [float(candle.high) for candle in candles],
        [float(candle.low) for candle in candles],
        [float(candle.close) for candle in candles],
    )


def over(a: float, b: float) -> bool:
    return a - b > NEAR * abs(b)


# ---------------------------------------------------------------- signals


def donchian(candles: Sequence[Candle], p: dict[str, Any]) -> tuple[Signals, Column]:
    """The signals, and the distance of the stop at each."""
    highs, lows, closes = columns(candles)
    upper = before(windows(highs, p["entry"], max))
    lower = before(windows(lows, p["exit"], min))
    hangs_from = before(windows(highs, p["exit"], max))
    ranges = before(atr(candles, p["atr_period"]))
    signals, distances = [], []
    for up, low, top, tr, close in zip(upper, lower, hangs_from, ranges, closes, strict=True):
        distances.append(None if tr is None else p["stop_atrs"] * tr)
        if up is None or low is None or top is None or tr is None:
            signals.append(0)
        elif close < low or over(top - p["stop_atrs"] * tr, close):
            signals.append(-1)
        else:
            signals.append(int(close > up))
    return signals, distances


def crossings(gaps: Sequence[float | None], near: float = 0) -> Signals:
    """From how far the fast mean is above the slow one: 1 where it comes above, -1 while below."""
    signals: Signals = []
    before: int | None = None
    for gap in gaps:
        now = None if gap is None else 0 if abs(gap) <= near else 1 if gap > 0 else -1
        signals.append(-1 if now == -1 else int(now == 1 and before in (0, -1)))
        before = now
    return signals


def sma_cross(candles: Sequence[Candle], p: dict[str, Any]) -> Signals:
    """Exactly: sums of decimals, and no mean is divided."""
    closes = [candle.close for candle in candles]
    fast, slow = p["fast"], p["slow"]
    gaps: list[float | None] = [None] * (slow - 1)
    for i in range(slow - 1, len(closes)):
        sums = sum(closes[i - fast + 1 : i + 1]), sum(closes[i - slow + 1 : i + 1])
        gap = Fraction(sums[0]) * slow - Fraction(sums[1]) * fast
        gaps.append(float((gap > 0) - (gap < 0)))
    return crossings(gaps)


def ema_cross(candles: Sequence[Candle], p: dict[str, Any]) -> Signals:
    closes = columns(candles)[2]
    means = zip(ema(closes, p["fast"]), ema(closes, p["slow"]), strict=True)
    gaps: list[float | None] = [(a - b) / b for a, b in means]
    gaps[: p["slow"] - 1] = [None] * (p["slow"] - 1)
    return crossings(gaps, near=1e-14)


def rsi_reversion(candles: Sequence[Candle], p: dict[str, Any]) -> Signals:
    column = rsi(columns(candles)[2], p["period"])
    return [
        0 if x is None else 1 if over(p["oversold"], x) else -1 if over(x, p["leave"]) else 0
        for x in column
    ]


def bollinger(candles: Sequence[Candle], p: dict[str, Any]) -> Signals:
    closes = columns(candles)[2]
    middles = windows(closes, p["period"], mean)
    widths = windows(closes, p["period"], deviation)
    signals = []
    for close, middle, width in zip(closes, middles, widths, strict=True):
        if middle is None or width is None:
            signals.append(0)
        else:
            enters = over(middle - p["width"] * width, close)
            signals.append(-1 if over(close, middle) else int(enters))
    return signals


def macd(candles: Sequence[Candle], p: dict[str, Any]) -> Signals:
    closes = columns(candles)[2]
    gaps = [a - b for a, b in zip(ema(closes, p["fast"]), ema(closes, p["slow"]), strict=True)]
    gaps = gaps[p["slow"] - 1 :]  # the signal's mean begins where the slow one is full
    means = ema(gaps, p["signal"])
    first = p["slow"] + p["signal"] - 2
    trend = windows(closes, p["trend"], mean)
    signals, was_above = [0] * first, None
    for i in range(first, len(closes)):
        gap = gaps[i - p["slow"] + 1] - means[i - p["slow"] + 1]
        is_above, is_below = gap > NEAR * closes[i], gap < -NEAR * closes[i]
        high = trend[i]
        rises = high is not None and over(closes[i], high)
        signals.append(-1 if is_below else int(is_above and was_above is False and rises))
        was_above = is_above
    return signals


def momentum(candles: Sequence[Candle], p: dict[str, Any]) -> tuple[Signals, Column]:
    """The signals, and the volatility per year at each."""
    closes, n, window = columns(candles)[2], p["lookback"], p["volatility_period"]
    returns = [log(b / a) ** 2 for a, b in pairwise(closes)]
    decay = window / (window + 1)
    variances = [returns[0]]
    for square in returns[1:]:
        variances.append(decay * variances[-1] + (1 - decay) * square)
    yearly: Column = [None, *(sqrt(variance * MINUTES_A_YEAR) for variance in variances)]
    signals = [0] * len(closes)
    for i in range(max(n, window), len(closes)):
        signals[i] = 1 if closes[i] > closes[i - n] else -1
    return signals, yearly


# ---------------------------------------------------------------- trades


def on_grid(quantity: Fraction, close: Decimal) -> Decimal:
    """Rounded down to the venue's step; 0 where the venue would take no such order."""
    step = BTC.quantity_step
    rounded = step * floor(quantity / Fraction(step))
    accepted = rounded >= BTC.min_quantity and rounded * close >= BTC.min_notional
    return rounded if accepted else Decimal(0)


def affordable(close: Decimal, notional: Decimal = NOTIONAL) -> Fraction:
    return Fraction(notional) / Fraction(close)


def long_flat(
    candles: Sequence[Candle],
    signals: Signals,
    size: Callable[[int], Fraction] | None = None,
) -> list[Trade]:
    made: list[Trade] = []
    held = Decimal(0)
    for i, (candle, signal) in enumerate(zip(candles, signals, strict=True)):
        if signal == 1 and not held:
            wanted = affordable(candle.close) if size is None else size(i)
            held = on_grid(wanted, candle.close)
            if held:
                made.append((i, "buy", held))
        elif signal == -1 and held:
            made.append((i, "sell", held))
            held = Decimal(0)
    return made


def donchian_trades(candles: Sequence[Candle], p: dict[str, Any]) -> list[Trade]:
    signals, distances = donchian(candles, p)
    capital = Decimal(p["capital"])

    def size(i: int) -> Fraction:
        distance, close = distances[i], candles[i].close
        assert distance is not None
        most = min(affordable(close, capital), affordable(close))
        if not distance:
            return most
        return min(Fraction(p["risk"]) * Fraction(capital) / Fraction(distance), most)

    return long_flat(candles, signals, size)


def momentum_trades(candles: Sequence[Candle], p: dict[str, Any]) -> list[Trade]:
    signals, yearly = momentum(candles, p)
    made: list[Trade] = []
    held = Decimal(0)
    for i, (candle, signal) in enumerate(zip(candles, signals, strict=True)):
        if signal == -1 and held:
            made.append((i, "sell", held))
            held = Decimal(0)
        if signal != 1:
            continue
        wild = yearly[i]
        assert wild is not None
        part = min(Fraction(p["target"]) / Fraction(wild), Fraction(1)) if wild else Fraction(1)
        wanted = on_grid(part * affordable(candle.close), candle.close)
        moved = wanted - held
        if not wanted or (held and abs(moved) <= Decimal(str(p["band"])) * wanted):
            continue
        if abs(moved) * candle.close < BTC.min_notional:
            continue
        made.append((i, "buy" if moved > 0 else "sell", abs(moved)))
        held = wanted
    return made


def grid_trades(candles: Sequence[Candle], p: dict[str, Any]) -> list[Trade]:
    lower, upper, cells = Decimal(p["lower"]), Decimal(p["upper"]), p["cells"]
    tick = BTC.price_tick
    steps = [Decimal(i) / cells for i in range(1, cells)]
    lines = [lower, *(lower * (upper / lower) ** part // tick * tick for part in steps), upper]
    lot = on_grid(affordable(upper, NOTIONAL / cells), upper)
    made: list[Trade] = []
    held = Decimal(0)
    for i, candle in enumerate(candles):
        close = candle.close
        bought = lot * sum(close <= line for line in lines[:-1])
        unsold = lot * sum(close < line for line in lines[1:])
        after = min(max(held, bought), unsold)
        if after != held and abs(after - held) * close >= BTC.min_notional:
            made.append((i, "buy" if after > held else "sell", abs(after - held)))
            held = after
    return made


def ensemble_signals(candles: Sequence[Candle], p: dict[str, Any], defaults: Any) -> Signals:
    ratio = efficiency(columns(candles)[2], p["regime_period"])
    votes = []
    for member in p["members"]:
        own = {**defaults[member["uses"]], **member.get("params", {})}
        signals = SIGNALS[member["uses"]](candles, own)
        votes.append((member, held_votes(signals, p["vote_bars"])))
    signals = []
    for i, straight in enumerate(ratio):
        if straight is None:
            signals.append(0)
            continue
        silent = "range" if straight >= p["trend_from"] else "trend"
        ballots = [
            (member.get("weight", 1.0), column[i], member.get("regime", "any") != silent)
            for member, column in votes
        ]
        if not any(heard for _, _, heard in ballots):
            ballots = [(weight, min(vote, 0), True) for weight, vote, _ in ballots]
        weights = sum(weight for weight, _, heard in ballots if heard)
        score = sum(weight * vote for weight, vote, heard in ballots if heard) / weights
        signals.append(1 if score >= p["enter"] - 1e-9 else -1 if score <= 1e-9 - p["leave"] else 0)
    return signals


def held_votes(signals: Signals, bars: int) -> Signals:
    """The last signal of the newest `bars` candles."""
    return [
        next((s for s in reversed(signals[max(0, i - bars + 1) : i + 1]) if s), 0)
        for i in range(len(signals))
    ]


SIGNALS: dict[str, Callable[[Sequence[Candle], dict[str, Any]], Signals]] = {
    "sma_cross": sma_cross,
    "ema_cross": ema_cross,
    "donchian_breakout": lambda candles, p: donchian(candles, p)[0],
    "rsi_reversion": rsi_reversion,
    "bollinger_reversion": bollinger,
    "macd_trend": macd,
    "time_series_momentum": lambda candles, p: momentum(candles, p)[0],
}
