"""Two markets, recorded or made up, and the pairs rule on whole columns: nothing of ours."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from heapq import merge
from math import exp, fsum, log, sqrt
from random import Random
from typing import Any

import msgspec

from decisions.strategy import StrategyMemory, StrategyRun, memory_of
from messages.ids import AccountId, StrategyId, Symbol, TimestampNs
from messages.market import Candle
from messages.orders import OrderIntent
from messages.values import Instrument
from strategies import Strategy, build
from tests.strategies.market import MINUTE_NS, NOTIONAL, candle, recorded
from tests.strategies.plain import on_grid

A, B = Symbol("ETH/USDT"), Symbol("BTC/USDT")
GRIDS = {symbol: Instrument(symbol=symbol) for symbol in (A, B)}
Leg = tuple[int, Symbol, str, Decimal]
"""When it was decided, of what, which way, how much."""


def of_symbol(symbol: Symbol, candles: Iterable[Candle]) -> list[Candle]:
    return [msgspec.structs.replace(one, symbol=symbol) for one in candles]


def recorded_pair(folder: str, since: int, count: int) -> tuple[list[Candle], list[Candle]]:
    first = recorded(f"{folder}/{A.replace('/', '_')}", since, count)
    second = recorded(f"{folder}/{B.replace('/', '_')}", since, count)
    return of_symbol(A, first), of_symbol(B, second)


def made_up_pair(
    count: int, seed: int, beta: float = 0.8, gaps: bool = True
) -> tuple[list[Candle], list[Candle]]:
    """B walks; A follows it, and swings around it. Each misses some minutes."""
    chance = Random(seed)
    walk, swing = log(30_000.0), 0.0
    pair: tuple[list[Candle], list[Candle]] = ([], [])
    for place in range(count):
        walk += chance.gauss(0, 5e-4)
        swing = 0.97 * swing + chance.gauss(0, 4e-4) * (4 if place // 150 % 3 == 2 else 1)
        prices = exp(beta * walk + swing), exp(walk)
        for symbol, price, candles in zip((A, B), prices, pair, strict=True):
            if gaps and chance.random() < 0.03:
                continue
            close = Decimal(f"{price:.2f}")
            volume = Decimal(100_000)
            one = candle(TimestampNs(place * MINUTE_NS), close, close, close, close, volume)
            candles.append(msgspec.structs.replace(one, symbol=symbol))
    return pair


def in_order(*markets: Sequence[Candle]) -> list[Candle]:
    """As they are shown: by time, at one moment the first market first."""
    return list(merge(*markets, key=lambda one: one.ts_event_ns))


def make(params: dict[str, Any], notional: Decimal = NOTIONAL) -> Strategy:
    return build("pairs", params, A, notional, GRIDS[A], {B: GRIDS[B]})


def memory_for(params: dict[str, Any]) -> StrategyMemory:
    return memory_of(make(params), MINUTE_NS, (A, B))


def run_on(memory: StrategyMemory, params: dict[str, Any]) -> StrategyRun:
    who = AccountId("paper"), StrategyId("pairs"), A
    return StrategyRun(lambda: make(params), memory, *who, symbols=(A, B))


def leg(intent: OrderIntent) -> Leg:
    return intent.decided_at_ns, intent.symbol, str(intent.side), intent.quantity


# ------------------------------------------------------------ the rule on whole columns


def scores(
    xs: Sequence[float], ys: Sequence[float], lookback: int, hedge: str
) -> tuple[list[float | None], list[float | None]]:
    """Give z and beta at each moment; two passes over each window."""
    zs, betas = list[float | None](), list[float | None]()
    for i in range(len(xs)):
        if i < lookback - 1:
            zs.append(None)
            betas.append(None)
            continue
        wx, wy = xs[i - lookback + 1 : i + 1], ys[i - lookback + 1 : i + 1]
        mx, my = fsum(wx) / lookback, fsum(wy) / lookback
        beta = 1.0
        if hedge == "ols":
            xx = fsum((x - mx) ** 2 for x in wx)
            beta = fsum((x - mx) * (y - my) for x, y in zip(wx, wy, strict=True)) / xx
        off = [(y - my) - beta * (x - mx) for x, y in zip(wx, wy, strict=True)]
        zs.append(off[-1] / sqrt(fsum(one * one for one in off) / lookback))
        betas.append(beta)
    return zs, betas


def pairs_legs(first: Sequence[Candle], second: Sequence[Candle], p: dict[str, Any]) -> list[Leg]:
    """What the rule trades when every order fills."""
    closes = [{one.ts_event_ns: one.close for one in some} for some in (first, second)]
    moments = sorted(closes[0].keys() & closes[1].keys())
    ys, xs = ([log(float(some[at])) for at in moments] for some in closes)
    lookback = p["lookback"]
    zs, betas = scores(xs, ys, lookback, p["hedge"])
    found: list[Leg] = []
    held = {A: Decimal(0), B: Decimal(0)}
    for i, at in enumerate(moments):
        if i < 2 * lookback - 2:
            continue
        z, beta = zs[i], betas[i]
        assert z is not None
        assert beta is not None
        aims = held
        if held[A]:
            back = z >= -p["leave"] if held[A] > 0 else z <= p["leave"]
            if back or abs(z) >= p["stop"]:
                aims = {A: Decimal(0), B: Decimal(0)}
        elif abs(z) >= p["entry"] and 0.2 <= beta <= 5:
            calm = all(abs(one or 0.0) < p["stop"] for one in zs[i - lookback + 1 : i + 1])
            parts = {A: Fraction(f"{min(1, 1 / beta):.9g}"), B: Fraction(f"{min(1, beta):.9g}")}
            sizes = {
                symbol: on_grid(parts[symbol] * Fraction(NOTIONAL) / Fraction(some[at]), some[at])
                for symbol, some in zip((A, B), closes, strict=True)
            }
            if calm and all(sizes.values()):
                side = 1 if z < 0 else -1
                aims = {A: side * sizes[A], B: -side * sizes[B]}
        for symbol in (A, B):
            way = aims[symbol] - held[symbol]
            if way:
                found.append((at, symbol, "buy" if way > 0 else "sell", abs(way)))
        held = dict(aims)
    return found
