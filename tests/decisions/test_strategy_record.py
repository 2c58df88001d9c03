"""A strategy driver's memory is kept in a journal and read back as it was."""

from collections import deque
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from decisions.believed import Course, Step
from decisions.managed_orders import ManagedOrders
from decisions.resample import Resampler
from decisions.strategy_memory import StrategyMemory, new_memory
from decisions.strategy_record import memory_in, packed_memory
from decisions.strategy_wide import Snapshot, WideMemory
from messages.errors import CodecError
from messages.ids import OrderKey, Symbol, TimestampNs
from messages.market import Candle, Tick, Trade
from messages.values import OrderState, Side
from tests.decisions.test_managed_orders import decision, told

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
AT = TimestampNs(60)
P = Decimal("1.500")
CANDLE = Candle(
    symbol=BTC, open=P, high=P, low=P, close=P, volume=P, ts_open_ns=TimestampNs(0), ts_event_ns=AT
)
TRADE = Trade(symbol=ETH, price=P, quantity=P, aggressor_side=Side.BUY, ts_event_ns=AT)
TICK = Tick(symbol=BTC, bid_price=P, ask_price=P, ts_event_ns=AT, ts_received_ns=AT)


def full() -> StrategyMemory:
    """One in which every field says something of its own."""
    bars = Resampler(300, growing=CANDLE, seen_until_ns=60, skipped_until_ns=3)
    snapshot = Snapshot(b"\x00state", {(BTC, "5m"): bars}, 7, {BTC: P, ETH: -P}, {ETH: P})
    return StrategyMemory(
        recent=deque([CANDLE, TRADE, TICK], maxlen=9),
        next_index=41,
        position=Decimal("-1.500"),
        decided={(BTC, AT): 2, (ETH, TimestampNs(5)): 1},
        decided_until_ns=12,
        decided_until={ETH: 11},
        trying=41,
        tries=2,
        passed_over=3,
        at_door=True,
        told_fills={(OrderKey("k"), "t-1"): None},
        told_stops={OrderKey("s"): None},
        wide=WideMemory(
            others={ETH: P},
            prices={BTC: P},
            decided={(ETH, AT): 4},
            timer_due_ns=99,
            snapshot=snapshot,
            since=[(CANDLE, True), (TICK, False)],
            restoring=True,
        ),
        managed=managed(),
        courses={
            BTC: Course(P, [Step(OrderKey("e"), P, is_open=True), Step(OrderKey("x"), -P, P)])
        },
        from_ledger=True,
    )


def managed() -> ManagedOrders:
    """One order that is open, and one that another is to replace."""
    made = ManagedOrders()
    made.decided([decision(1, Side.BUY, 5), decision(2, Side.BUY, 5)])
    made.updated(told(1, Side.BUY, 5, OrderState.ACCEPTED))
    made.updated(told(2, Side.BUY, 5, OrderState.ACCEPTED))
    made.decided([decision(3, Side.BUY, 4, replaces=2)])
    return made


@pytest.mark.parametrize("memory", [new_memory(0), new_memory(30), full()])
def test_a_memory_comes_back_as_it_was(memory: StrategyMemory) -> None:
    back = memory_in(packed_memory(memory))

    assert back == memory
    assert back.recent.maxlen == memory.recent.maxlen
    assert str(back.position) == str(memory.position)


def test_none_of_its_fields_is_left_out() -> None:
    """A field that is added to the memory must be kept, or a replay would begin without it."""
    memory = full()
    fresh = msgspec.structs.replace(new_memory(0), wide=WideMemory())
    for struct, plain in ((memory, fresh), (memory.wide, fresh.wide)):
        for field in struct.__struct_fields__:  # type: ignore[union-attr]  # `full` has one
            said = getattr(struct, field)
            if field == "small_targets":  # told to a person: nothing is decided by it
                continue
            assert field == "warming_on" or said != getattr(plain, field), field


def test_one_of_another_version_is_read_as_far_as_it_goes() -> None:
    kept = msgspec.msgpack.decode(packed_memory(full()))
    del kept["at_door"]

    back = memory_in(msgspec.msgpack.encode({**kept, "of_a_later_version": 1}))

    assert back == msgspec.structs.replace(full(), at_door=False)


def test_the_event_that_a_warm_up_hung_on_is_the_very_one_of_those_it_shows() -> None:
    memory = new_memory(5)
    twin = msgspec.structs.replace(CANDLE)
    memory.recent.extend([CANDLE, twin, TICK])
    memory.warming_on = twin

    back = memory_in(packed_memory(memory))

    assert back.warming_on is back.recent[1]
    assert back.warming_on is not back.recent[0]


@pytest.mark.parametrize("content", [b"", b"\xc1", packed_memory(full())[:-3], b"\x80"])
def test_what_is_no_memory_is_an_error_that_says_so(content: Any) -> None:
    with pytest.raises(CodecError, match="another version"):
        memory_in(content)
