"""Feeds, each with a desk of its own, that are stopped when a test ends."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.actors.live_feed.desk import Desk


@pytest.fixture
def open_desk() -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(**changes: Any) -> Desk:
        desks.append(Desk(**changes))
        return desks[-1]

    yield make
    for desk in desks:
        desk.stop()
