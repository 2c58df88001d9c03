"""What a fast door says of how far it came is believed only as a whole number."""

from typing import Any

import pytest

from decisions.fast_door import Doorway
from decisions.strategy_memory import StrategyMemory, new_memory
from tests.decisions.strategy_runs import BTC
from tests.decisions.swinger import candle

EVENTS = [candle(100 + place, place) for place in range(40)]


class Whole:
    """A whole number of somebody else's, as numpy's are."""

    def __index__(self) -> int:
        return 30


def passed(memory: StrategyMemory, reached: Any) -> int:
    doorway = Doorway(lambda closes, start: reached, memory, BTC)
    closes = doorway.closes(EVENTS)
    assert closes is not None
    return doorway.passed(EVENTS, closes, 0)


def test_one_of_another_kind_is_kept_as_an_int() -> None:
    memory = new_memory(8)

    place = passed(memory, Whole())

    assert (type(place), type(memory.next_index)) == (int, int)
    assert (place, memory.next_index) == (30, 30)


@pytest.mark.parametrize("reached", [30.0, "30", None])
def test_anything_else_moves_nothing_and_the_door_stays_shut(reached: Any) -> None:
    memory = new_memory(8)

    with pytest.raises(TypeError):
        passed(memory, reached)

    assert (memory.next_index, len(memory.recent)) == (0, 0)
    assert memory.at_door
