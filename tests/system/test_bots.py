"""A test that waits for a bot learns that it has ended, and how, instead of waiting in vain."""

import signal
from collections.abc import Callable

import pytest

from tests.system.bots import Bot


@pytest.mark.slow
def test_one_that_was_killed_by_a_signal_is_not_waited_for(start: Callable[..., Bot]) -> None:
    bot = start("--duration", "60")
    bot.until(lambda: bool(bot.events))
    bot.send(signal.SIGSEGV)

    with pytest.raises(AssertionError, match="it ended with -11"):
        bot.until(lambda: False, 300.0)
    assert "Fatal Python error: Segmentation fault" in bot.said, "every thread's stack follows"
