"""A live order against a bare `create_order` of ccxt, at an exchange in a process of its own.

*Wire*: from just before `tell(tick)` until the body of the signed request is about to be written
to the socket; in between it was decided, judged, made durable and fenced. *Decided*: the same
from when the strategy's intent was made, without the way of the tick. Each is measured as the
threads fall, and with all of them on one CPU, where a run keeps them while nobody else is there
(`runtime.one_cpu`). Bare: from the call of `create_order` to the same hook. *Answer*: until FILLED
is durable; bare: until the call returns.

Ours has all that a live run has: every limit of `[risk]`, the lease of the account, a journal,
metrics. What each of these costs is measured in the same run, beside a system with the ledger
alone.
"""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from benchmarks.bare_claims import BARE_INSERT, BARE_TABLE, BODY
from benchmarks.common import (
    STANDS_S,
    Options,
    Result,
    median,
    one_cpu,
    percentile,
    say,
    scratch,
    wait_for,
)
from benchmarks.exchange import Exchange, exchange
from benchmarks.live import intent, tick
from benchmarks.live_ccxt import Bare, LiveCcxt, at_once, live_ccxt, paced
from benchmarks.safety import LEDGER_ALONE, PARTS, WHOLE, Safety
from messages.ids import NS_PER_MS
from messages.values import OrderState

PERIOD_NS = 20 * NS_PER_MS
"""50 orders a second: half of what the exchange allows, so that nobody waits for a turn."""
WARM_UP = 30
ALONE_FIRST = 250_000
ONE_CPU_FIRST = 500_000
FIRST = 1_000_000
APART = 10_000
"""Each system decides at moments of its own: the same moment would be the same order."""
EXTRA_US = 500
"""What all of the safety may cost beyond one commit that is flushed."""


DECIDED = "decision -> durable -> wire"


class Paced(NamedTuple):
    """Microseconds of orders that came one by one, by the clock."""

    claim: list[float]
    wire: list[float]
    decided: list[float]
    answer: list[float]


class Round(NamedTuple):
    """Microseconds of one round, ours and bare."""

    commit: list[float]
    ours: Paced
    on_one_cpu: Paced
    alone: Paced
    """With nothing but the ledger."""
    parts: dict[str, Paced]
    """With the ledger and one thing more."""
    bare_wire: list[float]
    bare_answer: list[float]


def run(options: Options) -> list[Result]:
    """Interleave ours with the bare client and the bare disk."""
    if find_spec("ccxt") is None or find_spec("aiohttp") is None:
        return [Result(name="live orders", note="skipped: the extra `exchange` is not installed")]
    orders, burst = options.pick(250, 1_000), options.pick(400, 1_000)
    rounds: list[Round] = []
    rates: dict[str, list[float]] = {"ours": [], "bare": [], "kept": []}
    settled: list[float] = []
    gone: list[float] = []
    for count in range(options.pick(3, 5)):
        with scratch(options) as folder, exchange(speed=1) as venue:
            rounds.append(_round(folder, venue, orders))
            rates["bare"].append(asyncio.run(_burst_bare(venue, burst)))
            rates["ours"].append(_burst(folder / "wide", venue, burst, FIRST, wide=True))
            rates["kept"].append(_burst(folder / "kept", venue, burst, FIRST + APART, wide=False))
            settled += _settled(folder / "lost", venue, options.pick(20, 50))
            if not count or not options.quick:
                gone += _gone(folder / "gone", venue)
            doubled = venue.read("doubled")
            assert not [name for name in doubled if not name.startswith("bare")], doubled
        shown = {name: f"{values[-1]:,.0f}/s" for name, values in rates.items()}
        last = rounds[-1]
        say(
            f"live_orders {count + 1}: wire {_pair(last.ours.wire)}, one CPU"
            f" {_pair(last.on_one_cpu.wire)}, bare {_pair(last.bare_wire)},"
            f" claim {_pair(last.ours.claim)}, commit {_pair(last.commit)};"
            f" {shown}; settled"
            f" {median(settled):.1f} ms"
        )
    return [
        *_wire(rounds),
        *_costs(rounds),
        _answers(rounds),
        *_rates(rates),
        *_settling(settled, gone),
    ]


# ---------------------------------------------------------------- one round


def commit_us(folder: Path, count: int) -> list[float]:
    """One INSERT per commit through `sqlite3`, `synchronous=FULL`, at the pace of the orders."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(BARE_TABLE)
    taken = []
    for number in range(count):
        time.sleep(PERIOD_NS / 1e9)
        begun = time.perf_counter_ns()
        connection.execute(BARE_INSERT, (f"{number:032x}", BODY))
        taken.append((time.perf_counter_ns() - begun) / 1_000)
    connection.close()
    return taken


def _round(folder: Path, venue: Exchange, orders: int) -> Round:
    bare = asyncio.run(_bare(venue, orders))[WARM_UP:]
    ours = _paced(folder / "paced", venue, orders, 0)
    with one_cpu(wanted=True):
        on_one_cpu = _paced(folder / "one_cpu", venue, orders, ONE_CPU_FIRST)
    alone = _paced(folder / "alone", venue, orders, ALONE_FIRST, LEDGER_ALONE)
    parts = {
        name: _paced(folder / name, venue, orders, ALONE_FIRST + place * APART, safety)
        for place, (name, safety) in enumerate(PARTS.items(), 1)
    }
    return Round(
        commit=commit_us(folder, orders),
        ours=ours,
        on_one_cpu=on_one_cpu,
        alone=alone,
        parts=parts,
        bare_wire=[one for one, _ in bare],
        bare_answer=[one for _, one in bare],
    )


def _paced(folder: Path, venue: Exchange, orders: int, first: int, safety: Safety = WHOLE) -> Paced:
    with live_ccxt(folder, venue, safety) as system:
        told = _tick_paced(system, orders, first)
        keys = [at for at in sorted(system.durable) if at in told][WARM_UP:]
        names = [system.names[at] for at in keys]
        answers = sorted(moments[OrderState.FILLED] for moments in system.states.values())[WARM_UP:]
        return Paced(
            claim=[(system.durable[at] - told[at]) / 1_000 for at in keys],
            wire=[(system.wire[system.names[at]] - told[at]) / 1_000 for at in keys],
            decided=[(system.wire[name] - system.decided[name]) / 1_000 for name in names],
            answer=[(at - told[k]) / 1_000 for at, k in zip(answers, keys, strict=True)],
        )


async def _bare(venue: Exchange, orders: int) -> list[tuple[float, float]]:
    async with Bare(venue) as bare:
        return await paced(bare, orders, PERIOD_NS)


def _tick_paced(system: LiveCcxt, orders: int, first: int) -> dict[int, int]:
    """Tell ticks by the clock, every second of which is traded; give when each was told."""
    told: dict[int, int] = {}
    show, now_ns = system.show, time.monotonic_ns
    time.sleep(STANDS_S)
    due_ns = now_ns()
    for number in range(first, first + 2 * orders):
        due_ns += PERIOD_NS // 2
        event = tick(number)
        while (left_ns := due_ns - now_ns()) > 0:
            time.sleep(left_ns / 1e9)
        told[event.ts_event_ns] = now_ns()
        show(event)
    time.sleep(0.3)  # of two ticks that come late, one is conflated: how many orders, time tells
    wait_for(lambda: system.ended() >= len(system.durable))
    return told


async def _burst_bare(venue: Exchange, count: int) -> float:
    async with Bare(venue) as bare:
        await paced(bare, WARM_UP, PERIOD_NS // 4)
        return await at_once(bare, count)


def _burst(folder: Path, venue: Exchange, count: int, first: int, *, wide: bool) -> float:
    """Orders a second from the first intent to the last durable fill."""
    with live_ccxt(folder, venue, wide=wide, straight=True) as system:
        _some(system, first, WARM_UP)
        begun = time.monotonic_ns()
        for number in range(first + WARM_UP, first + WARM_UP + count):
            system.executor.tell(intent(number, time.time_ns()))
        wait_for(lambda: system.ended() >= WARM_UP + count)
        return count * 1e9 / (time.monotonic_ns() - begun)


def _some(system: LiveCcxt, first: int, count: int) -> None:
    """Place some, each after the one before has been answered."""
    for number in range(first, first + count):
        wanted = system.ended() + 1
        system.executor.tell(intent(number, time.time_ns()))
        wait_for(lambda least=wanted: system.ended() >= least)  # type: ignore[misc]  # bound in each round


# ---------------------------------------------------------------- outcomes that are not known


def _settled(folder: Path, venue: Exchange, count: int) -> list[float]:
    """From UNKNOWN to FILLED, both durable: the answer was lost, the order is there."""
    with live_ccxt(folder, venue, straight=True) as system:
        first = FIRST + 2 * APART
        _some(system, first, WARM_UP)
        for number in range(first + WARM_UP, first + WARM_UP + count):
            venue.do("arm", plan={"fault": "reset_after", "operation": "place"})
            _some(system, number, 1)
            time.sleep(0.25)  # so that questions never wait for a turn
        return _spans(system, OrderState.FILLED)


def _gone(folder: Path, venue: Exchange) -> list[float]:
    """From UNKNOWN to NOT_SENT, both durable: the order never arrived, and that was proved."""
    with live_ccxt(folder, venue, straight=True) as system:
        first = FIRST + 3 * APART
        _some(system, first, WARM_UP)
        venue.do("arm", plan={"fault": "reset_before", "operation": "place"})
        _some(system, first + WARM_UP, 1)  # proved absent, it was sent again
        return _spans(system, OrderState.NOT_SENT)


def _spans(system: LiveCcxt, to: OrderState) -> list[float]:
    return [
        (moments[to] - moments[OrderState.UNKNOWN]) / NS_PER_MS
        for moments in system.states.values()
        if OrderState.UNKNOWN in moments
    ]


# ---------------------------------------------------------------- lines of the table


def _wire(rounds: list[Round]) -> list[Result]:
    return [
        _to_wire(rounds, where, name, f"{text}{more}", percent)
        for where, more in (("ours", ""), ("on_one_cpu", ", one CPU"))
        for name, text in (("wire", "tick -> decision -> durable -> wire"), ("decided", DECIDED))
        for percent in (50, 99)
    ]


def _to_wire(rounds: list[Round], where: str, name: str, text: str, percent: int) -> Result:
    def middle(spans: list[list[float]]) -> float:
        return median([percentile(one, percent) for one in spans])

    ours = middle([getattr(getattr(one, where), name) for one in rounds])
    claim = middle([getattr(one, where).claim for one in rounds])
    bare, commit = middle([one.bare_wire for one in rounds]), middle([one.commit for one in rounds])
    is_goal = percent == 50
    return Result(
        name=f"{text}, p{percent}",
        value=ours,
        unit="us",
        reference=bare,
        against="bare create_order -> wire",
        goal=f"bare + a commit + {EXTRA_US} us" if is_goal else "",
        met=ours - bare < commit + EXTRA_US if is_goal else None,
        note=f"{ours - bare:,.0f} us more than bare; one commit is {commit:,.0f} us;"
        f" from the tick {claim:,.0f} us until the claim is durable",
    )


def _costs(rounds: list[Round]) -> Iterator[Result]:
    """Say what each thing costs by itself, and all of them, beside the ledger alone."""

    def middle(systems: list[Paced]) -> float:
        return median([percentile(one.decided, 50) for one in systems])

    alone, bare = (
        middle([one.alone for one in rounds]),
        median([percentile(one.bare_wire, 50) for one in rounds]),
    )
    yield Result(
        name=f"{DECIDED}, the ledger alone, p50",
        value=alone,
        unit="us",
        reference=bare,
        against="bare create_order -> wire",
    )
    systems = {f"with {name}": [one.parts[name] for one in rounds] for name in PARTS}
    for name, found in (*systems.items(), ("with all of it", [one.ours for one in rounds])):
        yield Result(
            name=f"{DECIDED}, {name}, p50",
            value=middle(found),
            unit="us",
            reference=alone,
            against="the ledger alone",
            note=f"{middle(found) - alone:+,.0f} us",
        )


def _answers(rounds: list[Round]) -> Result:
    ours = median([percentile(one.ours.answer, 50) for one in rounds])
    bare = median([percentile(one.bare_answer, 50) for one in rounds])
    p99 = median([percentile(one.ours.answer, 99) for one in rounds])
    return Result(
        name="decision -> fill durable, p50",
        value=ours,
        unit="us",
        reference=bare,
        against="bare create_order",
        note=f"p99 {p99:,.0f} us",
    )


def _rates(rates: dict[str, list[float]]) -> list[Result]:
    bare = median(rates["bare"])
    return [
        Result(
            name=name,
            value=median(rates[which]),
            unit="orders/s",
            reference=bare,
            against="bare create_order, all at once",
        )
        for name, which in (
            ("live orders at once, to the durable fill", "ours"),
            ("the same, the exchange's rate kept", "kept"),
        )
    ]


def _settling(settled: list[float], gone: list[float]) -> list[Result]:
    return [
        Result(
            name="UNKNOWN -> settled, the order is there, p50",
            value=median(settled),
            unit="ms",
            note=f"p99 {percentile(settled, 99):,.1f} ms",
        ),
        Result(
            name="UNKNOWN -> settled, it never arrived",
            value=median(gone),
            unit="ms",
            note=f"slowest {max(gone):,.0f} ms; the exchange's window is most of it",
        ),
    ]


def _pair(spans: list[float]) -> str:
    return f"{percentile(spans, 50):.0f}/{percentile(spans, 99):.0f} us"
