"""A strategy driver's memory as bytes and back: what a journal keeps of it."""

from collections import deque
from decimal import Decimal

import msgspec

from decisions.believed import Course
from decisions.managed_orders import ManagedOrders
from decisions.resample import Resampler
from decisions.strategy_memory import StrategyMemory
from decisions.strategy_wide import Snapshot, WideMemory
from decisions.wishes import Decided
from messages.errors import CodecError
from messages.ids import OrderKey, Symbol, TimestampNs
from messages.learning import learn
from messages.market import Candle, Tick, Trade

_Event = Tick | Trade | Candle
_Counts = list[tuple[Symbol, TimestampNs, int]]


class _Snapshot(msgspec.Struct, frozen=True):
    data: bytes
    bars: list[tuple[Symbol, str, Resampler]]
    timer_due_ns: int | None
    positions: dict[Symbol, Decimal]
    prices: dict[Symbol, Decimal]


class _Wide(msgspec.Struct, frozen=True):
    others: dict[Symbol, Decimal]
    prices: dict[Symbol, Decimal]
    decided: _Counts
    timer_due_ns: int | None
    snapshot: _Snapshot | None
    since: list[tuple[_Event, bool]]
    restoring: bool


class _Memory(msgspec.Struct, frozen=True):
    """What is added gets a default: journals of before do not have it, and are replayed too."""

    room: int
    recent: list[_Event]
    next_index: int
    position: Decimal
    decided: _Counts
    decided_until_ns: int
    trying: int
    tries: int
    passed_over: int
    warming_on: int
    """Its place among `recent`; -1 where there is none."""
    told_fills: list[tuple[OrderKey, str]]
    wide: _Wide | None
    at_door: bool = False
    told_stops: list[OrderKey] = []
    managed: ManagedOrders | None = None
    courses: dict[Symbol, Course] = {}
    from_ledger: bool = False
    decided_until: dict[Symbol, int] = {}


learn(_Memory)


def packed_memory(memory: StrategyMemory) -> bytes:
    """Give all that an incarnation would inherit."""
    return msgspec.msgpack.encode(
        _Memory(
            room=memory.recent.maxlen or 0,
            recent=list(memory.recent),
            next_index=memory.next_index,
            position=memory.position,
            decided=_counts(memory.decided),
            decided_until_ns=memory.decided_until_ns,
            trying=memory.trying,
            tries=memory.tries,
            passed_over=memory.passed_over,
            at_door=memory.at_door,
            warming_on=_place_of(memory),
            told_fills=list(memory.told_fills),
            told_stops=list(memory.told_stops),
            wide=None if memory.wide is None else _wide(memory.wide),
            managed=memory.managed,
            courses=memory.courses,
            from_ledger=memory.from_ledger,
            decided_until=memory.decided_until,
        )
    )


def memory_in(content: bytes) -> StrategyMemory:
    """Read what `packed_memory` gave.

    Raises:
        CodecError: it is of another version; nothing is known.
    """
    try:
        kept = msgspec.msgpack.decode(content, type=_Memory)
    except msgspec.MsgspecError as error:
        raise CodecError(f"the memory of a strategy that another version kept: {error}") from error
    if kept.warming_on >= len(kept.recent) or kept.room < 0:
        raise CodecError("the memory of a strategy that cannot be")
    return StrategyMemory(
        recent=deque(kept.recent, maxlen=kept.room),
        next_index=kept.next_index,
        position=kept.position,
        decided=_decided(kept.decided),
        decided_until_ns=kept.decided_until_ns,
        trying=kept.trying,
        tries=kept.tries,
        passed_over=kept.passed_over,
        at_door=kept.at_door,
        warming_on=kept.recent[kept.warming_on] if kept.warming_on >= 0 else None,
        told_fills=dict.fromkeys(kept.told_fills),
        told_stops=dict.fromkeys(kept.told_stops),
        wide=None if kept.wide is None else _wide_memory(kept.wide),
        managed=kept.managed,
        courses=kept.courses,
        from_ledger=kept.from_ledger,
        decided_until=kept.decided_until,
    )


def _place_of(memory: StrategyMemory) -> int:
    event = memory.warming_on
    places = (place for place, one in enumerate(memory.recent) if one is event)
    return next(places, -1)


def _counts(decided: Decided) -> _Counts:
    return [(symbol, at_ns, count) for (symbol, at_ns), count in decided.items()]


def _decided(counts: _Counts) -> Decided:
    return {(symbol, at_ns): count for symbol, at_ns, count in counts}


def _wide(wide: WideMemory) -> _Wide:
    return _Wide(
        others=wide.others,
        prices=wide.prices,
        decided=_counts(wide.decided),
        timer_due_ns=wide.timer_due_ns,
        snapshot=None if wide.snapshot is None else _snapshot(wide.snapshot),
        since=list(wide.since),
        restoring=wide.restoring,
    )


def _snapshot(kept: Snapshot) -> _Snapshot:
    return _Snapshot(
        data=kept.data,
        bars=[(symbol, name, bars) for (symbol, name), bars in kept.bars.items()],
        timer_due_ns=kept.timer_due_ns,
        positions=kept.positions,
        prices=kept.prices,
    )


def _wide_memory(kept: _Wide) -> WideMemory:
    of = kept.snapshot
    return WideMemory(
        others=kept.others,
        prices=kept.prices,
        decided=_decided(kept.decided),
        timer_due_ns=kept.timer_due_ns,
        snapshot=None
        if of is None
        else Snapshot(
            data=of.data,
            bars={(symbol, name): bars for symbol, name, bars in of.bars},
            timer_due_ns=of.timer_due_ns,
            positions=of.positions,
            prices=of.prices,
        ),
        since=list(kept.since),
        restoring=kept.restoring,
    )
