"""Who counts waits for orders on their way, and never for long."""

from hypothesis import given
from hypothesis import strategies as st

from actors.giving_way import MOST_NS, NAP_NS, SPAN_NS, GivingWay
from messages.ids import NS_PER_S


class Road:
    """Orders on their way until a moment; waiting is what lets time pass."""

    def __init__(self, until_ns: int) -> None:
        self.now_ns, self.until_ns = 0, until_ns
        self.gives_way = GivingWay(lambda: self.now_ns < self.until_ns, self.wait, self.now)

    def wait(self, wait_s: float) -> None:
        self.now_ns += int(wait_s * NS_PER_S)

    def now(self) -> int:
        return self.now_ns


def test_it_waits_until_the_order_has_left() -> None:
    road = Road(until_ns=2 * NAP_NS)
    road.gives_way()
    road.gives_way()

    assert road.now_ns == 2 * NAP_NS


def test_where_no_order_is_it_waits_for_nobody() -> None:
    road = Road(until_ns=0)
    road.gives_way()

    assert road.now_ns == 0


@given(st.lists(st.integers(0, 3 * SPAN_NS), min_size=1, max_size=50))
def test_where_orders_never_end_most_of_the_time_is_left_to_count(works_ns: list[int]) -> None:
    road = Road(until_ns=1 << 62)
    waited_ns = 0
    for work_ns in works_ns:
        before_ns = road.now_ns
        road.gives_way()
        waited_ns += road.now_ns - before_ns
        road.now_ns += work_ns

    spans = road.now_ns // SPAN_NS + 2
    assert waited_ns <= spans * (MOST_NS + NAP_NS)


def test_a_wait_that_ends_at_once_is_not_repeated_for_ever() -> None:
    """Of one that was fenced: it is to come to its end."""
    gives_way = GivingWay(lambda: True, lambda _: None, lambda: 0)
    gives_way()
