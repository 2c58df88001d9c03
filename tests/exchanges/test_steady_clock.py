"""A clock that is set does not bring the exchange's time forward."""

from exchanges.steady_clock import SteadyClock
from messages.ids import NS_PER_S


class Machine:
    def __init__(self) -> None:
        self.utc_ns, self.monotonic_ns = 1_000 * NS_PER_S, 5 * NS_PER_S
        self.clock = SteadyClock(lambda: self.utc_ns, lambda: self.monotonic_ns)

    def passes(self, seconds: int) -> None:
        self.utc_ns += seconds * NS_PER_S
        self.monotonic_ns += seconds * NS_PER_S

    def has_jumped(self) -> bool:
        return self.clock.has_jumped

    def now_s(self) -> int:
        return self.clock.now_ns() // NS_PER_S


def test_it_tells_the_exchanges_time() -> None:
    machine = Machine()
    machine.clock.set(3 * NS_PER_S)

    machine.passes(60)

    assert machine.now_s() == 1_063
    assert not machine.has_jumped()


def test_a_clock_that_is_put_forward_changes_nothing_until_it_is_compared_again() -> None:
    machine = Machine()
    machine.clock.set(10 * NS_PER_S)

    machine.utc_ns += 10 * NS_PER_S
    machine.passes(1)
    assert machine.has_jumped()
    assert machine.now_s() == 1_011

    machine.clock.set(0)
    assert not machine.has_jumped()
    assert machine.now_s() == 1_011


def test_after_a_leap_back_or_a_sleep_of_the_machine_it_is_late_and_never_early() -> None:
    machine = Machine()
    machine.utc_ns -= 10 * NS_PER_S
    assert machine.has_jumped()
    assert machine.now_s() == 990

    machine.utc_ns += 70 * NS_PER_S  # put right, and a minute that the other clock did not count
    assert machine.now_s() == 1_000
