"""The plain loop held against the whole system, and markets drawn for both."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.research.worlds import by_actors, by_loop, plan_of, symbols_of
from tests.system.conftest import config_of

MINUTE_MS = 60_000
FIRST_MINUTE = 28_333_334
STEP_BY_STEP = {"batch": 1, "window": 1}
"""A feed that waits for all after each event: then nothing depends on who is how far ahead."""
Rows = list[tuple[Any, ...]]
Told = dict[str, list[tuple[int, str]]]
"""By order: when something was told of it, and what."""


def assert_the_same(config: Any, logs: Sequence[Path] = (), ends_ns: int = 0) -> int:
    """Hold the two against each other, and the loop without its shortcuts too.

    `logs` are those that strategies write of what they are told, on a market that ends then.
    """
    actors, money = by_actors(config)
    by_order = [told_by_order(log) for log in logs]
    for changes in ({}, {"as_events": True}, {"fast_doors": False}):
        loop, outcome = by_loop(plan_of(config, **changes))
        assert loop == actors
        for told, log in zip(by_order, logs, strict=True):
            assert_told(told, told_by_order(log), ends_ns)
        held = {
            symbol: (one.quantity, one.cash_flow)
            for symbol, one in money.portfolio.holdings.items()
        }
        of_loop = {symbol: two for symbol, two in symbols_of(outcome).items() if symbol in held}
        assert of_loop == held
        for market in outcome.markets:
            # The actors mark an event before its fills: a first fill at the last one is unmarked.
            money.portfolio.mark(market.symbol, market.last_price)
        for quote in outcome.meters:
            profit = sum(m.profit for m in outcome.markets if m.symbol.endswith(quote))
            # The portfolio's average cost is a quotient, rounded at its 28th digit.
            assert abs(profit - money.portfolio.equity(quote)) < 1e-15
    return len(actors)


def told_by_order(log: Path) -> Told:
    """Give what was told of each order in its turn, and forget it."""
    told: Told = {}
    for line in log.read_text().splitlines() if log.exists() else []:
        key, ts_ns, text = line.split(" ", 2)
        told.setdefault(key, []).append((int(ts_ns), text))
    log.unlink(missing_ok=True)
    return told


def assert_told(actors: Told, loop: Told, ends_ns: int) -> None:
    """The same, but that actors end with the market, and need not hear of its last moment."""
    assert actors.keys() <= loop.keys()
    for key, lines in loop.items():
        heard = [text for _, text in actors.get(key, [])]
        assert heard == [text for _, text in lines[: len(heard)]]
        assert all(ts_ns >= ends_ns for ts_ns, _ in lines[len(heard) :])


def write(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("ts", "open", "high", "low", "close", "volume"), *rows])
    return path


def write_both(folder: Path, first: Rows, second: Rows) -> dict[str, Path]:
    """Write a recording of each of two symbols."""
    return {
        "BTC/USDT": write(folder / "btc.csv", first),
        "ETH/USDT": write(folder / "eth.csv", second),
    }


# ---------------------------------------------------------------- markets that are drawn


@st.composite
def markets(draw: st.DrawFn) -> Rows:
    """Candles of a market that jumps, stands still, and at times has no volume."""
    rows, minute = Rows(), FIRST_MINUTE
    for _ in range(draw(st.integers(3, 25))):
        minute += draw(st.sampled_from([1, 1, 1, 1, 3]))
        low, one, two, high = sorted(draw(st.tuples(*[st.integers(80, 120)] * 4)))
        first, last = (one, two) if draw(st.booleans()) else (two, one)
        volume = draw(st.sampled_from(["0", "0.3", "5", "40", "400"]))
        rows.append((minute * MINUTE_MS, first, high, low, last, volume))
    return rows


def restless(rng: Random) -> Rows:
    """Give an hour of candles that seldom begin far from where the last one ended."""
    rows, last = Rows(), 100
    for place in range(60):
        first = last + rng.choice([0, 0, -3, 3])
        last = max(first + rng.randint(-4, 4), 60)
        high, low = max(first, last) + rng.randint(0, 3), min(first, last) - rng.randint(0, 3)
        volume = rng.choice(["0.3", "5", "400"])
        rows.append(((FIRST_MINUTE + place) * MINUTE_MS, first, high, low, last, volume))
    return rows


def venues(usdt: str) -> st.SearchStrategy[dict[str, Any]]:
    """Give venues with little money, late and dear at times."""
    return st.fixed_dictionaries(
        {
            "balances": st.just({"USDT": usdt, "BTC": "5", "ETH": "2"}),
            "latency_ms": st.sampled_from([0, 50, 70_000]),
            "slippage_bps": st.sampled_from(["0", "3"]),
        }
    )


class Drawn(NamedTuple):
    """Two markets, the scripts of three strategies, their venue and their limits."""

    first: Rows
    second: Rows
    plans: list[Any]
    venue: dict[str, Any]
    risk: dict[str, Any]

    def config(self, folder: Path, strategy_of: Callable[[str, str, Any], dict[str, Any]]) -> Any:
        """Two of the strategies trade the first market, one the second."""
        symbols = ("BTC/USDT", "BTC/USDT", "ETH/USDT")
        strategy = [
            strategy_of(f"s{place}", symbol, plan)
            for place, (symbol, plan) in enumerate(zip(symbols, self.plans, strict=True))
        ]
        paths = write_both(folder, self.first, self.second)
        return config_of(folder / "run", paths, strategy=strategy, risk=self.risk, venue=self.venue)


def drawn(scripts: st.SearchStrategy[Any], **limits: str) -> st.SearchStrategy[Drawn]:
    """Give such worlds; each of the limits is there or is not."""
    risk = st.fixed_dictionaries(
        {"max_order_notional": st.sampled_from(["500", "1000000"])},
        optional={name: st.just(limit) for name, limit in limits.items()},
    )
    plans = st.lists(scripts, min_size=3, max_size=3)
    return st.builds(Drawn, markets(), markets(), plans, venues("2000"), risk)
