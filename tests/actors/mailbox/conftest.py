"""A mailbox of an ordinary size, and one that is soon full."""

import pytest

from tests.actors.mailbox.box import Box


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def small() -> Box:
    return Box(capacity=3)
