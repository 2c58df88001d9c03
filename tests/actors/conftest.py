"""On which runtime an actor test runs.

Cells, mailboxes and supervision run on both (`world`); what only one of them can show runs there
alone (`threads`, `steps`). An order's road, which is `order_path.py` and what is built on it, is
driven by hand in virtual time, on steps alone: on threads it runs in whole systems, `tests/system`.
"""

from collections.abc import Callable, Iterator

import pykka
import pytest
from loguru import logger

from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from actors.thread_runtime import ThreadRuntime
from tests.actors.exit_path import Failing
from tests.actors.order_path import OPENED
from tests.actors.support import Lines, Script, World

RUNTIMES: dict[str, Callable[[], Runtime]] = {"threads": ThreadRuntime, "steps": StepRuntime}


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    """A stepped actor that nobody stopped would hold up Pykka's own `stop_all` for ever."""
    yield
    for ref in pykka.ActorRegistry.get_all():
        pykka.ActorRegistry.unregister(ref)
    while OPENED:
        OPENED.pop().close()


@pytest.fixture(autouse=True)
def _no_write_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a test says so; what it says ends with it."""
    monkeypatch.setattr(Failing, "left", 0)
    monkeypatch.setattr(Failing, "is_late", False)


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
