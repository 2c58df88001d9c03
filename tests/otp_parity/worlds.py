"""The trees and the ends that several of OTP's cases begin with."""

from decisions.supervisor import AutoShutdown, Intensity, Strategy
from messages.ids import NS_PER_S
from messages.lifecycle import ExitReason, StartChild
from tests.actors.support import End, Script, World, probe

SHUTDOWN = End(reason=ExitReason.SHUTDOWN)
ONCE = Intensity(max_restarts=1, window_s=3600)
NEVER = Intensity(max_restarts=0, window_s=3600)
ANY, ALL = AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT


def epochs(world: World, names: str) -> list[int]:
    return [world.cell(name).epoch for name in names]


def boot_three(world: World, script: Script, **changes: object) -> None:
    assert world.boot(*(probe(n, script) for n in "abc"), **changes).problem == ""


def end(world: World, path: str, message: object) -> None:
    """Let a child end, and wait until its supervisor has dealt with it."""
    before = len(world.happened("exited"))
    world.address(path).tell(message)
    world.settle(lambda: len(world.happened("exited")) > before)


def pool(world: World, script: Script, count: int = 0, **changes: object) -> None:
    """A simple_one_for_one root with children n0, n1, ..."""
    child = {k: changes.pop(k) for k in ("restart", "shutdown_ms", "significant") if k in changes}
    template = probe("template", script, **child)
    strategy = Strategy.SIMPLE_ONE_FOR_ONE
    assert world.boot(strategy=strategy, template=template, **changes).problem == ""
    for n in range(count):
        world.ask("root", StartChild(child=f"n{n}"))


def end_all(world: World) -> None:
    world.runtime.stop(world.root, 5 * NS_PER_S)
