"""The world of the actor tests, on both runtimes."""

from collections.abc import Callable, Iterator

import pytest

from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from actors.thread_runtime import ThreadRuntime
from tests.actors.support import Script, World

RUNTIMES: dict[str, Callable[[], Runtime]] = {"threads": ThreadRuntime, "steps": StepRuntime}


@pytest.fixture(params=list(RUNTIMES))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """An empty world on one of the runtimes."""
    made = World(RUNTIMES[request.param]())
    yield made
    made.close()


@pytest.fixture
def script() -> Script:
    """What one cell's incarnations do and write down."""
    return Script()
