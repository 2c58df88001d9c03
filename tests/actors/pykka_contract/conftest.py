"""No actor outlives its test."""

from collections.abc import Iterator

import pykka
import pytest

from tests.actors.pykka_contract.plain import LIMIT_S


@pytest.fixture(autouse=True)
def _clean_registry() -> Iterator[None]:
    pykka.ActorRegistry.stop_all(timeout=LIMIT_S)
    yield
    pykka.ActorRegistry.stop_all(timeout=LIMIT_S)
