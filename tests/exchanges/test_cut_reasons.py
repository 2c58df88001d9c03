"""A reason is cut before it is cleaned: a secret that was cut with it is known all the same."""

from collections.abc import Callable

import pytest

from exchanges.feed_endings import reason_of
from exchanges.nats_dial import problem_of
from ops.secret_values import cleaner

SECRET = "opensesame-opensesame-opensesame"


@pytest.mark.parametrize("say", [reason_of, problem_of])
def test_of_a_secret_at_the_cut_nothing_is_left(say: Callable[[Exception], str]) -> None:
    for long in range(150, 200):
        told = cleaner([SECRET])(say(ValueError(f"{'x' * long} {SECRET} and more, and more")))

        assert "opensesame" not in told
