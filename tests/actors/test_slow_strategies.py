"""A strategy that is slow with each event: what counts as hung, and what it leaves at its end."""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from actors.cell import Cell
from actors.children import ChildSpec, SupervisorSpec
from actors.strategy import Kept, StrategyActor
from actors.supervisor import Supervisor
from actors.thread_runtime import ThreadRuntime
from decisions.strategy import new_memory
from decisions.supervisor import Backoff, Intensity, Restart
from messages.ids import NS_PER_S, AccountId, ActorPath, StrategyId
from messages.lifecycle import ActorState, ExitReason
from messages.market import MarketBatch
from messages.orders import MarketRules
from messages.values import plain_instrument
from tests.decisions.strategy_runs import BTC
from tests.decisions.swinger import market
from tests.waiting import until

EVENT_S = 0.02
HANG_MS = 1_000
"""Fifty events: a batch of a hundred takes twice as long."""
WARM_UP = 80
pytestmark = pytest.mark.slow


class Slow:
    """Takes its time with each event, and counts them."""

    warmup_events = WARM_UP

    def __init__(self, scene: "Scene") -> None:
        scene.made += 1
        if scene.made == 1:
            scene.gate.wait(60)
        self._scene = scene

    def on_candle(self, candle: Any, position: Decimal) -> tuple[()]:
        del candle, position
        threading.Event().wait(EVENT_S)
        self._scene.shown += 1
        if self._scene.shown == self._scene.raises_at:
            raise ValueError("this once")
        return ()


class Snapping(Slow):
    """Goes on from snapshots instead."""

    warmup_events = 0
    overrides = frozenset({"on_candle", "snapshot", "restore"})

    def snapshot(self) -> bytes:
        return b"all that there is"

    def restore(self, data: bytes) -> None:
        del data


class Scene:
    """One such strategy under a supervisor."""

    def __init__(
        self,
        *,
        leaves_events: bool = False,
        shutdown_ms: int = 5_000,
        strategy: type[Slow] = Slow,
    ) -> None:
        self.runtime = ThreadRuntime()
        self.gate = threading.Event()
        self.made = self.shown = 0
        self.raises_at = -1
        self.told: list[str] = []
        self.runtime.cell("executor")
        child = ChildSpec(
            name="s",
            actor_class=StrategyActor,
            arguments={
                "build": lambda: strategy(self),
                "kept": Kept(new_memory(strategy.warmup_events)),
                "account": AccountId("main"),
                "strategy_id": StrategyId("s"),
                "symbol": BTC,
                "executor": self.runtime.address("executor"),
                "feeds": {},
                "leaves_events": leaves_events,
            },
            restart=Restart.TRANSIENT,
            drain=True,
            shutdown_ms=shutdown_ms,
            start_timeout_ms=HANG_MS,
            hang_after_ms=HANG_MS,
        )
        spec = SupervisorSpec(
            children=(child,),
            intensity=Intensity(max_restarts=20, window_s=60),
            backoff=Backoff(min_ms=1, max_ms=1),
            tolerant_start=True,
            check_every_ms=100,
        )
        told = {"spec": spec, "on_event": lambda one: self.told.append(one.event)}
        self.root = self.runtime.populate("root", Supervisor, told)
        self.address = self.runtime.address("s")

    @property
    def cell(self) -> Cell:
        return self.runtime.cell("s")

    def begin(self) -> None:
        self.runtime.start(self.root)

    def begin_warm(self) -> None:
        """Begin, and see as much as a warm-up shows."""
        self.gate.set()
        self.begin()
        self.show(0, WARM_UP)
        until(lambda: self.shown == WARM_UP)

    def show(self, first: int, stop: int) -> None:
        events = tuple(market([1 + place % 7 for place in range(stop)])[first:])
        batch = MarketBatch(feed=ActorPath("feed"), first_index=first, events=events)
        assert self.address.tell(batch)


@pytest.fixture
def scenes() -> Iterator[Callable[..., Scene]]:
    made: list[Scene] = []

    def make(**settings: Any) -> Scene:
        made.append(Scene(**settings))
        return made[-1]

    yield make
    for scene in made:
        scene.gate.set()
        scene.runtime.stop(scene.root, 10 * NS_PER_S)


def test_who_was_given_up_as_it_was_made_has_no_successor_called_hung(
    scenes: Callable[..., Scene],
) -> None:
    scene = scenes()
    scene.begin()  # its first incarnation does not come up in time
    until(lambda: scene.cell.epoch == 2 and scene.cell.state is ActorState.RUNNING)
    scene.gate.set()
    until(lambda: not scene.cell.zombies)

    scene.show(0, 100)
    until(lambda: scene.shown == 100)

    assert "hung" not in scene.told
    assert scene.cell.epoch == 2


def test_a_warm_up_that_takes_longer_than_one_event_may_is_no_hang(
    scenes: Callable[..., Scene],
) -> None:
    scene = scenes()
    scene.begin_warm()

    assert scene.address.tell(MarketRules(instrument=plain_instrument(BTC)))
    until(lambda: scene.shown == 2 * WARM_UP)

    assert "hung" not in scene.told
    assert scene.cell.epoch == 1


def test_one_that_fails_comes_back_however_long_its_warm_up_takes(
    scenes: Callable[..., Scene],
) -> None:
    """It takes 1.6 s, and a start has one."""
    scene = scenes()
    scene.begin_warm()
    scene.raises_at = WARM_UP + 1

    scene.show(WARM_UP, WARM_UP + 1)  # brings it down, and is the sender's to send again
    until(lambda: scene.shown == 2 * WARM_UP + 1)
    scene.show(WARM_UP, WARM_UP + 1)
    until(lambda: scene.shown == 2 * WARM_UP + 2)

    assert [one for one in scene.told if one != "backoff"] == ["started", "exited", "restarted"]
    assert scene.cell.epoch == 2


@pytest.mark.parametrize("leaves_events", [False, True])
def test_a_stop_does_not_wait_for_a_warm_up_that_serves_nothing_any_more(
    scenes: Callable[..., Scene], leaves_events: bool
) -> None:
    """Nothing waits for it; a stop has half a second, and the warm-up takes 1.6."""
    scene = scenes(leaves_events=leaves_events, shutdown_ms=500)
    scene.begin_warm()
    scene.raises_at = WARM_UP + 1
    scene.show(WARM_UP, WARM_UP + 1)
    until(lambda: scene.shown > WARM_UP + 3)

    reason = scene.runtime.stop(scene.root, 10 * NS_PER_S)

    assert reason is ExitReason.SHUTDOWN
    assert "halted" not in scene.told
    assert scene.shown < 2 * WARM_UP


def test_what_it_sees_again_after_its_snapshot_counts_event_by_event(
    scenes: Callable[..., Scene],
) -> None:
    scene = scenes(strategy=Snapping)
    scene.gate.set()
    scene.begin()
    scene.show(0, 1)
    until(lambda: scene.shown == 1)
    scene.raises_at = WARM_UP
    scene.show(1, 100)

    until(lambda: scene.shown == 2 * WARM_UP - 2)  # what it had not failed on, since the first

    assert "hung" not in scene.told
    assert scene.cell.epoch == 2


def test_one_that_cannot_be_built_for_its_warm_up_has_lost_no_message(
    scenes: Callable[..., Scene],
) -> None:
    class Fails(Slow):
        def __init__(self, scene: Scene) -> None:
            super().__init__(scene)
            if scene.made == 2:  # the first is asked what it is, the second is warmed up
                raise OSError("its model is away, this once")

    scene = scenes(strategy=Fails)
    scene.gate.set()
    scene.begin()
    until(lambda: scene.cell.epoch == 2 and scene.cell.state is ActorState.RUNNING)
    scene.show(0, 1)
    until(lambda: scene.shown == 1)

    assert scene.runtime.dead_letters.lost(scene.cell.path) == 0


def test_asked_to_end_it_leaves_what_is_shown_again_and_is_not_built_anew(
    scenes: Callable[..., Scene],
) -> None:
    scene = scenes(leaves_events=True)
    scene.gate.set()
    scene.begin()
    scene.show(0, 600)
    assert scene.address.tell(MarketRules(instrument=plain_instrument(BTC)))
    until(lambda: scene.shown > 2)
    made = scene.made

    reason = scene.runtime.stop(scene.cell, 5 * NS_PER_S, drain=True)

    assert reason is ExitReason.SHUTDOWN
    assert (scene.made, scene.shown < 600) == (made, True)


def test_what_is_shown_once_only_is_taken_to_the_end(scenes: Callable[..., Scene]) -> None:
    scene = scenes()
    scene.gate.set()
    scene.begin()
    scene.show(0, 60)
    scene.show(60, 80)
    until(lambda: scene.shown > 2)

    reason = scene.runtime.stop(scene.cell, 60 * NS_PER_S, drain=True)

    assert (reason, scene.shown) == (ExitReason.SHUTDOWN, 80)
