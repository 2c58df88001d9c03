"""Whether a signed order still leaves, at the last moment."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from exchanges.ccxt_call import current_call
from exchanges.ccxt_departure import Departure, Fenced
from exchanges.ccxt_placing import Placing
from exchanges.protocol import SEND_WITHIN_MS
from messages.errors import NotSent
from messages.ids import NS_PER_MS
from tests.new_orders import market_buy


class Clocks:
    """Ours, of which the wall's can be set."""

    def __init__(self) -> None:
        self.monotonic_ms = self.utc_ms = 1_000_000
        self.left = 0
        self.departure = Departure(
            lambda: None,
            self._leaves,
            lambda: self.monotonic_ms * NS_PER_MS,
            lambda: self.utc_ms * NS_PER_MS,
        )

    def _leaves(self) -> None:
        self.left += 1

    def wait(self, ms: int, *, wall_ms: int | None = None) -> None:
        self.monotonic_ms += ms
        self.utc_ms += ms if wall_ms is None else wall_ms


@pytest.mark.parametrize("drift_ms", [-400, 0, 400])
def test_what_waited_a_little_leaves(drift_ms: int) -> None:
    clocks = Clocks()
    clocks.wait(SEND_WITHIN_MS, wall_ms=SEND_WITHIN_MS + drift_ms)

    clocks.departure.leave()

    assert clocks.left == 1


@pytest.mark.parametrize("step_ms", [-3_000, 3_000, 600_000])
def test_what_was_perhaps_stamped_before_the_clock_was_set_does_not_leave(step_ms: int) -> None:
    """The clocks may be compared and agree by now: its stamp is of before, and too long good."""
    clocks = Clocks()
    clocks.wait(100, wall_ms=100 + step_ms)

    with pytest.raises(Fenced, match="the clock was set while it waited"):
        clocks.departure.leave()

    assert clocks.left == 0


def test_what_waited_too_long_does_not_leave() -> None:
    clocks = Clocks()
    clocks.wait(SEND_WITHIN_MS + 1)

    with pytest.raises(Fenced, match="too long to be sent"):
        clocks.departure.leave()


def test_an_order_that_does_not_leave_gives_back_what_it_took_of_the_rate() -> None:
    given_back: list[float] = []

    class Client:
        async def create_order(self, *_: object) -> None:
            call = current_call()
            assert call is not None
            call.cost_ms = 7
            raise Fenced("the lease ended")

    nobody: Any = None
    budget: Any = SimpleNamespace(give_back=given_back.append)
    placing = Placing(
        Client(), nobody, budget, nobody, nobody, nobody, nobody, utc_ns=int, monotonic_ns=int
    )
    order = market_buy()

    with pytest.raises(NotSent, match="fenced: the lease ended"):
        asyncio.run(placing._send(order, Departure(lambda: None, lambda: None, int, int)))

    assert given_back == [7]
