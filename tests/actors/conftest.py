"""On which runtime an actor test runs.

Cells, mailboxes and supervision run on both (`world`); what only one of them can show runs there
alone (`threads`, `steps`). An order's road, which is `order_path.py` and what is built on it, runs
on both too, each test by itself: on steps, and on the threads of a run whose clock the test moves
(`hand_runtime.py`). A test that needs a schedule of steps is marked `steps_only`, with the reason;
`test_both_runtimes.py` holds which these are.
"""

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pykka
import pytest
from loguru import logger

from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from actors.thread_runtime import ThreadRuntime
from tests.actors.exit_path import Failing
from tests.actors.hand_runtime import DRIVEN, Driven, HandRuntime
from tests.actors.order_path import OrderPath, close_all, mistakes
from tests.actors.support import Lines, Script, World

RUNTIMES: dict[str, Callable[[], Runtime]] = {"threads": ThreadRuntime, "steps": StepRuntime}


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    """A stepped actor that nobody stopped would hold up Pykka's own `stop_all` for ever."""
    yield
    close_all()
    for ref in pykka.ActorRegistry.get_all():
        pykka.ActorRegistry.unregister(ref)


@pytest.fixture(autouse=True)
def _no_mistake_passes_for_caution() -> Iterator[None]:
    """An executor that has crashed sends nothing and changes nothing, as many a test wants it."""
    yield
    assert mistakes() == []


@pytest.fixture(autouse=True)
def _no_write_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a test says so; what it says ends with it."""
    monkeypatch.setattr(Failing, "left", 0)
    monkeypatch.setattr(Failing, "is_late", False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have each test of an order's road run on both runtimes, or say why it cannot."""
    alone = metafunc.definition.get_closest_marker("steps_only")
    if alone is not None:
        assert alone.args[0], "say in words why it runs on steps alone"
    if takes_the_road(metafunc.module):
        on_threads = pytest.param("threads", marks=pytest.mark.on_threads)
        runtimes = ["steps"] if alone else ["steps", on_threads]
        if metafunc.definition.get_closest_marker("on_threads"):
            runtimes = ["threads"]
        metafunc.parametrize("_runs_on", runtimes, indirect=True)


@pytest.fixture(autouse=True)
def _runs_on(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is made where nobody said on which runtime fails."""
    monkeypatch.setattr(OrderPath, "runs_on", getattr(request, "param", ""))


def takes_the_road(module: ModuleType) -> bool:
    """Whether it uses an order path, or what of `tests/actors` is built on one."""
    homes = {getattr(one, "__module__", "") or "" for one in vars(module).values()}
    ours = {one for one in homes if one.startswith("tests.actors.") and one != module.__name__}
    return OrderPath.__module__ in ours or any(takes_the_road(sys.modules[one]) for one in ours)


@pytest.fixture(params=list(RUNTIMES))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """An empty world on one of the runtimes."""
    made = World(RUNTIMES[request.param]())
    yield made
    made.close()


@pytest.fixture
def threads() -> Iterator[World]:
    """For what only real threads can show."""
    made = World(ThreadRuntime())
    yield made
    made.close()


@pytest.fixture(params=list(DRIVEN))
def driven(request: pytest.FixtureRequest) -> Iterator[Callable[..., Driven]]:
    """Make runtimes whose time the test moves, all of a kind."""
    made: list[Driven] = []

    def make(**settings: Any) -> Driven:
        made.append(DRIVEN[request.param](**settings))
        return made[-1]

    yield make
    for one in made:
        if isinstance(one, HandRuntime):
            one.end()


@pytest.fixture
def timed(driven: Callable[..., Driven]) -> Iterator[World]:
    """For what takes more time than a test has, on either runtime."""
    made = World(driven())
    yield made
    made.close()


@pytest.fixture
def steps() -> Iterator[World]:
    """For what only virtual time can show."""
    made = World(StepRuntime())
    yield made
    made.close()


@pytest.fixture
def script() -> Script:
    """What one cell's incarnations do and write down."""
    return Script()


@pytest.fixture
def stepped() -> Callable[[int | None], World]:
    """Worlds on steps, each with a schedule of its own seed."""
    return lambda seed: World(StepRuntime(seed))


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged meanwhile."""
    said = Lines()
    sink = logger.add(lambda m: said.append((m.record["level"].name, m.record["message"])))
    yield said
    logger.remove(sink)
