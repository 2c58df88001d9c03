"""A position is what its decisions came to, whenever it is heard what became of them."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.believed import Course
from messages.ids import OrderKey
from messages.values import OrderState, Protection, Side
from tests.decisions.test_managed_orders import decision, told
from tests.decisions.test_strategy_live import acted

STOP = Protection(stop_loss=Decimal(1))


class Taken:
    """Of one decision or stop, in the order in which the executor took it."""

    def __init__(self, brings: int = 0, leaves: int = 0) -> None:
        self.brings, self.leaves = brings, leaves


def held(taken: list[Taken]) -> int:
    """What an executor holds that has sold, of each exit, what had been bought before it."""
    there = 0
    for one in taken:
        there += one.brings - min(one.leaves, there)
    return there


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.sampled_from(["enter", "add", "leave", "end", "stop"]), st.integers(1, 9)),
        max_size=250,
    ),
    st.data(),
)
def test_it_is_what_is_held_once_all_is_told(
    steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    course, taken = Course(), list[Taken]()
    asked, entries = dict[int, int](), dict[int, Taken]()  # of entries that are open
    late = list[tuple[str, int, str]]()  # stops that it has not heard of

    def ends(number: int) -> None:
        one = entries.pop(number)
        one.brings = data.draw(st.integers(0, asked[number]))
        course.ended(told(number, Side.BUY, asked[number], OrderState.CANCELED, one.brings))
        course.closed(OrderKey(str(number)))

    def hears() -> None:
        for name, quantity, after in late:
            course.stop_acted(acted(f"-{quantity}", name), OrderKey(after))
        late.clear()

    last = ""
    for number, (what, quantity) in enumerate(steps):
        if what in {"enter", "add"}:
            stop = STOP if what == "enter" else None
            course.decided(
                msgspec.structs.replace(decision(number, Side.BUY, quantity), protection=stop)
            )
            taken.append(Taken(brings=quantity))
            if stop:
                asked[number], entries[number] = quantity, taken[-1]
        elif what == "leave" and course.position > 0:
            much = min(Decimal(quantity), course.position)
            out = msgspec.structs.replace(decision(number, Side.SELL, int(much)), leaves=much)
            course.decided(out)
            taken.append(Taken(leaves=int(much)))
        elif what == "end" and entries:
            ends(data.draw(st.sampled_from(sorted(entries))))
            continue
        elif what == "stop" and not late and last:
            late.append((f"stop {number}", quantity, last))
            taken.append(Taken(leaves=quantity))
            continue
        else:
            continue
        last = str(number)
        is_heard: bool = data.draw(st.booleans())
        if is_heard:
            hears()
    hears()
    for number in sorted(entries):
        ends(number)

    assert course.position == held(taken)
    assert len(course.steps) <= 64
