"""A clock that is set or drifts while the run lasts: orders wait, and go on by themselves."""

import threading
import time
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest

from exchanges.conditions import CLOCK, Condition
from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange
from exchanges.protocol import NewOrder
from messages.errors import NotSent, Rejected
from messages.ids import NS_PER_MS, NS_PER_S
from messages.values import OrderState
from tests.exchanges.live import LIMIT_S, Desk, desk, submit

pytestmark = pytest.mark.slow


class Watched:
    """An open venue whose clock is compared in haste, and whose own clock can be set."""

    def __init__(self, run: RunningExchange) -> None:
        self.run = run
        self.set_by_ns = 0
        self.news: Queue[Condition] = Queue()
        self.begun = self.agreed = 0
        self.changed = threading.Condition()
        self.desk: Desk

    def utc_ns(self) -> int:
        return time.time_ns() + self.set_by_ns

    def comparing(self) -> Callable[[], object]:
        with self.changed:
            self.begun += 1
            self.changed.notify_all()

        def agreed() -> None:
            with self.changed:
                self.agreed += 1
                self.changed.notify_all()

        return agreed

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for what begins or ends a comparison."""
        with self.changed:
            assert self.changed.wait_for(is_so, LIMIT_S)

    def doubt(self) -> None:
        self.desk.loop.call(self.desk.venue.doubt_clock)

    def next_word(self) -> str:
        news = self.news.get(timeout=LIMIT_S)
        assert news.name == CLOCK
        assert not news.halts
        return news.text


@pytest.fixture
def watched(run: RunningExchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    for name, pause_s in (("AGAIN_S", 0.05), ("COMPARE_EVERY_S", 3_600.0)):
        monkeypatch.setattr(f"exchanges.ccxt_clock.{name}", pause_s)
    scene = Watched(run)
    more: dict[str, Any] = {"utc_ns": scene.utc_ns, "comparing": scene.comparing}
    with desk(run.ccxt_config(), **more) as scene.desk:
        scene.desk.call(scene.desk.venue.open())
        scene.desk.venue.follow(scene.news.put, lambda _: None)
        yield scene


def test_the_gate_is_the_first_comparison(watched: Watched) -> None:
    assert (watched.begun, watched.agreed) == (1, 1)


def test_nothing_is_sent_while_our_clock_is_wrong_and_then_it_goes_on(
    watched: Watched, resting: Callable[..., NewOrder]
) -> None:
    watched.set_by_ns = 3 * NS_PER_S
    watched.doubt()

    said = watched.next_word()
    assert (
        "ahead of binance's, more than 500: set it with NTP; nothing is sent until they agree"
        in said
    )
    before = len(watched.run.exchange.requests())
    with pytest.raises(NotSent, match="clock: this clock is"):
        submit(watched.desk, resting())
    assert not [one for one in watched.run.exchange.requests()[before:] if one.method == "POST"]

    watched.set_by_ns = 0
    assert watched.next_word() == ""
    assert watched.agreed == 2
    assert submit(watched.desk, resting()).state is OrderState.ACCEPTED


def test_a_refusal_for_the_time_of_a_request_has_the_clocks_compared(
    watched: Watched, resting: Callable[..., NewOrder]
) -> None:
    """Nobody watched a clock that drifts: the exchange's answer is the first sign of it."""
    watched.run.exchange.skew_clock(-4_000)
    with pytest.raises(Rejected, match="clock: InvalidNonce"):
        submit(watched.desk, resting())

    assert "ahead of binance's" in watched.next_word()

    watched.run.exchange.skew_clock(0)
    assert watched.next_word() == ""


def test_a_refusal_while_the_clocks_agree_changes_nothing(
    watched: Watched, resting: Callable[..., NewOrder]
) -> None:
    watched.run.exchange.arm(Plan(fault=Fault.CLOCK_REFUSED))
    with pytest.raises(Rejected, match="clock: InvalidNonce"):
        submit(watched.desk, resting())
    watched.until(lambda: watched.agreed == 2)

    assert watched.news.empty()
    assert submit(watched.desk, resting()).state is OrderState.ACCEPTED


def test_without_an_answer_it_is_asked_again_and_trading_is_as_before(
    watched: Watched, resting: Callable[..., NewOrder]
) -> None:
    client = watched.desk.venue._client
    ask, failing = client.fetch_time, True

    async def fetch_time() -> Any:
        if failing:
            raise OSError("no way to the exchange")
        return await ask()

    client.fetch_time = fetch_time
    watched.doubt()
    watched.until(lambda: watched.begun >= 3)
    assert (watched.agreed, watched.news.empty()) == (1, True)
    assert submit(watched.desk, resting()).state is OrderState.ACCEPTED

    failing = False
    watched.until(lambda: watched.agreed == 2)


def test_from_when_on_absence_is_proof_follows_the_newest_comparison(watched: Watched) -> None:
    watched.run.exchange.skew_clock(300)
    watched.doubt()
    watched.until(lambda: watched.agreed == 2)

    assert 200 * NS_PER_MS < watched.desk.venue._absence.ahead_ns <= 310 * NS_PER_MS


def test_a_venue_that_is_closed_or_opened_again_has_one_watch_at_most(watched: Watched) -> None:
    first = watched.desk.venue._clock
    assert first is not None
    watched.desk.call(watched.desk.venue.open())
    second = watched.desk.venue._clock
    assert second is not None
    assert first._task is not None
    assert first._task.done()

    watched.desk.call(watched.desk.venue.close())
    assert second._task is not None
    assert second._task.done()
    watched.doubt()  # nobody is there, which is no mistake
    assert watched.desk.problems == []


def test_what_was_said_of_the_clock_is_over_once_a_gate_has_been_passed_again(
    watched: Watched, resting: Callable[..., NewOrder]
) -> None:
    watched.set_by_ns = 3 * NS_PER_S
    watched.doubt()
    assert "ahead of binance's" in watched.next_word()

    watched.set_by_ns = 0
    watched.desk.call(watched.desk.venue.close())
    watched.news.queue.clear()
    watched.desk.call(watched.desk.venue.open())

    assert submit(watched.desk, resting()).state is OrderState.ACCEPTED


def test_the_gate_says_from_when_on_absence_is_proof(watched: Watched) -> None:
    watched.run.exchange.skew_clock(300)
    watched.desk.call(watched.desk.venue.open())

    assert 200 * NS_PER_MS < watched.desk.venue._absence.ahead_ns <= 310 * NS_PER_MS


def test_it_is_compared_without_a_sign_too(
    run: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchanges.ccxt_clock.COMPARE_EVERY_S", 0.05)
    monkeypatch.setattr("exchanges.ccxt_clock.AGAIN_S", 0.01)
    scene = Watched(run)
    with desk(run.ccxt_config(), comparing=scene.comparing) as scene.desk:
        scene.desk.call(scene.desk.venue.open())
        scene.until(lambda: scene.agreed >= 3)


def test_a_fence_and_the_watch_together_let_an_order_go_only_once_the_clocks_were_compared(
    watched: Watched, resting: Callable[..., NewOrder]
) -> None:
    """The way of a clock that NTP sets: the lease bars the send, asks, and lets the next one go."""
    compared = watched.agreed

    def fence() -> None:
        if watched.agreed == compared:
            watched.desk.venue.doubt_clock()
            raise NotSent("lease: the clock was set by +4.0 s")

    order = resting()
    with pytest.raises(NotSent, match="fenced: NotSent: lease: the clock was set"):
        watched.desk.call(watched.desk.venue.submit(order, fence))
    watched.until(lambda: watched.agreed > compared)
    report = watched.desk.call(watched.desk.venue.submit(order, fence))
    assert report.state is OrderState.ACCEPTED
