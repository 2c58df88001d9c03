"""Virtual time and seeded schedules: the same seed tells the same story."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from actors.actor import Actor
from actors.step_runtime import StepRuntime
from messages.errors import AskTimeout
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import InjectCrash, InjectHang, Ping
from tests.actors.support import Note, Probe, Script, World, branch, probe

Make = Callable[[int | None], World]


class Talker(Actor):
    """Sends `count` notes to each peer, one at a time, when a timer of its own says so."""

    def __init__(self, peers: list[str], count: int, trace: list[str]) -> None:
        super().__init__()
        self.peers = peers
        self.left = count
        self.trace = trace

    def started(self) -> None:
        self.ctx.after(NS_PER_MS, Ping())
        self.ctx.every(7 * NS_PER_MS, Note(text="tick"))

    def receive(self, message: Any) -> None:
        if isinstance(message, Note) and message.text == "tick":
            if self.left:
                self.left -= 1
                for peer in self.peers:
                    note = Note(text=f"{self.ctx.path}:{self.left}")
                    self.ctx.tell(self.ctx.runtime.address(peer), note)
        elif isinstance(message, Note):
            self.trace.append(f"{self.ctx.monotonic_ns()} {self.ctx.path} {message.text}")


def story(make: Make, seed: int | None) -> list[str]:
    """What three talkers under a supervisor saw of each other, with a crash and a hang."""
    world = make(seed)
    trace: list[str] = []
    names = ["a", "b", "c"]
    talkers = [
        probe(
            name,
            Script(),
            actor_class=Talker,
            arguments={"peers": [n for n in names if n != name], "count": 20, "trace": trace},
            hang_after_ms=30,
        )
        for name in names
    ]
    world.boot(*talkers)
    world.pass_time(50)
    world.address("b").tell(InjectCrash(reason="drill"))
    world.address("c").tell(InjectHang(reason="drill"))
    world.pass_time(1000)
    events = [f"{e.ts_ns} {e.event} {e.child} {e.reason}" for e in world.events]
    world.close()
    return trace + events


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_the_same_seed_tells_the_same_story(stepped: Make, seed: int | None) -> None:
    first = story(stepped, seed)

    assert first == story(stepped, seed)
    assert len(first) > 100


def test_other_seeds_interleave_otherwise(stepped: Make) -> None:
    stories = {tuple(story(stepped, seed)) for seed in range(5)}

    assert len(stories) > 1


@pytest.mark.parametrize("seed", [None, *range(10)])
def test_whatever_the_schedule_the_order_of_each_sender_is_kept(
    stepped: Make, seed: int | None
) -> None:
    world = stepped(seed)
    script, sources = Script(), {name: Script() for name in "xyz"}
    world.solo("sink", script)
    for name, its in sources.items():
        world.solo(name, its)
    for n in range(30):
        for name in sources:
            world.address("sink").tell(Note(text=f"{name}{n}"))
    world.rest()

    for name in sources:
        assert [t for t in script.notes if t[0] == name] == [f"{name}{n}" for n in range(30)]
    world.close()


def test_virtual_time_takes_no_time(steps: World, script: Script) -> None:
    steps.solo("a", script)
    steps.address("a").tell(InjectHang(reason="drill"))
    before_s = time.monotonic()

    for _ in range(100):
        with pytest.raises(AskTimeout):
            steps.ask("a", Ping(), 30 * NS_PER_S)

    assert steps.runtime.clock.monotonic_ns() == 3000 * NS_PER_S
    assert time.monotonic() - before_s < 3


def test_an_ask_that_nobody_can_answer_times_out_at_its_deadline(
    steps: World, script: Script
) -> None:
    steps.solo("a", script)
    steps.address("a").tell(InjectHang(reason="drill"))
    steps.pass_time(1)
    began_ns = steps.runtime.clock.monotonic_ns()

    with pytest.raises(AskTimeout, match=r"a gave no answer in 2\.5 s"):
        steps.ask("a", Ping(), 2_500 * NS_PER_MS)

    assert steps.runtime.clock.monotonic_ns() - began_ns == 2_500 * NS_PER_MS


def test_time_jumps_to_the_next_timer_and_not_beyond(steps: World) -> None:
    seen: list[int] = []

    class Clockwork(Probe):
        def started(self) -> None:
            self.ctx.after(100 * NS_PER_MS, Note(text="one"))
            self.ctx.after(300 * NS_PER_MS, Note(text="two"))

        def receive(self, message: Any) -> None:
            seen.append(self.ctx.monotonic_ns() // NS_PER_MS)

    steps.boot(probe("a", Script(), actor_class=Clockwork), check_every_ms=10_000)

    steps.pass_time(50)
    assert seen == []
    steps.pass_time(100)
    assert seen == [100]
    assert steps.runtime.clock.monotonic_ns() == 150 * NS_PER_MS
    steps.pass_time(1000)
    assert seen == [100, 300]


def test_a_world_at_rest_says_so(steps: World, script: Script) -> None:
    runtime = steps.runtime
    assert isinstance(runtime, StepRuntime)
    steps.solo("a", script)

    assert runtime.run_until(lambda: False) is False
    assert runtime.run_until_idle() == 0


def test_a_world_that_never_rests_is_noticed(steps: World) -> None:
    class Restless(Probe):
        def receive(self, message: Any) -> None:
            self.ctx.tell(self.ctx.runtime.address("a"), message)

    steps.boot(probe("a", Script(), actor_class=Restless))
    steps.address("a").tell(Note(text="again"))
    runtime = steps.runtime
    assert isinstance(runtime, StepRuntime)

    with pytest.raises(RuntimeError, match="still busy after 1000 steps"):
        runtime.run_until_idle(1000)


def test_jobs_of_a_worker_are_steps_in_order(steps: World) -> None:
    done: list[int] = []
    submit = steps.runtime.worker("venue")

    for n in range(3):
        submit(lambda n=n: done.append(n))  # type: ignore[misc]  # bound in each round
    assert done == []
    steps.rest()

    assert done == [0, 1, 2]


def test_one_hung_in_a_nested_ask_is_replaced_and_stays_out(steps: World, script: Script) -> None:
    """The first incarnation is still on the stack while its successor lives and hangs."""

    class Asks(Probe):
        def receive(self, message: Any) -> Any:
            if message == Note(text="ask"):
                return self.ctx.runtime.ask(
                    self.ctx.runtime.address("silent"), Ping(), 10 * NS_PER_S
                )
            return super().receive(message)

    steps.boot(
        probe("a", script, actor_class=Asks, hang_after_ms=1000, capacity=10),
        probe("silent", Script()),
    )
    steps.address("silent").tell(InjectHang(reason="drill"))
    steps.address("a").tell(Note(text="ask"))
    steps.address("a").tell(Note(text="first"))
    steps.until_running("a", 2)
    steps.pass_time(20_000)

    assert steps.ask("a", Note(text="second")) == ("second", 2)
    assert script.notes == ["first", "second"]
    assert steps.dead("a") == {"poison": 1}


def test_a_branch_runs_on_steps_as_on_threads(world: World, script: Script) -> None:
    world.boot(branch("mid", probe("a", script), probe("b", script), world=world))

    assert world.names("mid") == ["a", "b"]
    assert world.ask("mid/a", Note(text="x")) == ("x", 1)
