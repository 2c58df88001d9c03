"""What the next incarnation inherits, while the thread of an abandoned one may still change it."""

from contextlib import suppress
from copy import deepcopy
from typing import TypeVar

Memory = TypeVar("Memory")

_TRIES = 100


def copy_of(memory: Memory) -> Memory:
    """Give a copy that nobody else changes; anew where something grew while it was copied."""
    for _ in range(_TRIES):
        with suppress(RuntimeError):
            return deepcopy(memory)
    return deepcopy(memory)
