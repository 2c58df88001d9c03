"""Who waits for whom when a supervisor stops its children."""

from actors.children import ChildSpec
from decisions.supervisor import Intensity, OnExhausted, Strategy
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import ActorState, ExitReason, InjectHang, StartChild
from tests.actors.support import Note, Probe, Raise, Script, Wait, World, probe

LONG_MS = 3_000


class Timed(Probe):
    """Writes down when it stopped."""

    def stopping(self) -> None:
        self.script.notes.append(f"{self.ctx.monotonic_ns() // NS_PER_MS} ms")


class OpensTheGate(Probe):
    """Its end is what others wait for."""

    def stopping(self) -> None:
        self.script.gate.set()


def pool(world: World, template: ChildSpec, count: int, **changes: object) -> None:
    world.boot(template=template, strategy=Strategy.SIMPLE_ONE_FOR_ONE, **changes)
    for n in range(count):
        world.ask("root", StartChild(child=f"n{n}"))


def hang(world: World, *names: str) -> None:
    for name in names:
        world.address(name).tell(InjectHang(reason="sleeps"))
    world.settle(lambda: all(world.cell(name).handling is not None for name in names))


def stop(world: World) -> int:
    """Stop everything; give how long it took in milliseconds."""
    begun_ns = world.runtime.clock.monotonic_ns()
    world.runtime.stop(world.root, 60 * NS_PER_S)
    return (world.runtime.clock.monotonic_ns() - begun_ns) // NS_PER_MS


def test_all_dynamic_children_are_asked_before_one_is_waited_for(
    threads: World, script: Script
) -> None:
    """The first and the last come to their end only when the one between them has been asked."""
    pool(threads, probe("any", script, actor_class=OpensTheGate, shutdown_ms=LONG_MS), 3)
    for name in ("n0", "n2"):
        script.inside.clear()
        threads.address(name).tell(Wait())
        threads.settle(script.inside.is_set)

    stop(threads)

    assert [threads.outcome(f"n{n}") for n in range(3)] == [ExitReason.SHUTDOWN] * 3


def test_static_children_that_hang_are_given_up_one_after_the_other(
    steps: World, script: Script
) -> None:
    steps.boot(*(probe(n, script, shutdown_ms=1000) for n in "abcd"))
    hang(steps, "a", "b", "c", "d")

    assert stop(steps) == 4_000


def test_a_dynamic_child_that_needs_no_time_does_not_wait_for_those_that_hang(
    steps: World, script: Script
) -> None:
    pool(steps, probe("any", script, actor_class=Timed, shutdown_ms=1000), 3)
    hang(steps, "n0", "n2")
    now_ms = steps.runtime.clock.monotonic_ns() // NS_PER_MS

    assert stop(steps) == 1_000
    assert script.notes == [f"{now_ms} ms"]


def test_dynamic_children_that_are_killed_at_once_handle_nothing_more(
    steps: World, script: Script
) -> None:
    pool(steps, probe("any", script, shutdown_ms=0), 3)
    for n in range(3):
        steps.address(f"n{n}").tell(Note(text="too late"))

    assert stop(steps) == 0
    assert script.notes == []


def test_draining_dynamic_children_first_handle_what_is_queued(
    timed: World, script: Script
) -> None:
    pool(timed, probe("any", script, drain=True), 2)
    for n in range(2):
        timed.address(f"n{n}").tell(Note(text=f"of n{n}"))

    stop(timed)

    assert sorted(script.notes) == ["of n0", "of n1"]


def test_dynamic_children_are_halted_side_by_side(steps: World, script: Script) -> None:
    never = Intensity(max_restarts=0, window_s=60)
    template = probe("any", script, shutdown_ms=1000)
    pool(steps, template, 4, intensity=never, on_exhausted=OnExhausted.HALT)
    hang(steps, "n0", "n1", "n3")
    begun_ns = steps.runtime.clock.monotonic_ns()
    steps.address("n2").tell(Raise())

    steps.settle(lambda: all(steps.state(f"n{n}") is ActorState.HALTED for n in range(4)))

    assert steps.runtime.clock.monotonic_ns() - begun_ns == 1_000 * NS_PER_MS
    assert steps.address("n0").tell(Note(text="to nobody")) is False


def test_dynamic_children_that_may_take_for_ever_are_waited_for(
    threads: World, script: Script
) -> None:
    pool(threads, probe("any", script, actor_class=OpensTheGate, shutdown_ms=None), 2)
    threads.address("n0").tell(Wait())
    threads.settle(script.inside.is_set)

    stop(threads)

    assert [threads.outcome(f"n{n}") for n in range(2)] == [ExitReason.SHUTDOWN] * 2


def test_a_root_that_gives_up_shows_that_it_ends_while_it_waits_for_those_below_it(
    world: World, script: Script
) -> None:
    class Looks(Probe):
        def stopping(self) -> None:
            self.script.notes.append(f"for good: {world.root.ends_for_good}")

    none = Intensity(max_restarts=0, window_s=60)
    world.boot(probe("a", Script()), probe("b", script, actor_class=Looks), intensity=none)
    assert not world.root.ends_for_good

    world.address("a").tell(Raise())
    world.until_ended()

    assert script.notes == ["for good: True"]
