"""Crashes of one cell, one after the other."""

from decisions.supervisor import Intensity
from tests.actors.support import Raise, World

TWICE = Intensity(max_restarts=2, window_s=60)


def crash(world: World, path: str, times: int = 1) -> None:
    """Crash a child and wait each time until it runs again."""
    for _ in range(times):
        epoch = world.cell(path).epoch
        world.address(path).tell(Raise())
        world.until_running(path, epoch + 1)
